// What is shown while a run is under way: images/s, time, training loss, and digits that the network learns.

import { $, duration, element, number, svg } from "./dom.js";

const SIDE = 28;
/** Seconds that a run takes before its training, as long as nothing is known. */
const BEFORE_S = 6;
/** Seconds after the start at which a quick run has tested its network, at the latest. */
const QUICK_S = 26;
/** The time to test an image as a share of the time to train on it. */
const TEST_SHARE = 0.4;
/** Where the drawing of the loss begins and ends. */
const PLOT = { left: 30, right: 312, top: 8, bottom: 130 };

const PHASES = {
  data: "Drawing the digits",
  device: "Opening the device",
  compile: "Compiling shaders",
  check: "Checking every kernel against the reference",
  "warm up": "Warming up",
  train: "Training",
  evaluate: "Testing on digits it has not seen",
};

export class Live {
  #start = 0;
  #run = null;
  #timer = 0;

  /** Begins to show a run; `plan` tells whether it is quick, its batch and its numbers of images. */
  begin(plan) {
    this.#start = performance.now();
    this.#run = { ...plan, rate: 0, step: 0, steps: 1, repeat: [1, 1], phase: "", losses: [], tiles: [], labels: [] };
    $("bar").value = 0;
    $("rate").textContent = "–";
    $("phase").textContent = "Starting …";
    $("numbers").textContent = "";
    $("curve").hidden = $("digits").hidden = true;
    this.#timer = setInterval(() => this.#tick(), 250);
  }

  /** Ends it, with the bar at its end. */
  end() {
    clearInterval(this.#timer);
    $("bar").value = 1;
  }

  /** Whether anything was trained yet. */
  get hasTrained() {
    return this.#run?.rate > 0;
  }

  phase(name) {
    const run = this.#run;
    run.phase = name;
    run.phaseStart = performance.now();
    $("phase").textContent = `${PHASES[name] ?? name} …`;
  }

  progress({ repeat, epoch, step, images_per_s: rate }) {
    const run = this.#run;
    if (run.phase === "evaluate") this.phase("train");
    run.rate = run.rate ? 0.8 * run.rate + 0.2 * rate : rate;
    [run.step, run.steps] = step;
    run.repeat = repeat;
    $("rate").textContent = number(run.rate);
    const training = repeat[1] > 1 ? `training ${repeat[0]} of ${repeat[1]}, ` : "";
    const epochs = epoch[1] > 1 ? `epoch ${epoch[0]} of ${epoch[1]}, ` : "";
    run.words = `${training}${epochs}step ${number(step[0])} of ${number(step[1])}`;
    if (performance.now() - (run.shown ?? 0) > 200) this.#tick();
  }

  /** Seconds from now to the result, as far as can be told. */
  #leftS() {
    const run = this.#run;
    const elapsed = (performance.now() - this.#start) / 1e3;
    if (!run.rate) return Math.max(1, (run.quick ? QUICK_S : 3 * QUICK_S) - elapsed, BEFORE_S - elapsed);
    const testing = (TEST_SHARE * run.testImages) / run.rate;
    if (run.phase === "evaluate") return Math.max(0.2, testing - (performance.now() - run.phaseStart) / 1e3);
    const trainings = run.repeat[1] - run.repeat[0];
    const images = (run.steps - run.step + trainings * run.steps) * run.batch;
    const left = images / run.rate + testing;
    return run.quick ? Math.min(left, Math.max(0.5, QUICK_S - elapsed)) : left;
  }

  #tick() {
    const run = this.#run;
    run.shown = performance.now();
    const elapsed = (run.shown - this.#start) / 1e3;
    const left = this.#leftS();
    $("bar").value = Math.max($("bar").value, Math.min(0.99, elapsed / (elapsed + left)));
    const words = run.phase === "train" && run.words ? `${run.words}, ` : "";
    $("numbers").textContent = `${words}about ${duration(left)} left`;
  }

  /** The losses of successive equal parts of `steps` steps from `first` on: an epoch, or what was done of it. */
  losses({ first_step: first, steps, losses }) {
    const run = this.#run;
    run.losses = run.losses.filter(([step]) => step < first);
    run.losses.push(...losses.map((loss, part) => [first + ((part + 0.5) / losses.length) * steps, loss]));
    const most = Math.max(run.steps, first + steps);
    const top = Math.max(...run.losses.map(([, loss]) => loss).filter(Number.isFinite), 0.1);
    const x = (step) => PLOT.left + ((PLOT.right - PLOT.left) * step) / most;
    const y = (loss) => PLOT.bottom - ((PLOT.bottom - PLOT.top) * loss) / top;
    const points = run.losses.filter(([, loss]) => Number.isFinite(loss));
    $("curve-line").setAttribute("points", points.map(([step, loss]) => `${x(step)},${y(loss)}`).join(" "));
    $("curve-grid").replaceChildren(...ticks(top).flatMap((loss) => [
      svg("line", { x1: PLOT.left, x2: PLOT.right, y1: y(loss), y2: y(loss) }),
      svg("text", { class: "y", x: PLOT.left - 5, y: y(loss) + 3 }, String(loss)),
    ]), ...ticks(most).filter((step) => x(step) < PLOT.right - 35).map((step) =>
      svg("text", { class: "x", x: x(step), y: 147 }, number(step))));
    $("curve").hidden = false;
  }

  /** Digits that the network is asked about while it learns. */
  digits({ pixels, labels }) {
    const run = this.#run;
    run.labels = labels;
    run.tiles = labels.map((_, index) => {
      const canvas = element("canvas", { width: SIDE, height: SIDE });
      const image = new ImageData(SIDE, SIDE);
      for (let place = 0; place < SIDE * SIDE; place++) {
        const grey = pixels[index * SIDE * SIDE + place];
        image.data.set([grey, grey, grey, 255], 4 * place);
      }
      canvas.getContext("2d").putImageData(image, 0, 0);
      return element("div", { className: "tile" }, canvas, element("span", {}, ""));
    });
    $("digits-tiles").replaceChildren(...run.tiles);
  }

  /** What the network takes them for after `step` steps; `null` at its end. */
  guesses({ step, digits: { classes } }) {
    const run = this.#run;
    const right = classes.filter((digit, index) => digit === run.labels[index]).length;
    classes.forEach((digit, index) => {
      const isRight = digit === run.labels[index];
      run.tiles[index].classList.toggle("right", isRight);
      run.tiles[index].lastChild.textContent = `${digit} ${isRight ? "✓" : "✗"}`;
    });
    const when = step === 0 ? "before the first step" : step === null ? "at the end" : `after ${number(step)} steps`;
    const words = `${right} of ${classes.length} test digits read right ${when}`;
    $("digits-text").textContent = words;
    $("digits-tiles").setAttribute("aria-label", words);
    $("digits").hidden = false;
  }
}

/** Round numbers from 0 to `most`, about four. */
function ticks(most) {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => Number((index * step).toPrecision(3)));
}
