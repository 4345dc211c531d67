"""Judge clips through recording conditions, and fit a calibration that knows their quality."""
