"""The map of the tracks, drawn by Bokeh."""

import numpy as np
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure
from bokeh.resources import Resources

from ..plotting.style import COLORS

# Black can't be seen on a dark page.
_COLORS = [*COLORS[:7], "#808080"]
# Each with the character that looks like it, for the legend.
_MARKERS = [("circle", "●"), ("triangle", "▲"), ("square", "■"), ("diamond", "◆"), ("plus", "✚")]

# Bokeh writes the values as text; the class names are those of the page's style sheet.
_TOOLTIP = """
<div style="max-width: 22rem; padding: .2rem .3rem; font: 14px/1.4 var(--font, sans-serif)">
  <strong>@title</strong><br>@cluster<br>
  <span style="opacity: .75; overflow-wrap: anywhere">@lyrics</span>
</div>
"""


def looks(groups):
    """Return the colour, the marker and the marker's character of each of the groups."""
    return {
        group: (_COLORS[i % len(_COLORS)], *_MARKERS[i // len(_COLORS) % len(_MARKERS)])
        for i, group in enumerate(groups)
    }


def draw(points, columns):
    """Return the map as what Bokeh's ``embed_item`` takes.

    Parameters
    ----------
    points : ndarray of shape (n_tracks, 2)
        Where each track is drawn; NaN for one that is not.
    columns : dict of str to list of length n_tracks
        What is known of each track; among them ``color``, ``marker`` and what the
        tooltip shows.
    """
    x, y = np.asarray(points, dtype=np.float32).T
    source = ColumnDataSource({"x": x, "y": y, **columns}, name="tracks")
    plot = figure(
        tools="pan,wheel_zoom,box_zoom,reset,tap",
        active_scroll="wheel_zoom",
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
    plot.toolbar.logo = None
    plot.scatter(  # type: ignore[call-arg]  # Bokeh's types don't know every selection_...
        "x",
        "y",
        source=source,
        size=9 if len(points) <= 1000 else 6,
        color="color",
        marker="marker",
        fill_alpha=0.8,
        line_color="#80808080",
        nonselection_fill_alpha=0.4,
        selection_fill_alpha=1.0,
        selection_line_color="#808080",
        selection_line_width=4,
    )
    plot.add_tools(HoverTool(tooltips=_TOOLTIP, limit=3))
    return json_item(plot)


def scripts():
    """Return Bokeh's own JavaScript: what draws points, and no more."""
    return Resources("inline", components=["bokeh", "bokeh-gl"]).js_raw
