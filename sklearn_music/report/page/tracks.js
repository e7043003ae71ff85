const { escapeHtml, diacritics } = jQuery.fn.dataTable.util;

// DataTables reads what it searches as HTML, and compares it with letters taken apart.
function searchable(text) {
  return escapeHtml(diacritics(String(text)));
}

const digits = new Intl.NumberFormat("en", {
  minimumSignificantDigits: 3, maximumSignificantDigits: 3, useGrouping: false,
});

// Texts are sorted once, in the reader's language and "2" before "10". Missing ones are the last.
const collator = new Intl.Collator(undefined, { numeric: true });
const ranks = new Map();

function rank(name, row) {
  if (!ranks.has(name)) {
    const texts = data.rows.map((_, i) => String(cell(i, name)));
    const compare = (i, j) => (texts[i] === "") - (texts[j] === "")
      || collator.compare(texts[i], texts[j]);
    const order = [...texts.keys()].sort(compare);
    const places = [];
    order.forEach((i, place) => {
      const isSame = place > 0 && compare(order[place - 1], i) === 0;
      places[i] = isSame ? places[order[place - 1]] : place;
    });
    ranks.set(name, places);
  }
  return ranks.get(name)[row];
}

// What DataTables shows of a value, and what it sorts and searches it by.
function render(name) {
  return (value, type, _, { row }) => {
    if (type === "export") return value;
    if (name === "name") {
      if (type === "sort" || type === "type") return data.groups[row];
      if (type === "filter") return searchable(cluster(row));
      const [group, color, , symbol] = data.legend[data.groups[row]];
      const mark = document.createElement("span");
      mark.style.color = color;
      mark.setAttribute("aria-hidden", "true");
      mark.textContent = symbol;
      const whole = document.createElement("span");
      whole.append(mark, ` ${group}`);
      return whole;
    }
    if (name === "distance") {
      if (type !== "display") return value ?? Infinity;
      return value === null ? "" : digits.format(value);
    }
    if (type === "sort" || type === "type") return rank(name, row);
    if (type === "filter") return searchable(value ?? "");
    return name === "title" ? titleButton(row) : escapeHtml(String(value ?? ""));
  };
}

const filter = element("cluster-filter");

const tracksTable = jQuery("#tracks").DataTable({
  data: data.rows,
  columns: data.columns.map((name, i) => ({
    data: i,
    name,
    defaultContent: "",
    render: render(name),
    type: "num",
    className: ["title", "artist", "name"].includes(name) ? "wide" : name === "distance" ? "number" : "",
    visible: !data.hidden.includes(name),
    searchable: !["audio", "cluster", "distance"].includes(name),
  })),
  rowCallback: (node, _, __, ___, row) => markRow(node, row),
  order: [],
  autoWidth: false,
  pageLength: 25,
  // Browsers take seconds to lay out thousands of rows.
  lengthMenu: data.rows.length > 1000 ? [25, 100, 500] : [25, 100, -1],
  layout: {
    topStart: ["search", () => filter],
    topEnd: "buttons",
    bottomStart: ["info", "pageLength"],
    bottomEnd: "paging",
  },
  buttons: [{
    extend: "csvHtml5",
    text: "Download as CSV",
    filename: "tracks",
    bom: true,
    footer: false,
    charset: "utf-8",
    exportOptions: {
      orthogonal: "export",
      format: { header: (_, i) => data.columns[i], body: (value) => value ?? "" },
    },
  }],
  language: {
    search: "Search",
    lengthMenu: "_MENU_ tracks a page",
    lengthLabels: { "-1": "all" },
    info: "_START_ to _END_ of _TOTAL_ tracks",
    infoEmpty: "No tracks",
    infoFiltered: "(of _MAX_)",
    zeroRecords: "No track matches.",
    emptyTable: "There are no tracks.",
  },
});

function markRow(node, row) {
  if (row === selected) node.setAttribute("aria-current", "true");
  else node.removeAttribute("aria-current");
}

highlighters.push((row) => {
  document.querySelector("#tracks tr[aria-current]")?.removeAttribute("aria-current");
  if (row !== null) tracksTable.row(row).node()?.setAttribute("aria-current", "true");
});

filter.querySelector("select").addEventListener("change", ({ target }) => {
  const wanted = target.value;
  const isIn = (_, __, row) => data.groups[row] === Number(wanted);
  tracksTable.search.fixed("cluster", wanted === "" ? null : isIn).draw();
});
