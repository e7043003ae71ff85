Bokeh.embed.embed_item(JSON.parse(element("item").textContent), "map").then(() => {
  const points = Bokeh.documents.at(-1).get_model_by_name("tracks");
  const [view] = Bokeh.index.roots;
  const plot = view.model;
  const rows = [...data.rows.keys()];
  points.data.title = rows.map((row) => cell(row, "title"));
  points.data.about = rows.map((row) => [cell(row, "artist"), cluster(row), ...labels(row)]
    .filter(Boolean).join("\n"));
  points.data.lyrics = data.lyrics;
  // It is a picture with a text, so that nothing in it takes the focus from the keyboard.
  view.el.tabIndex = -1;
  view.canvas_view.events_el.tabIndex = -1;

  highlighters.push((row) => {
    const indices = row === null ? [] : [row];
    if (String(points.selected.indices) !== String(indices)) points.selected.indices = indices;
  });

  // A click on a point selects it, a second one or a click beside all points does the opposite.
  points.selected.properties.indices.change.connect(() => {
    const [row] = points.selected.indices;
    if (row === undefined) close();
    else if (row !== selected) select(row);
  });

  element("coloring")?.addEventListener("change", ({ target }) => {
    for (const name of ["color", "marker"]) {
      points.data[name] = points.data[`${name}_${target.value}`];
    }
    points.change.emit();
    for (const legend of document.querySelectorAll(".legend")) {
      legend.hidden = legend.dataset.coloring !== target.value;
    }
  });

  const wheel = plot.toolbar.tools.find((tool) => tool.type === "WheelZoomTool");
  element("wheel").addEventListener("change", ({ target }) => {
    wheel.active = target.checked;
  });

  function zoom(factor) {
    const around = (range) => {
      const middle = (range.start + range.end) / 2;
      const half = (range.end - range.start) / 2 * factor;
      return new Map([[range, { start: middle - half, end: middle + half }]]);
    };
    view.update_range({ xrs: around(plot.x_range), yrs: around(plot.y_range) });
  }
  element("zoom-in").addEventListener("click", () => zoom(1 / 1.5));
  element("zoom-out").addEventListener("click", () => zoom(1.5));
  element("whole-map").addEventListener("click", () => view.reset_range());
  document.documentElement.dataset.ready = "";
});
