"""Matplotlib, imported without the settings file of the working folder.

That file may be a stranger's, and can start LaTeX, import modules or wait forever. A file that the
variable MATPLOTLIBRC or the user's own folder names still counts.
"""

import logging
import os
import warnings

SETTINGS_FILE = "matplotlibrc"


def _read_settings() -> None:
    """Let Matplotlib read its settings, which it does once, and not see that file."""
    exists = os.path.exists
    os.path.exists = lambda path: path != SETTINGS_FILE and exists(path)
    try:
        import matplotlib  # noqa: F401
    finally:
        os.path.exists = exists


logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it may have no folder for its cache
# A letter that the font lacks becomes a box in a title; the user can't change that.
warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from", UserWarning)
_read_settings()

from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter  # noqa: E402

__all__ = ["Axes", "Figure", "MaxNLocator", "NullLocator", "PercentFormatter", "pyplot"]
