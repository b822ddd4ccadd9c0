"""Normals, meshes and pictures as arrays, and the files they come in."""
