"""The cross-modal network and its weights."""
