"""Experiments, and the log of their results."""
