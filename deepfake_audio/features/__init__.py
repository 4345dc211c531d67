"""From samples to the image that the network reads, and image files."""
