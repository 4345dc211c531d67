"""Small vocoders and external programs that resynthesise speech."""
