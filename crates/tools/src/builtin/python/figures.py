"""Matplotlib's way to show figures here: as pictures in the work folder."""
import os

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

FigureCanvas = FigureCanvasAgg
FigureManager = FigureManagerBase
# The names of what was saved here, not by the program.
SAVED = set()


def show(*args, **kwargs):
    from matplotlib import pyplot

    for number in pyplot.get_fignums():
        at = 1
        while os.path.exists(f"figure-{at}.png"):
            at += 1
        SAVED.add(f"figure-{at}.png")
        pyplot.figure(number).savefig(f"figure-{at}.png", dpi=110, bbox_inches="tight")
    pyplot.close("all")
