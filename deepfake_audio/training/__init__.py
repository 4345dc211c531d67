"""The feed of images, their augmentation, and callbacks."""

# Keras imports OpenCV and Matplotlib.
import deepfake_audio.system.matplotlib_library
import deepfake_audio.system.opencv  # noqa: F401
