"""What the scripts share: settings, audio to image, data, feed, scores, plots, run folders."""
