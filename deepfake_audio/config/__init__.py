"""Settings: their schema, and how files and overrides become settings."""
