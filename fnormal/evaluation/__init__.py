"""Predictions against the truth: scores, tables, pages."""
