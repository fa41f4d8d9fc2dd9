// Earlier results in this browser's local storage. Where a browser refuses it, the page works without.

import { $, element, number } from "./dom.js";

const KEY = "gpubench.results";
const MOST = 20;

function stored() {
  try {
    const entries = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(entries) ? entries : [];
  } catch {
    return [];
  }
}

/** Whether the browser keeps anything. */
function isAllowed() {
  try {
    localStorage.setItem(`${KEY}.probe`, "1");
    localStorage.removeItem(`${KEY}.probe`);
    return true;
  } catch {
    return false;
  }
}

export class Earlier {
  #open;

  /** Shows earlier results; `open` takes the document of the one that the visitor wants to see. */
  constructor(open) {
    this.#open = open;
    $("history-erase").addEventListener("click", () => {
      try {
        localStorage.removeItem(KEY);
      } catch {
        // There is nothing to erase then.
      }
      this.show();
      $("history").querySelector("summary").focus();
    });
    this.show();
  }

  /** Adds `result`, in the place of an earlier state of the same run; `linked` is its document for a link. */
  add(result, linked) {
    const entry = {
      started: result.started_utc,
      device: result.environment.adapter.name,
      status: result.status,
      rate: typeof result.summary.images_per_s === "number" ? result.summary.images_per_s : null,
      linked,
    };
    const others = stored().filter(({ started }) => started !== entry.started);
    const entries = [entry, ...others].slice(0, MOST);
    // A full storage keeps fewer.
    while (entries.length > 0) {
      try {
        localStorage.setItem(KEY, JSON.stringify(entries));
        break;
      } catch {
        entries.pop();
      }
    }
    this.show();
  }

  /** Shows what is stored. */
  show() {
    const entries = stored();
    const row = ({ started, device, status, rate, linked }) => {
      const when = new Date(started).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
      const what = rate === null ? status : `${number(rate)} images/s${status === "complete" ? "" : `, ${status}`}`;
      const button = element("button", { type: "button", "aria-label": `Open the result of ${when}` }, "Open");
      button.addEventListener("click", () => this.#open(linked));
      return element("li", {}, element("span", {}, element("strong", {}, what), ` ${device}, ${when}`), button);
    };
    $("history-list").replaceChildren(...entries.map(row));
    $("history-count").textContent = entries.length ? ` (${entries.length})` : "";
    $("history-erase").hidden = entries.length === 0;
    $("history-text").textContent = isAllowed()
      ? `This browser keeps the last ${MOST} results, without samples; nobody else sees them.`
      : "This browser refuses to keep anything for this page: download a result to keep it.";
  }
}
