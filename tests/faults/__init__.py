"""Faults: short shop stories in which one thing goes wrong, compared with a plain model that nothing happens to."""
