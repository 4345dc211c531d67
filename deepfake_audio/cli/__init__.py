"""Command lines: arguments, messages, exit codes and signals."""
