"""Predicted normals + coarse geometry -> enhanced geometry."""
