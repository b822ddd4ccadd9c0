"""The workflows behind the command line: generators of progress, no printing."""
