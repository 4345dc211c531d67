"""Corpora: file index, known layouts, splits and the audit for shortcuts."""
