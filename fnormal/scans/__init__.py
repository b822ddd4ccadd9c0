"""Scan files -> :class:`Scan`: one reader a source, listed in ``fnormal/readers.py``."""
