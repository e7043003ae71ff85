"""The map of the tracks, drawn by Bokeh."""

import re
from typing import Any

import numpy as np
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure
from bokeh.resources import Resources
from numpy.typing import NDArray

from ..plotting.style import COLORS
from ._clusters import Clustering, count

# Of the clusters. Black can't be seen on a dark page.
_COLORS = [*COLORS[:7], "#808080"]
# Each marker with the character that looks like it, for the legend.
_MARKERS = [("circle", "●"), ("triangle", "▲"), ("square", "■"), ("diamond", "◆"), ("plus", "✚")]
# Of the labels: other colours and markers than those of the clusters, so that nobody takes one for
# the other. Colour-blind readers can tell them apart, and a white and a dark page both show them.
_LABEL_COLORS = ["#20b6b6", "#b62020", "#7f0df2", "#7bb96e", "#91465f", "#77a2f8", "#aaaa09"]
_LABEL_COLORS += ["#6a40bf"]
_LABEL_MARKERS = [("hex", "⬢"), ("star", "★"), ("inverted_triangle", "▼"), ("square_pin", "✦")]
_UNKNOWN = ("#b0b0b0", "circle", "●")

# Bokeh writes the values as text. The page's style sheet defines --font.
_TOOLTIP = """
<div style="max-width: 22rem; padding: .2rem .3rem; font: 14px/1.4 var(--font, sans-serif)">
  <strong>@title</strong>
  <div style="white-space: pre-line; overflow-wrap: anywhere">@about</div>
  <span style="opacity: .75; overflow-wrap: anywhere">@lyrics</span>
</div>
"""


def color(found: Clustering, targets: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the legends of the clusters and of the targets, and the columns that colour by them.

    An entry of a legend is a group, its colour, its marker, the marker's character, its size.
    """
    colorings = {"cluster": (found.names, found.order)}
    colorings |= {name: (labels, list(count(labels))) for name, labels in targets.items()}
    legends, columns = {}, {}
    for i, (name, (groups, order)) in enumerate(colorings.items()):
        colors, markers = (_LABEL_COLORS, _LABEL_MARKERS) if i else (_COLORS, _MARKERS)
        looks = {
            group: (colors[j % len(colors)], *markers[j // len(colors) % len(markers)])
            for j, group in enumerate(order)
        }
        counts = count(groups)
        legends[name] = [(group, *looks[group], counts[group]) for group in order]
        if n_unknown := len(groups) - sum(counts.values()):
            entry = "no cluster" if name == "cluster" else "no label"
            legends[name].append((entry, *_UNKNOWN, n_unknown))
        drawn = [looks.get(group, _UNKNOWN) for group in groups]
        columns[f"color_{i}"], columns[f"marker_{i}"], _ = map(list, zip(*drawn, strict=True))
    return legends, columns | {"color": columns["color_0"], "marker": columns["marker_0"]}


def draw(points: NDArray[np.floating], columns: dict[str, list[str]]) -> Any:
    """Return the map as the argument of Bokeh's ``embed_item``.

    A track whose point is NaN is not drawn. The columns are those of `color`. The page's script
    adds the texts of the tooltip. The page has controls of its own: the buttons of Bokeh's toolbar
    have no names.
    """
    x, y = np.asarray(points, dtype=np.float32).T
    source = ColumnDataSource({"x": x, "y": y, **columns}, name="tracks")
    plot = figure(
        tools="pan,wheel_zoom,tap",
        # Over the map, the wheel scrolls the page until the reader lets it zoom.
        active_scroll=None,
        toolbar_location=None,
        # WebGL pans 5,000 points without a stutter; Bokeh falls back to canvas without it.
        output_backend="webgl",
        sizing_mode="stretch_both",
        match_aspect=True,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
    )
    plot.axis.visible = False
    plot.grid.visible = False
    plot.scatter(  # type: ignore[call-arg]  # Bokeh's types don't know every selection_...
        "x",
        "y",
        source=source,
        size=9 if len(points) <= 1000 else 6,
        color="color",
        marker="marker",
        fill_alpha=0.8,
        line_color="#80808080",
        nonselection_fill_alpha=0.5,
        selection_fill_alpha=1.0,
        selection_line_color="#808080",
        selection_line_width=4,
    )
    plot.add_tools(HoverTool(tooltips=_TOOLTIP, limit=3))
    return json_item(plot)


def scripts() -> list[str]:
    """Return only those of Bokeh's scripts that draw points, without the addresses of others.

    They are those of formulas and icons, of which the page has none.
    """
    raw = Resources("inline", components=["bokeh", "bokeh-gl"]).js_raw
    return [re.sub(r'"https://cdn\.jsdelivr\.net/[^"]*"', '""', script) for script in raw]
