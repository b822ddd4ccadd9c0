"""Photo -> faces: detection, 68 landmarks, masks, the paper's crop and its inverse."""
