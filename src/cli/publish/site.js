"use strict";
// The views of the site: a leaderboard, devices, a comparison of two results, the browser tax. All text from results
// goes through textContent; addresses hold numbers of rows and names of devices only.

const SHOWN_AT_ONCE = 50;
const KINDS = { gpu: "GPUs", cpu: "CPUs", software: "software adapters" };
const ORIGINS = { gpubench: "gpubench", framework: "other frameworks", published: "published in 2016-17" };
const VIEWS = { board: "Leaderboard", devices: "Devices", compare: "Compare two", tax: "Browser tax" };

const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== undefined && child !== ""));
  return made;
}

const digits = (value) => {
  if (value === undefined) return "n/a";
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return value.toPrecision(3);
};
const address = (view, argument) => `#${view}${argument === undefined ? "" : `=${encodeURIComponent(argument)}`}`;
const day = (row) => row.date.slice(0, 10);
const title = (row) => [row.device, row.browser, row.backend, row.plan, day(row)].filter(Boolean).join(", ");
const isStandard = (row) => row.stamps.length === 0 && row.train_s !== undefined;

ROWS.forEach((row, index) => {
  row.index = index;
  row.words = [row.device, row.driver, row.backend, row.browser, row.plan, row.from, row.version, ...row.stamps]
    .join(" ")
    .toLowerCase();
});
const MEASURED = ROWS.filter((row) => row.file);
const OWN = MEASURED.filter((row) => row.from === "gpubench");
ROWS.sort((a, b) => (a.train_s ?? Infinity) - (b.train_s ?? Infinity));

// A table; `columns` are pairs of a heading and the class of its cells.
function table(caption, columns, rows, limit = rows.length) {
  const body = make("tbody");
  const add = (count) => body.append(...rows.slice(body.children.length, count).map((row) => row()));
  add(limit);
  const head = make("tr", {}, ...columns.map(([name, kind]) => make("th", { scope: "col", class: kind }, name)));
  const all = make("table", {}, make("caption", {}, caption), make("thead", {}, head), body);
  const scroll = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, all);
  if (rows.length <= limit) return [scroll];
  const more = make("button", { type: "button" }, `Show all ${rows.length.toLocaleString("en")}`);
  more.addEventListener("click", () => {
    add(rows.length);
    more.remove();
  });
  return [scroll, make("p", {}, more)];
}

function stamps(row) {
  const bad = ["INVALID", "PARTIAL", "FAILED"];
  return row.stamps.map((stamp) =>
    make("span", { class: `stamp ${bad.includes(stamp) ? "bad" : "other"}` }, `${stamp} `),
  );
}

const BOARD = [
  ["device", "words"],
  ["tool or plan", "words"],
  ["time [s]", "number"],
  ["interval", "number"],
  ["share of the slowest", "bars"],
  ["error %", "number"],
  ["verified", "words"],
  ["date", "words"],
  ["file", "words"],
];

// A row of the leaderboard, with its time as a bar of the slowest shown.
function boardRow(row, slowest) {
  const device = make("a", { href: address("device", row.device) }, row.device);
  const origin = row.from === "gpubench" ? "" : make("span", { class: "origin" }, row.from);
  const interval = row.low_s === undefined ? "" : `${digits(row.low_s)}–${digits(row.high_s)}`;
  const bar =
    row.train_s === undefined
      ? ""
      : make("meter", {
          min: 0,
          max: slowest,
          value: row.train_s,
          "aria-label": `${digits(row.train_s)} s`,
        });
  const tool = row.from === "gpubench" ? [row.browser, row.backend, row.plan].filter(Boolean).join(", ") : row.plan;
  return make(
    "tr",
    { class: row.from },
    make("th", { scope: "row", class: "words" }, device, " ", ...stamps(row)),
    make("td", { class: "words" }, tool, " ", origin),
    make("td", { class: "number" }, digits(row.train_s)),
    make("td", { class: "number" }, interval),
    make("td", { class: "bars" }, bar),
    make("td", { class: "number" }, row.error_pct === undefined ? "n/a" : row.error_pct.toFixed(2)),
    make("td", { class: "words" }, row.file ? (row.verified ? "yes" : "no") : "n/a"),
    make("td", { class: "words" }, row.file ? day(row) : row.date),
    make(
      "td",
      { class: "words" },
      row.file ? make("a", { href: `results/${row.file}`, download: row.file }, "JSON") : "published",
    ),
  );
}

function boardTable(caption, rows) {
  const slowest = rows.reduce((most, row) => Math.max(most, row.train_s ?? 0), 0) || 1;
  return table(
    caption,
    BOARD,
    rows.map((row) => () => boardRow(row, slowest)),
    SHOWN_AT_ONCE,
  );
}

