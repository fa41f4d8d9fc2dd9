// Two results side by side.

import { $, element, number, threeDigits, dropZone } from "./dom.js";

const isMissing = (value) => typeof value === "object" && value !== null;

/** A figure, or a dash with its reason. */
function shown(value, format) {
  if (!isMissing(value)) return format(value);
  return element("span", { className: "na", title: value.missing }, "n/a");
}

export class Comparison {
  #engine;
  #current;
  #first = null;

  /** Compares dropped files with each other or with what `current` returns, the document that is shown or null. */
  constructor(engine, current) {
    this.#engine = engine;
    this.#current = current;
    dropZone($("drop-result"), $("pick-result"), (files) => this.take(files));
  }

  /** Compares result files, or keeps one until there is another. */
  async take(files) {
    if (files.length === 0) return;
    try {
      const documents = await Promise.all(files.slice(0, 2).map((file) => this.#read(file)));
      if (documents.length === 2) {
        await this.#compare(documents[0], documents[1]);
      } else if (this.#first ?? this.#current()) {
        await this.#compare(this.#first ?? this.#current(), documents[0]);
      } else {
        this.#first = documents[0];
        $("compare-text").textContent = `${files[0].name} is the first; now drop the second result.`;
        return;
      }
      this.#first = null;
      $("compare-text").textContent = "Drop two other result files, or one, to compare again.";
    } catch (error) {
      $("comparison").hidden = true;
      $("compare-text").textContent = error.message;
    }
  }

  /** The text of a file that is a result. */
  async #read(file) {
    const text = await file.text();
    try {
      await this.#engine.ask("read", { result: text });
    } catch (error) {
      throw new Error(`${file.name}: ${error.message}`);
    }
    return text;
  }

  async #compare(first, second) {
    const { sides, rows, differences } = await this.#engine.ask("compare", { first, second });
    const shownSides = sides.map((side, place) => {
      const stamps = side.stamps.length ? ` (${side.stamps.join(", ")})` : "";
      const when = side.started_utc.slice(0, 16).replace("T", " ");
      return element("li", {}, element("strong", {}, "AB"[place]), ` ${side.device}, ${side.backend}, ${when}${stamps}`);
    });
    const remarks = [...new Set(rows.map(({ remark }) => remark).filter(Boolean))];
    $("comparison").replaceChildren(
      element("ul", { className: "sides" }, ...shownSides),
      this.#figures(rows, remarks),
      ...remarks.map((remark, place) => element("p", { className: "hint" }, `${place + 1}) ${remark}`)),
      this.#differing(differences),
    );
    $("comparison").hidden = false;
    $("comparison").focus();
  }

  #figures(rows, remarks) {
    const heading = (text) => element("th", { scope: "col" }, text);
    const row = ({ name, unit, first, second, ratio, remark, verdict, reason }) => {
      const cell = (value) => element("td", {}, shown(value, threeDigits));
      const times = shown(ratio, (value) => number(value, 2));
      const note = remark && !isMissing(ratio) ? [element("sup", {}, `${remarks.indexOf(remark) + 1})`)] : [];
      const head = element("th", { scope: "row" }, `${name} [${unit}]`);
      const judged = element("td", { title: reason }, shown(verdict, (word) => word));
      return element("tr", {}, head, cell(first), cell(second), element("td", {}, times, ...note), judged);
    };
    return element(
      "table", {},
      element("caption", {}, "Figures of both"),
      element("thead", {}, element("tr", {}, ...["figure", "A", "B", "B / A", "verdict"].map(heading))),
      element("tbody", {}, ...rows.map(row)),
    );
  }

  #differing(differences) {
    if (differences.length === 0) return element("p", {}, "Nothing else differs.");
    const row = ({ name, work, first, second }) => element(
      "tr", {},
      element("th", { scope: "row" }, name, ...(work ? [" ", element("strong", {}, "(other work)")] : [])),
      element("td", {}, first), element("td", {}, second),
    );
    return element(
      "details", {},
      element("summary", {}, `What else differs (${differences.length})`),
      element(
        "table", { className: "words" },
        element("thead", {}, element("tr", {}, ...["what", "A", "B"].map((text) => element("th", { scope: "col" }, text)))),
        element("tbody", {}, ...differences.map(row)),
      ),
    );
  }
}
