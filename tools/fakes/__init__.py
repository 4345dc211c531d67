"""Programs that make fakes for training and tests, and collect real voices for a test."""
