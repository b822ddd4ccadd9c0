"""Layers with the numbers of the plain ones in less time."""
