"""The feed of images, their augmentation, and callbacks."""
