"use strict";

const element = (id) => document.getElementById(id);
const data = JSON.parse(element("data").textContent);
const player = element("player");
const audio = element("audio");
// Each gets the row of the selected track, or null.
const highlighters = [];
let selected = null;
// What had the focus before the player.
let opener = null;

function cell(row, name) {
  return data.rows[row][data.columns.indexOf(name)] ?? "";
}

function cluster(row) {
  return data.legend[data.groups[row]][0];
}

function labels(row) {
  const known = data.labels.filter((name) => cell(row, name) !== "");
  return known.map((name) => `${name}: ${cell(row, name)}`);
}

function titleButton(row) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "track";
  button.dataset.row = row;
  button.textContent = cell(row, "title");
  return button;
}

// In place of the sound: why there is none.
function silence(reason) {
  audio.hidden = reason !== "";
  element("track-silence").hidden = reason === "";
  element("track-silence").textContent = reason;
}

function play(row) {
  audio.pause();
  silence(data.sources[row] ? "" : "There is no sound of this track here.");
  if (data.sources[row]) {
    audio.src = data.sources[row];
    // Where it fails, the event below says so.
    audio.play().catch(() => {});
  } else {
    audio.removeAttribute("src");
  }
}

function showSimilar(row) {
  const items = data.similar[row].map((other) => {
    const item = document.createElement("li");
    const artist = cell(other, "artist");
    item.append(titleButton(other), artist && ` ${artist}`);
    return item;
  });
  element("similar").hidden = items.length === 0;
  element("similar").querySelector("ol").replaceChildren(...items);
}

function select(row) {
  if (!player.contains(document.activeElement)) opener = document.activeElement;
  selected = row;
  player.hidden = false;
  element("track-title").textContent = cell(row, "title");
  element("track-artist").textContent = cell(row, "artist");
  element("track-cluster").textContent = cluster(row);
  element("track-labels").textContent = labels(row).join(" · ");
  element("track-lyrics").textContent = data.lyrics[row];
  showSimilar(row);
  play(row);
  player.scrollTop = 0;
  player.focus({ preventScroll: true });
  for (const highlight of highlighters) highlight(row);
}

function close() {
  if (selected === null) return;
  const hadFocus = player.contains(document.activeElement);
  selected = null;
  audio.pause();
  player.hidden = true;
  for (const highlight of highlighters) highlight(null);
  if (!hadFocus || !opener) return;
  // The table may have gone to another page since.
  if (opener.isConnected) opener.focus();
  else document.querySelector(".dt-search input")?.focus();
}

// The tracks are those of the table, as it is sorted and filtered.
function step(by) {
  const rows = tracksTable.rows({ search: "applied", order: "applied" }).indexes().toArray();
  const place = rows.indexOf(selected);
  const row = place < 0 ? rows[0] : rows[place + by];
  if (row !== undefined) select(row);
}

audio.addEventListener("error", () => {
  if (audio.hasAttribute("src")) silence(`This browser can't play ${audio.src.slice(0, 200)}`);
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest(".track");
  if (button) select(Number(button.dataset.row));
});

element("previous").addEventListener("click", () => step(-1));
element("next").addEventListener("click", () => step(1));
element("close").addEventListener("click", close);

document.addEventListener("keydown", (event) => {
  // Esc empties the search and closes a list.
  if (event.key === "Escape" && !event.target.closest("input, select")) close();
});

player.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  // The browser's own controls have their own keys, and Space presses a button.
  if (key === " " && target === player && !audio.hidden) {
    if (audio.paused) audio.play().catch(() => {});
    else audio.pause();
  } else if (key === "ArrowLeft" && target !== audio) step(-1);
  else if (key === "ArrowRight" && target !== audio) step(1);
  else return;
  event.preventDefault();
});
