"""Sound: decoding, windows, codecs, and the quality of a recording."""
