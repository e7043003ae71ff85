const element = (id) => document.getElementById(id);

Bokeh.embed.embed_item(JSON.parse(element("item").textContent), "map").then(() => {
  const tracks = Bokeh.documents.at(-1).get_model_by_name("tracks");
  const audio = element("audio");

  // In place of the sound: why there is none.
  function silence(reason) {
    audio.hidden = reason !== "";
    element("track-silence").hidden = reason === "";
    element("track-silence").textContent = reason;
  }

  function show(row) {
    const { title, cluster, lyrics, audio: sources } = tracks.data;
    element("player").hidden = false;
    element("track-title").textContent = title[row];
    element("track-cluster").textContent = cluster[row];
    element("track-lyrics").textContent = lyrics[row];
    audio.pause();
    silence(sources[row] ? "" : "There is no sound of this track here.");
    if (sources[row]) {
      audio.src = sources[row];
      // Where it fails, the event below says so.
      audio.play().catch(() => {});
    }
  }

  audio.addEventListener("error", () => {
    silence(`This browser can't play ${audio.src.slice(0, 200)}`);
  });

  tracks.selected.properties.indices.change.connect(() => {
    const [row] = tracks.selected.indices;
    if (row !== undefined) show(row);
  });

  for (const button of document.querySelectorAll(".track")) {
    button.addEventListener("click", () => {
      const row = Number(button.dataset.row);
      if (tracks.selected.indices[0] === row) show(row);
      else tracks.selected.indices = [row];
    });
  }

  element("coloring")?.addEventListener("change", ({ target }) => {
    for (const name of ["color", "marker"]) {
      tracks.data[name] = tracks.data[`${name}_${target.value}`];
    }
    tracks.change.emit();
    for (const legend of document.querySelectorAll(".legend")) {
      legend.hidden = legend.dataset.coloring !== target.value;
    }
  });
});
