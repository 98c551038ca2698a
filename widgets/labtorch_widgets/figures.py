"""One style for the figures that the chapters draw with matplotlib.

Colours are those of the views: blue for positive and for what is right, orange for negative and for
what goes wrong; both read on a light and on a dark page, and apart for colour-blind eyes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BLUE, ORANGE, GREY = "#0877bd", "#f59322", "#808080"
# IPython puts a light or dark ground under a transparent figure if all its tick labels are on one
# side of middle grey. One axis on each side (nobody sees it) keeps the page's own ground.
TICKS = {"x": "#808080", "y": "#7f7f7f"}


def figure(*titles: str, width: float = 4.2, height: float = 3.0) -> Any:
    """A figure with one set of axes per title; returns the axes (one, or a list)."""
    import matplotlib.pyplot as plt

    picture, axes = plt.subplots(
        1, len(titles), figsize=(width * len(titles), height), layout="constrained", squeeze=False
    )
    picture.patch.set_alpha(0)
    for each, title in zip(axes[0], titles):
        each.set_title(title, fontsize=10, color=GREY)
        each.patch.set_alpha(0)
        for axis, colour in TICKS.items():
            each.tick_params(axis=axis, colors=colour, labelsize=8)
        each.xaxis.label.set_color(GREY)
        each.yaxis.label.set_color(GREY)
        for side in ("top", "right"):
            each.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            each.spines[side].set_color(GREY)
    return axes[0][0] if len(titles) == 1 else list(axes[0])


def surface(
    axes: Any,
    height: Callable[[float, float], Any],
    across: tuple[float, float],
    up: tuple[float, float],
    levels: int = 20,
) -> None:
    """Contour lines of height(u, v) for u in `across` and v in `up`, which the axes then show."""
    us, vs = (np.linspace(low, high, 50) for low, high in (across, up))
    heights = [[float(height(float(u), float(v))) for u in us] for v in vs]
    axes.contour(us, vs, heights, levels, colors=GREY, linewidths=0.5, alpha=0.7)
    axes.set(xlim=across, ylim=up)
    axes.autoscale(False)
