"""Measurements, each a ratio against what a user would pick instead. They are no tests."""
