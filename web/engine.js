// The worker as something to ask.

export class Engine {
  #worker;
  #waiting = new Map();
  #next = 1;
  #onEvent = null;

  constructor() {
    this.#begin();
  }

  #begin() {
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.addEventListener("message", ({ data }) => this.#hear(data));
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#fail(`the worker failed: ${event.message || "it could not be loaded"}`);
    });
  }

  #hear({ id, value, error, event }) {
    if (event !== undefined) {
      this.#onEvent?.(event);
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }

  #fail(reason) {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new Error(reason));
  }

  /** Asks the worker to make `call`; resolves with its value, rejects with its error. Events on the way go to `onEvent`. */
  ask(call, values = {}, transfer = [], onEvent = null) {
    if (onEvent) this.#onEvent = onEvent;
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call, ...values }, transfer);
    });
  }

  /** As `ask`, for what needs no answer. */
  tell(call, values = {}) {
    this.ask(call, values).catch(() => {});
  }

  /** Ends the worker and begins another; everything that was asked is rejected with `reason`. */
  restart(reason) {
    this.#worker.terminate();
    this.#begin();
    this.#fail(reason);
  }
}
