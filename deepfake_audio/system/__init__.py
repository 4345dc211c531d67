"""Files, processes and memory of the machine; nothing about audio."""
