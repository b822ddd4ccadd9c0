"""Scan geometry -> image, normals, mask and depth."""
