// The page: asks the worker, shows what it answers.

import { Comparison } from "./comparison.js";
import { $, copy, dropZone, field, number, withCode } from "./dom.js";
import { Drawing } from "./drawing.js";
import { Earlier } from "./earlier.js";
import { Engine } from "./engine.js";
import { Live } from "./live.js";
import { Results } from "./results.js";
import { readAddress, request, writeAddress } from "./settings.js";
import { documentIn, holdsResult } from "./share.js";
import { explainMissingWebGpu, explainRefusal, systemHint } from "./support.js";

/** Seconds without a word from the worker after which the page says so. */
const SILENCE_S = 60;
const HIDDEN = "the tab was hidden during the run: browsers slow hidden tabs down";
/** MNIST's numbers of images. */
const IMAGES = [60000, 10000];

const engine = new Engine();
const errors = [];
let seen = null; // what the worker found: version, adapters, limits
let given = [false, false, false, false]; // which of the four files
let running = null; // the run at hand
let wakeLock = null;

addEventListener("error", (event) => errors.push(event.message));
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason?.message ?? event.reason)));

const live = new Live();
const results = new Results(engine);
const earlier = new Earlier((linked) => open(linked, "An earlier result"));
const drawing = new Drawing($("canvas"), (pixels) => engine.ask("classify", { pixels }));
const comparison = new Comparison(engine, () => results.document);

function problem({ title, text, todo }) {
  $("problem-title").textContent = title;
  $("problem-text").textContent = text;
  $("problem-todo").replaceChildren(...withCode(todo));
  $("problem").classList.add("bad");
  $("problem").hidden = false;
  $("start").hidden = false;
  errors.push(`${title}: ${text}`);
}

function enable(enabled) {
  $("quick").disabled = $("standard").disabled = $("again").disabled = !enabled;
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
    enable(!running);
    return true;
  } catch (error) {
    banner.hidden = false;
    banner.textContent = error.message;
    enable(false);
    return false;
  }
}

// The device.

/** Makes the processor what trains, and says why. */
function fallBack(why) {
  problem(why);
  $("problem").classList.remove("bad");
  field("target").value = "cpu";
  $("quick").textContent = "Measure the processor instead";
  $("lead").textContent = "This page has no access to a graphics processor. The processor can train the same network, with the same check; the result is labelled as the processor's.";
  $("adapter").textContent = "This device's processor, one thread of WebAssembly";
}