const options = (list) => [...new Set(list)].filter(Boolean).sort();
function select(name, label, list, all) {
  const made = make(
    "select",
    { name },
    make("option", { value: "" }, all),
    ...list.map(([value, shown]) => make("option", { value }, shown)),
  );
  return make("label", {}, label, made);
}
const same = (list) => list.map((value) => [value, value]);

function filters() {
  const check = (name, label, checked) =>
    make("label", { class: "check" }, make("input", { type: "checkbox", name, checked }), label);
  byId("filters").append(
    make("label", {}, "Search", make("input", { type: "search", name: "words", autocomplete: "off" })),
    select("from", "Trained by", Object.entries(ORIGINS), "all"),
    select("kind", "Kind", Object.entries(KINDS), "all"),
    select(
      "browser",
      "Where",
      [["native", "native"], ...same(options(OWN.map((row) => row.browser)))],
      "native and browsers",
    ),
    select("plan", "Plan", same(options(OWN.map((row) => row.plan))), "all"),
    check("verified", "verified only"),
    check("standard", "standard task only", ""),
  );
  byId("filters").addEventListener("input", show);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
}

function filtered() {
  const chosen = new FormData(byId("filters"));
  const words = chosen.get("words").toLowerCase().split(/\s+/).filter(Boolean);
  const browser = chosen.get("browser");
  return ROWS.filter(
    (row) =>
      (!chosen.get("from") || row.from === chosen.get("from")) &&
      (!chosen.get("kind") || row.kind === chosen.get("kind")) &&
      (!browser || (browser === "native" ? !row.browser : row.browser === browser)) &&
      (!chosen.get("plan") || (row.from === "gpubench" && row.plan === chosen.get("plan"))) &&
      (!chosen.get("verified") || row.verified) &&
      (!chosen.get("standard") || isStandard(row)) &&
      words.every((word) => row.words.includes(word)),
  );
}

// Each device's best row, or all rows of equal devices in the order of their times.
function board() {
  const rows = filtered();
  byId("count").textContent = `${rows.length.toLocaleString("en")} of ${ROWS.length.toLocaleString("en")} rows`;
  return boardTable("Shortest time first", rows);
}

function devices() {
  const found = new Map();
  for (const row of filtered()) {
    const seen = found.get(row.device);
    if (seen) seen.count += 1;
    else found.set(row.device, { count: 1, best: row });
  }
  byId("count").textContent = `${found.size.toLocaleString("en")} devices`;
  const line =
    ([device, { count, best }]) =>
    () =>
      make(
        "tr",
        {},
        make("th", { scope: "row", class: "words" }, make("a", { href: address("device", device) }, device)),
        make("td", { class: "words" }, KINDS[best.kind]),
        make("td", { class: "number" }, String(count)),
        make("td", { class: "number" }, digits(best.train_s)),
      );
  return table(
    "Devices by their shortest time",
    [
      ["device", "words"],
      ["kind", "words"],
      ["rows", "number"],
      ["best time [s]", "number"],
    ],
    [...found].map(line),
    SHOWN_AT_ONCE,
  );
}

// The times of a device over the dates of its runs; those of published figures are not known.
function history(rows) {
  const timed = rows.filter((row) => row.file && row.train_s !== undefined && !Number.isNaN(Date.parse(row.date)));
  if (timed.length < 2) return [];
  const [width, height, left, bottom] = [640, 200, 50, 24];
  const at = (value, [low, high], from, to) => from + (high > low ? (value - low) / (high - low) : 0.5) * (to - from);
  const range = (list) => [Math.min(...list), Math.max(...list)];
  const [dates, times] = [range(timed.map((row) => Date.parse(row.date))), range(timed.map((row) => row.train_s))];
  const svg = (tag, attributes, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  };
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    class: "history",
    role: "img",
    "aria-label": `Times of ${timed.length} runs over their dates, ${digits(times[0])} to ${digits(times[1])} s`,
  });
  drawing.append(
    svg("line", { x1: left, x2: width - 8, y1: height - bottom, y2: height - bottom }),
    svg("text", { x: 2, y: 16 }, `${digits(times[1])} s`),
    svg("text", { x: 2, y: height - bottom - 4 }, `${digits(times[0])} s`),
    svg("text", { x: left, y: height - 6 }, new Date(dates[0]).toISOString().slice(0, 10)),
    svg("text", { x: width - 8, y: height - 6, "text-anchor": "end" }, new Date(dates[1]).toISOString().slice(0, 10)),
    ...timed.map((row) =>
      svg("circle", {
        r: 4,
        class: row.from,
        cx: at(Date.parse(row.date), dates, left + 6, width - 14),
        cy: at(row.train_s, times, height - bottom - 10, 12),
      }),
    ),
  );
  return [drawing];
}

