"""OpenCV, imported without its change to the environment.

Its import adds an empty entry to LD_LIBRARY_PATH: the working folder, from which every process that
is started later would load libraries.
"""

import os

SEARCH_PATH = "LD_LIBRARY_PATH"
_kept = os.environ.get(SEARCH_PATH)

import cv2  # noqa: E402

os.environ.pop(SEARCH_PATH, None)
if _kept is not None:
    os.environ[SEARCH_PATH] = _kept

__all__ = ["cv2"]
