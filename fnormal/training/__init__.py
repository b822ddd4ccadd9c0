"""Training the cross-modal network (section 3.3)."""
