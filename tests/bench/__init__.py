"""Measurements of the main paths: every figure is a ratio of things taken side by side in one run."""