function device(name) {
  const rows = filtered().filter((row) => row.device === name);
  byId("title").textContent = name;
  const count = ([from, words]) => `${rows.filter((row) => row.from === from).length.toLocaleString("en")} ${words}`;
  byId("count").textContent = `With these filters: ${Object.entries(ORIGINS).map(count).join(", ")}`;
  return [...history(rows), ...boardTable("Rows of this device", rows)];
}

// Two rows side by side, and each kernel that both have.
function sideBySide(first, second, names) {
  const ratio = (one, other) => (one === undefined || other === undefined ? "n/a" : (other / one).toFixed(3));
  const line = (name, one, other) => () =>
    make(
      "tr",
      {},
      make("th", { scope: "row", class: "words" }, name),
      make("td", { class: "number" }, digits(one)),
      make("td", { class: "number" }, digits(other)),
      make("td", { class: "number" }, ratio(one, other)),
    );
  const kernels = new Map(second.kernels);
  const shared = first.kernels.filter(([name]) => kernels.has(name));
  const rows = [
    line("training [s]", first.train_s, second.train_s),
    line("test error [%]", first.error_pct, second.error_pct),
    ...shared.map(([name, us]) => line(`${name} [us]`, us, kernels.get(name))),
  ];
  const note = shared.length ? "" : "No kernel is in the profiles of both.";
  return [
    ...table(
      `${title(first)} against ${title(second)}`,
      [["figure", "words"], ...names.map((name) => [name, "number"]), ["ratio", "number"]],
      rows,
    ),
    make(
      "p",
      { class: "note" },
      note,
      " For a verdict with intervals download both: ",
      make("code", {}, `gpubench compare ${first.file} ${second.file}`),
    ),
  ];
}

function chooser(label, rows, chosen, picked) {
  const made = make(
    "select",
    {},
    ...rows.map((row) => make("option", { value: row.index, selected: row === chosen ? "" : undefined }, title(row))),
  );
  made.addEventListener("change", () => picked(made.value));
  return make("p", { class: "pick" }, make("label", {}, `${label} `, made));
}

function pair(view, [firsts, seconds], argument, names) {
  const [a, b] = (argument ?? "")
    .split(",")
    .map((text) => MEASURED.find((row) => text !== "" && row.index === Number(text)));
  const first = firsts.includes(a) ? a : firsts[0];
  const alike = seconds.find((row) => row !== first && row.device === first?.device);
  const second = seconds.includes(b) ? b : (alike ?? seconds.find((row) => row !== first));
  if (!first || !second) return undefined;
  const go = (one, other) => {
    location.hash = address(view, `${one},${other}`);
  };
  return [
    chooser(names[0], firsts, first, (index) => go(index, second.index)),
    chooser(names[1], seconds, second, (index) => go(first.index, index)),
    ...sideBySide(first, second, names),
  ];
}

function compare(argument) {
  const rows = filtered().filter((row) => row.file);
  byId("count").textContent =
    "Any two results with these filters; the ratio is the second's figure divided by the first's.";
  return (
    pair("compare", [rows, rows], argument, ["first", "second"]) ?? [
      make("p", { class: "missing" }, "n/a (fewer than two results)"),
    ]
  );
}

function tax(argument) {
  const rows = filtered().filter((row) => row.file && row.from === "gpubench");
  byId("count").textContent = "The same device natively and in a browser: ratios above 1 are what the browser costs.";
  const sides = [rows.filter((row) => !row.browser), rows.filter((row) => row.browser)];
  return (
    pair("tax", sides, argument, ["native", "browser"]) ?? [
      make("p", { class: "missing" }, "n/a (it takes a native result and one of a browser)"),
    ]
  );
}

function show() {
  const [view, argument] = location.hash
    .slice(1)
    .split("=")
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return "";
      }
    });
  byId("title").textContent = VIEWS[view] ?? "Leaderboard";
  const draw = { devices, device, compare, tax }[view] ?? board;
  byId("view").replaceChildren(...draw(argument));
  document.title = `gpubench: ${byId("title").textContent}`;
  for (const link of byId("views").querySelectorAll("a")) {
    const is = link.hash === `#${view}` || (!(view in VIEWS) && view !== "device" && link.hash === "#board");
    if (is) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

byId("views").append(
  ...Object.entries(VIEWS).map(([view, name]) => make("li", {}, make("a", { href: address(view) }, name))),
  ...(HAS_BENCHMARK ? [make("li", {}, make("a", { href: "benchmark/index.html" }, "Measure this device"))] : []),
);
filters();
addEventListener("hashchange", show);
show();
document.documentElement.dataset.ready = "";
