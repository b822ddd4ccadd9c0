"""Files: opened with care, written whole or not at all, never over an input, by one process at a time."""
