"""Small vocoders and external programs that resynthesise speech."""

# Keras imports OpenCV and Matplotlib.
import deepfake_audio.system.matplotlib_library
import deepfake_audio.system.opencv  # noqa: F401
