// The page: asks the worker, shows what it answers.

import { Engine } from "./engine.js";
import { explainMissingWebGpu, explainRefusal, systemHint } from "./support.js";
import { Drawing } from "./drawing.js";

const $ = (id) => document.getElementById(id);
const FIELDS = ["epochs", "batch", "steps", "seed", "repeat", "dropout", "digits", "profile_steps"];
const PROFILED_STEPS = 20;
/** Seconds without a word from the worker after which the page says so. */
const SILENCE_S = 60;

const engine = new Engine();
const errors = [];
let seen = null; // what the worker found: version, adapters, limits
let given = [false, false, false, false]; // which of the four files
let running = null; // the run at hand
let lastResult = null; // JSON text

addEventListener("error", (event) => errors.push(event.message));
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason?.message ?? event.reason)));

const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** `text` as nodes, with flags and addresses set as code. */
function withCode(text) {
  return text.split(/((?:--|chrome:\/\/|#enable)[\w#/=-]+)/).map((part, place) => {
    if (place % 2 === 0) return part;
    const code = document.createElement("code");
    code.className = part.startsWith("--") ? "flag" : "";
    code.textContent = part;
    return code;
  });
}

function problem({ title, text, todo }) {
  $("problem-title").textContent = title;
  $("problem-text").textContent = text;
  $("problem-todo").replaceChildren(...withCode(todo));
  $("problem").hidden = false;
  errors.push(`${title}: ${text}`);
}

// Settings: fields, address and request say the same.

function readAddress() {
  const address = new URLSearchParams(location.search);
  for (const name of FIELDS) {
    const field = document.querySelector(`[name=${name}]`);
    if (address.has(name)) field.value = address.get(name);
  }
  if (address.has("data")) document.querySelector("[name=data]").value = address.get("data");
  if (address.has("device")) $("device-name").value = address.get("device");
  return address;
}

function writeAddress() {
  const address = new URLSearchParams(location.search);
  for (const name of [...FIELDS, "data"]) {
    const { value } = document.querySelector(`[name=${name}]`);
    if (value && !(name === "data" && value === "synthetic")) address.set(name, value);
    else address.delete(name);
  }
  const device = $("device-name").value.trim();
  if (device) address.set("device", device);
  else address.delete("device");
  address.delete("autostart");
  const text = address.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

function request(quick) {
  const asked = { quick, data: document.querySelector("[name=data]").value };
  for (const name of FIELDS) {
    const { value } = document.querySelector(`[name=${name}]`);
    if (value !== "") asked[name] = Number(value);
  }
  asked.profile_steps ??= PROFILED_STEPS;
  if (asked.profile_steps === 0) delete asked.profile_steps;
  return asked;
}

async function showDifferences() {
  writeAddress();
  const banner = $("non-standard");
  try {
    const differences = await engine.ask("differences", { request: request(false) });
    const data = differences.filter((phrase) => phrase.startsWith("synthetic"));
    const others = differences.filter((phrase) => !phrase.startsWith("synthetic"));
    banner.hidden = others.length === 0;
    banner.textContent = `Not the benchmark's own settings: ${[...others, ...data].join("; ")}. The result will be marked non-standard.`;
  } catch (error) {
    banner.hidden = false;
    banner.textContent = error.message;
  }
}

// The device.

async function look() {
  const missing = explainMissingWebGpu();
  if (missing) {
    $("adapter").textContent = "No adapter: this browser offers no WebGPU here.";
    problem(missing);
    return;
  }
  try {
    seen = await engine.ask("look", { device: $("device-name").value });
  } catch (error) {
    $("adapter").textContent = "The program could not be loaded.";
    problem({ title: "The program could not be loaded", text: error.message, todo: "Reload the page; if that does not help, copy the diagnostics below." });
    return;
  }
  $("version").textContent = ` ${seen.version}`;
  $("parameters").textContent = number(seen.parameters);
  const adapter = seen.adapters[0];
  if (!adapter) {
    $("adapter").textContent = "No adapter was found.";
    problem({ title: "The browser has WebGPU, but no adapter", text: "It gives none of this machine's graphics processors to pages.", todo: systemHint() });
    return;
  }
  const timestamps = adapter.timestamps === "unsupported" ? "no timestamps" : `timestamps at ${adapter.timestamps.replaceAll("_", " ")}`;
  $("adapter").textContent = `${adapter.name}, ${timestamps}; the browser's clock ticks every ${number(seen.told.clock_step_ns / 1e3)} us`;
  $("software").hidden = !adapter.software;
  $("quick").disabled = false;
  $("standard").disabled = false;
}

// Data files.

async function takeFiles(files) {
  for (const file of files) {
    const index = seen?.fileNames.findIndex((names) => names.includes(file.name)) ?? -1;
    if (index < 0) {
      $("files").textContent = `${file.name} is none of MNIST's files: ${seen?.fileNames.map((names) => names[0]).join(", ")}`;
      continue;
    }
    try {
      const bytes = await file.arrayBuffer();
      await engine.ask("file", { index, name: file.name, bytes }, [bytes]);
      given[index] = true;
      $("files").textContent = `${file.name} is sound; ${given.filter(Boolean).length} of 4 files`;
    } catch (error) {
      given[index] = false;
      $("files").textContent = error.message;
      return;
    }
  }
  if (given.every(Boolean)) {
    document.querySelector("[name=data]").value = "files";
    $("files").textContent = "All four files are sound: runs train on them.";
    await showDifferences();
  }
}

/** Looks for the four files beside the page. */
async function filesBeside() {
  for (const [index, names] of seen.fileNames.entries()) {
    for (const name of names.slice(0, 2)) {
      const response = await fetch(`data/${name}`).catch(() => null);
      if (!response?.ok) continue;
      const bytes = await response.arrayBuffer();
      await engine.ask("file", { index, name: `data/${name}`, bytes }, [bytes]);
      given[index] = true;
      break;
    }
  }
  if (!given.every(Boolean)) throw new Error("the folder data/ beside this page lacks some of MNIST's four files: drop them here, or choose synthetic digits");
}

// A run.

const PHASES = {
  peaks: "Measuring what this adapter reaches at best",
  data: "Getting the digits",
  device: "Opening the device",
  compile: "Compiling shaders",
  check: "Checking every kernel against the reference",
  "warm up": "Warming up",
  train: "Training",
  evaluate: "Testing on digits it has not seen",
  profile: "Timing each kernel",
};

function progressEvent(text) {
  const event = JSON.parse(text);
  running.heard = performance.now();
  $("silence").hidden = true;
  if (event.phase) {
    running.phase = event.phase;
    if (event.phase === "train") running.trainStart = performance.now();
    if (event.phase === "evaluate" || event.phase === "profile") $("numbers").textContent = "";
    $("phase").textContent = `${PHASES[event.phase] ?? event.phase} …`;
  } else if (event.progress) {
    showProgress(event.progress);
  } else if (event.epoch) {
    drawCurve(event.epoch.loss_curve);
  } else if (event.partial) {
    running.partial = event.partial;
  }
}

function showProgress({ repeat, epoch, step, images_per_s: rate }) {
  if (running.phase === "evaluate") {
    running.phase = "train";
    $("phase").textContent = `${PHASES.train} …`;
  }
  running.rate = running.rate ? 0.8 * running.rate + 0.2 * rate : rate;
  const [done, all] = ([running.step, running.steps] = step);
  $("bar").value = done / all;
  const left = ((all - done) * running.batch) / running.rate;
  const training = repeat[1] > 1 ? `training ${repeat[0]} of ${repeat[1]}, ` : "";
  const eta = running.quick ? Math.min(left, Math.max(0, 30 - (performance.now() - running.trainStart) / 1e3)) : left;
  $("numbers").textContent =
    `${training}epoch ${epoch[0]} of ${epoch[1]}, step ${number(done)} of ${number(all)}, ${number(running.rate)} images/s, about ${duration(eta)} left`;
}

function duration(seconds) {
  if (seconds < 120) return `${number(seconds)} s`;
  return seconds < 7200 ? `${number(seconds / 60)} min` : `${number(seconds / 3600, 1)} h`;
}

/** Adds the losses of an epoch, or of the part of one that was done, each at its step. */
function drawCurve(losses) {
  if (running.step <= running.drawn) [running.curve, running.drawn] = [[], 0];
  const step = (part) => running.drawn + ((part + 0.5) / losses.length) * (running.step - running.drawn);
  running.curve.push(...losses.map((loss, part) => [step(part), loss]));
  running.drawn = running.step;
  const top = Math.max(...running.curve.map(([, loss]) => loss), 0.1);
  const point = ([step, loss]) => `${34 + (278 * step) / running.steps},${104 - (92 * loss) / top}`;
  $("curve-line").setAttribute("points", running.curve.map(point).join(" "));
  $("curve-top").textContent = top.toFixed(1);
  $("curve-steps").textContent = `step ${number(running.steps)}`;
  $("curve").hidden = running.curve.length === 0;
}

async function start(quick) {
  const asked = request(quick);
  const now = performance.now();
  running = { quick, batch: asked.batch ?? 128, rate: 0, heard: now, trainStart: now };
  Object.assign(running, { curve: [], drawn: 0, step: 0, steps: 1 });
  $("quick").disabled = $("standard").disabled = true;
  $("cancel").disabled = false;
  $("problem").hidden = true;
  $("result").hidden = true;
  $("curve").hidden = true;
  $("bar").value = 0;
  $("numbers").textContent = "";
  $("progress").hidden = false;
  $("progress-title").focus();
  try {
    if (asked.data === "files" && !given.every(Boolean)) await filesBeside();
    if (document.hidden) engine.tell("warn", { text: HIDDEN });
    show(await engine.ask("run", { request: asked, device: $("device-name").value }, [], progressEvent));
  } catch (error) {
    if (running.partial) await showPartial(error.message);
    else problem(explainRefusal(error.message));
  } finally {
    running = null;
    $("progress").hidden = true;
    $("quick").disabled = false;
    $("standard").disabled = false;
  }
}

/** Shows what a worker that was ended had measured. */
async function showPartial(reason) {
  const partial = running.partial;
  partial.status = "partial";
  partial.reasons = [reason];
  const result = `${JSON.stringify(partial, null, 2)}\n`;
  show({ result, ...(await engine.ask("show", { result })) });
}

function show({ result, stamp, markdown, report }) {
  lastResult = result;
  showReport(report);
  $("result-title").textContent = stamp ? `Result: ${stamp}` : "Result";
  const link = $("download");
  if (link.href) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([result], { type: "application/json" }));
  link.download = `gpubench-${JSON.parse(result).started_utc.replace(/[:.]/g, "")}.json`;
  $("markdown").onclick = () => copy(markdown, $("copied"));
  $("result").hidden = false;
  $("compare").hidden = false;
  $("draw").hidden = stamp !== "";
  $("to-draw").hidden = stamp !== "";
  $("result-title").focus();
  drawing.clear();
}

/** Puts the report into a tree of its own, so that its style sheet and the page's do not meet. */
function showReport(report) {
  const host = $("report");
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const style = new CSSStyleSheet();
  style.replaceSync(seen.reportStyle.replaceAll(":root", ":host"));
  root.adoptedStyleSheets = [style];
  root.innerHTML = report;
}

async function copy(text, status) {
  try {
    await navigator.clipboard.writeText(text);
    status.textContent = "Copied.";
  } catch {
    status.textContent = "This browser does not let pages copy: select the text below instead.";
    const shown = document.createElement("pre");
    shown.textContent = text;
    status.append(shown);
  }
}

const HIDDEN = "the tab was hidden during the run: browsers slow hidden tabs down";
document.addEventListener("visibilitychange", () => {
  if (running && document.hidden) engine.tell("warn", { text: HIDDEN });
});

setInterval(() => {
  if (!running) return;
  const silent = (performance.now() - running.heard) / 1e3;
  if (silent < SILENCE_S) return;
  $("silence").hidden = false;
  $("silence").textContent =
    `No word from the run for ${number(silent)} s. On a slow adapter that can be; Cancel ends it and keeps what there is.`;
}, 5000);

$("cancel").addEventListener("click", () => {
  $("phase").textContent = "Stopping …";
  $("cancel").disabled = true;
  engine.tell("stop");
  // A worker stuck in the driver never hears it: then it is ended, and what it last told is kept.
  const cancelled = running;
  setTimeout(() => {
    if (running && running === cancelled) engine.restart("cancelled; the worker did not answer and was ended");
  }, 20_000);
});

// Comparing, diagnostics.

async function compareWith(file) {
  const shown = $("comparison");
  shown.hidden = false;
  try {
    shown.textContent = await engine.ask("compare", { first: lastResult, second: await file.text() });
  } catch (error) {
    shown.textContent = `${file.name}: ${error.message}`;
  }
}

function diagnosticsText() {
  const list = (values) => values.map((value) => `- ${value}`).join("\n");
  const limits = seen?.offered ? Object.entries(seen.offered.limits).map(([name, value]) => `${name}: ${value}`) : ["unknown"];
  return [
    `# gpubench ${seen?.version ?? "(not loaded)"}: diagnostics`,
    list([
      `user agent: ${navigator.userAgent}`,
      `secure context: ${isSecureContext}, cross-origin isolated: ${globalThis.crossOriginIsolated === true}`,
      `WebGPU: ${"gpu" in navigator}`,
      `adapter: ${seen?.adapters[0]?.name ?? "none"} (${seen?.told.vendor ?? "?"}, ${seen?.told.architecture ?? "?"})`,
      `clock step: ${seen?.told.clock_step_ns ?? "unknown"} ns`,
    ]),
    `## Features\n\n${list(seen?.offered?.features ?? ["unknown"])}`,
    `## Limits\n\n${list(limits)}`,
    `## Errors\n\n${list(errors.length ? errors : ["none"])}`,
  ].join("\n\n");
}

function dropZone(zone, pick, take) {
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
  pick.addEventListener("change", () => take([...pick.files]));
}

const drawing = new Drawing($("canvas"), (pixels) => engine.ask("classify", { pixels }));

$("quick").addEventListener("click", () => start(true));
$("standard").addEventListener("click", () => start(false));
$("clear").addEventListener("click", () => drawing.clear());
$("diagnostics").addEventListener("click", () => copy(diagnosticsText(), $("diagnosed")));
$("device-name").addEventListener("change", writeAddress);
document.querySelector(".fields").addEventListener("change", showDifferences);
dropZone($("drop"), $("pick"), takeFiles);
dropZone($("drop-result"), $("pick-result"), ([file]) => file && compareWith(file));

const address = readAddress();
await look();
if (seen?.adapters.length) {
  await showDifferences();
  if (address.get("autostart") === "1") start(address.get("quick") !== "0" && !address.has("epochs"));
}
