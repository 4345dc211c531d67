"""Tables that strangers wrote: lines, columns, and the words in their names and cells."""
