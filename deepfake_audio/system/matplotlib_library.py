"""Matplotlib, imported without the settings file of the working folder.

That file may be a stranger's, and can start LaTeX, import modules or wait forever. A file that the
variable MATPLOTLIBRC or the user's own folder names still counts.
"""

import os

SETTINGS_FILE = "matplotlibrc"
_exists = os.path.exists
os.path.exists = lambda path: path != SETTINGS_FILE and _exists(path)
try:
    from matplotlib import pyplot
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter
finally:
    os.path.exists = _exists

__all__ = ["Axes", "Figure", "MaxNLocator", "NullLocator", "PercentFormatter", "pyplot"]
