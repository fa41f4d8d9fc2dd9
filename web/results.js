// A result on the page: the report, what can be done with it, and the second stage that extends it.

import { $, copy, duration, number, offerFile } from "./dom.js";
import { drawCode, linkTo, scannedLinkTo } from "./share.js";

/** Seconds after the click at which a quick run ends, about. */
const QUICK_S = 42;
/** Steps that a profile runs, about. */
const PROFILE_STEPS = 50;
/** Seconds of the peaks of a device that is not too slow for them. */
const PEAKS_S = 12;

export class Results {
  #engine;
  #shown = null;
  #style = null;
  #second = null;

  constructor(engine) {
    this.#engine = engine;
    $("markdown").addEventListener("click", () => copy(this.#shown.markdown, $("copied")));
    $("share").addEventListener("click", () => this.#share());
    $("link-copy").addEventListener("click", () => copy($("link-url").value, $("link-text")));
  }

  /** The document that is shown, or null. */
  get document() {
    return this.#shown?.result ?? null;
  }

  /** Shows what the module made of a result, with its style sheet for reports; `title` is the heading. */
  show(shown, title, style) {
    this.#shown = shown;
    this.#style ??= new CSSStyleSheet();
    this.#style.replaceSync(style.replaceAll(":root", ":host"));
    const host = $("report");
    // A tree of its own, so that its style sheet and the page's do not meet.
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [this.#style];
    root.innerHTML = shown.report;
    const name = `gpubench-${JSON.parse(shown.result).started_utc.replace(/[:.]/g, "")}`;
    offerFile($("download"), `${name}.json`, "application/json", shown.result);
    offerFile($("csv"), `${name}.csv`, "text/csv", shown.csv);
    $("result-title").textContent = shown.stamp ? `${title}: ${shown.stamp}` : title;
    $("copied").textContent = "";
    $("link").hidden = true;
    $("result").hidden = false;
  }

  async #share() {
    const { linked, scanned } = this.#shown;
    const address = await linkTo(linked);
    $("link-url").value = address;
    const most = number(address.length);
    $("link-text").textContent = `The result itself is in this address, ${most} characters, without its samples. Nothing is sent anywhere.`;
    $("link").hidden = false;
    $("link-url").select();
    const code = await this.#code([linked, scanned]);
    if (!code) {
      $("link-code").replaceChildren("This result is too large for a QR code.");
      return;
    }
    const holds = code.text === linked ? "" : " It holds the figures of the training, not the profile.";
    const hint = document.createElement("p");
    hint.className = "hint";
    const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
    hint.textContent = `For a phone's camera.${holds}${local ? " It leads to this machine only, where this page is served." : ""}`;
    $("link-code").replaceChildren(drawCode(code), hint);
  }

  /** The QR code of the first of `texts` that fits into one, with that text; null if none does. */
  async #code(texts) {
    for (const text of texts) {
      try {
        return { text, ...(await this.#engine.ask("code", { text: await scannedLinkTo(text) })) };
      } catch {
        // Too long: the next is shorter.
      }
    }
    return null;
  }

  /** Shows that peaks and profile follow in a run that began at `click` and may be quick. */
  beginSecond(click, quick) {
    const { phases, repeats } = JSON.parse(this.#shown.result);
    const last = repeats.at(-1);
    const stepS = last.train_s / last.samples.reduce((sum, [, , steps]) => sum + steps, 0);
    const profileS = phases.device_s + phases.compile_s + PROFILE_STEPS * stepS;
    this.#second = { start: performance.now(), end: quick ? click + 1e3 * QUICK_S : Infinity, figures: 0, profileS };
    $("second").hidden = false;
    $("second-bar").value = 0;
    $("second-cancel").disabled = false;
    $("second-text").textContent = "The training is done. Now: what this adapter reaches at best …";
    this.#second.timer = setInterval(() => this.#tick(), 250);
  }

  /** The phase of the second stage. */
  second(phase) {
    if (phase === "profile") {
      this.#second.profileStart = performance.now();
      $("second-text").textContent = "Last: the time of each kernel …";
    }
  }

  /** The figure that is measured next. */
  figure({ done, of, name }) {
    this.#second.figures = done / of;
    $("second-text").textContent = `The training is done. Now: what this adapter reaches at best, ${name} …`;
  }

  /** Seconds that are left: by the share of the figures that are measured, at most what a quick run gives them. */
  #leftS() {
    const { start, end, figures, profileS, profileStart } = this.#second;
    const now = performance.now();
    const elapsed = (now - start) / 1e3;
    const peaks = figures > 0.1 ? elapsed / figures - elapsed : PEAKS_S;
    const left = profileStart ? profileS - (now - profileStart) / 1e3 : peaks + profileS;
    return Math.max(0.3, Math.min(left, (end - now) / 1e3));
  }

  #tick() {
    const elapsed = (performance.now() - this.#second.start) / 1e3;
    const left = this.#leftS();
    $("second-bar").value = Math.max($("second-bar").value, Math.min(0.99, elapsed / (elapsed + left)));
    $("second-bar").title = `about ${duration(left)} left`;
  }

  /** Ends the second stage. */
  endSecond() {
    clearInterval(this.#second?.timer);
    this.#second = null;
    $("second-bar").value = 1;
    $("second").hidden = true;
  }
}
