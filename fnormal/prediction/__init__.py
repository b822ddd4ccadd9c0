"""Photo -> normals of its faces -> files."""
