"""Photo files -> :class:`Photo`: one reader a source, listed in ``fnormal/readers.py``."""
