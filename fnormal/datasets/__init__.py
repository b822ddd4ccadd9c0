"""Samples and the HDF5 files that hold them: made, joined, read."""
