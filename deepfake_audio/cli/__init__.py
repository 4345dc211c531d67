"""Command lines: arguments, messages, exit codes and signals."""

from deepfake_audio.cli.address_space import check_address_space

check_address_space()  # before the imports of any other module of the command lines