async function look() {
  try {
    seen = await engine.ask("look", { device: $("device-name").value });
  } catch (error) {
    $("adapter").textContent = "The program could not be loaded.";
    problem({ title: "The program could not be loaded", text: error.message, todo: "Reload the page, or use a newer browser; “Copy diagnostics” below collects what a bug report needs." });
    return;
  }
  $("version").textContent = ` ${seen.version}`;
  $("parameters").textContent = number(seen.parameters);
  const missing = explainMissingWebGpu();
  const adapter = seen.adapters[0];
  if (missing) {
    fallBack(missing);
  } else if (!adapter) {
    fallBack({ title: "The browser has WebGPU, but no adapter", text: "It gives none of this machine's graphics processors to pages.", todo: systemHint() });
  } else {
    $("adapter").textContent = adapter.name;
    $("software").hidden = !adapter.software;
  }
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
    field("data").value = "files";
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

function runEvent(event) {
  if (!running) return;
  running.heard = performance.now();
  $("silence").hidden = true;
  if (event.partial) running.partial = event.partial;
  else if (event.trained) showTrained(event.trained);
  else if (event.figure) results.figure(event.figure);
  else if (event.phase && running.trained) results.second(event.phase);
  else if (event.phase) live.phase(event.phase);
  else if (event.progress) live.progress(event.progress);
  else if (event.losses) live.losses(event.losses);
  else if (event.digits) live.digits(event.digits);
  else if (event.guesses) live.guesses(event.guesses);
}

/** The first stage is done: its result takes the screen, and the second stage extends it. */
function showTrained(shown) {
  running.trained = shown;
  live.end();
  show(shown, "Result");
  results.beginSecond(running.click, running.quick);
}

async function keepAwake() {
  try {
    wakeLock = await navigator.wakeLock?.request("screen");
  } catch {
    // A browser that refuses may dim the screen; a hidden tab is noted in the result.
  }
}

async function start(quick) {
  const asked = request(quick);
  const digits = asked.data === "files" ? null : asked.digits;
  const click = performance.now();
  running = { heard: click, click, quick };
  enable(false);
  for (const id of ["start", "problem", "result", "draw"]) $(id).hidden = true;
  document.querySelectorAll(".tools details").forEach((details) => (details.open = false));
  $("tools").hidden = $("elsewhere").hidden = true;
  $("cancel").disabled = false;
  $("progress").hidden = false;
  const name = asked.target === "cpu" ? "the processor" : seen.adapters[0]?.name;
  $("progress-title").textContent = `Running on ${name}`;
  live.begin({ quick, batch: asked.batch ?? 128, testImages: digits ? Math.floor(digits / 6) : IMAGES[1] });
  scrollTo(0, 0);
  $("progress-title").focus({ preventScroll: true });
  keepAwake();
  try {
    if (asked.data === "files" && !given.every(Boolean)) await filesBeside();
    if (document.hidden) engine.tell("warn", { text: HIDDEN });
    const shown = await engine.ask("run", { request: asked, device: $("device-name").value }, [], runEvent);
    live.end();
    finish(shown);
  } catch (error) {
    await failed(error.message);
  } finally {
    running = null;
    results.endSecond();
    $("progress").hidden = true;
    $("tools").hidden = $("elsewhere").hidden = false;
    wakeLock?.release();
    wakeLock = null;
    enable(true);
  }
}

/** Shows the result of a run that ended. */
function finish(shown) {
  const extends_ = running.trained !== undefined;
  const { scrollY } = globalThis;
  show(shown, "Result");
  if (extends_) scrollTo(0, scrollY);
  $("draw").hidden = shown.stamp !== "";
  drawing.clear();
}

/** Shows what a worker that was ended had measured. */
async function failed(reason) {
  if (running.trained) {
    finish(running.trained);
    // The network went with the worker.
    $("draw").hidden = true;
    $("copied").textContent = `Peaks and profile are missing: ${reason}`;
  } else if (running.partial) {
    const partial = { ...running.partial, status: "partial", reasons: [reason] };
    finish(await engine.ask("show", { result: `${JSON.stringify(partial, null, 2)}\n` }));
  } else {
    problem(explainRefusal(reason));
  }
}

function show(shown, title) {
  const first = $("result").hidden;
  results.show(shown, title, seen.reportStyle);
  $("progress").hidden = true;
  $("start").hidden = true;
  // In a task of its own, so that the page does not stand still.
  if (running) setTimeout(() => earlier.add(JSON.parse(shown.result), shown.linked));
  if (first) {
    scrollTo(0, 0);
    $("result-title").focus({ preventScroll: true });
  }
}

document.addEventListener("visibilitychange", () => {
  if (!running) return;
  if (document.hidden) engine.tell("warn", { text: HIDDEN });
  else keepAwake();
});

setInterval(() => {
  if (!running) return;
  const silent = (performance.now() - running.heard) / 1e3;
  if (silent < SILENCE_S) return;
  $("silence").hidden = false;
  $("silence").textContent =
    `No word from the run for ${number(silent)} s. On a slow adapter that can be; Cancel ends it and keeps what there is.`;
}, 5000);

function cancel(event) {
  event.target.disabled = true;
  $(running.trained ? "second-text" : "phase").textContent = "Stopping …";
  engine.tell("stop");
  // A worker stuck in the driver never hears it: then it is ended, and what it last told is kept.
  const cancelled = running;
  setTimeout(() => {
    if (running && running === cancelled) engine.restart("cancelled; the worker did not answer and was ended");
  }, 20_000);
}

// Results from elsewhere.

/** Shows the document of a result. */
async function open(text, title) {
  if (running) return;
  try {
    const shown = await engine.ask("show", { result: text });
    $("problem").hidden = true;
    $("draw").hidden = true;
    show(shown, title);
  } catch (error) {
    refuse(error.message);
  }
}

function refuse(sentence) {
  problem({ title: "This link shows no result", text: sentence, todo: "You can measure this device here all the same." });
}

/** Opens the result in the address's fragment, if it claims to hold one. */
async function openLink() {
  if (!holdsResult(location.hash)) return false;
  try {
    await open(await documentIn(location.hash), "A result from a link");
  } catch (error) {
    refuse(error.message);
  }
  return true;
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

$("quick").addEventListener("click", () => start(true));
$("again").addEventListener("click", () => start(true));
$("standard").addEventListener("click", () => start(false));
$("cancel").addEventListener("click", cancel);
$("second-cancel").addEventListener("click", cancel);
$("clear").addEventListener("click", () => drawing.clear());
$("diagnostics").addEventListener("click", () => copy(diagnosticsText(), $("diagnosed")));
$("device-name").addEventListener("change", writeAddress);
document.querySelector(".fields").addEventListener("change", showDifferences);
addEventListener("hashchange", openLink);
dropZone($("drop"), $("pick"), takeFiles);
// What is dropped beside the zones would make the browser leave the page.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  if (event.defaultPrevented) return;
  event.preventDefault();
  const files = [...event.dataTransfer.files];
  if (running || files.length === 0) return;
  const areResults = files.every(({ name }) => name.endsWith(".json"));
  $(areResults ? "compare" : "data").open = true;
  if (areResults) comparison.take(files);
  else takeFiles(files);
});

const { address, problems } = readAddress();
await look();
if (seen) {
  const valid = await showDifferences();
  if (problems.length > 0) {
    problem({ title: "This address holds settings that cannot be used", text: problems.join(" "), todo: "They are left out." });
  }
  const opened = await openLink();
  if (valid && !opened && problems.length === 0 && address.get("autostart") === "1") {
    // Another site's link does not decide what this device computes.
    if (document.referrer !== "" && new URL(document.referrer).origin !== location.origin) {
      const todo = "Press the button to run with these settings.";
      problem({ title: "A link of another site asks for a run", text: "It has not begun.", todo });
    } else {
      start(address.get("quick") !== "0" && !address.has("epochs"));
    }
  }
}
