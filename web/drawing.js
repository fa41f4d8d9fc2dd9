// A canvas to draw a digit on, and what the network makes of it.

const SIDE = 28;
const CHANNELS = 32;
const MAP = 25;
const SHOWN = 8;

export class Drawing {
  #canvas;
  #context;
  #classify;
  #pen = null;
  #key = { x: 140, y: 60, down: false };
  #asked = false;
  #again = false;

  /** Draws on `canvas`; `classify` takes 28 x 28 grey values and resolves with ten probabilities and conv1's outputs. */
  constructor(canvas, classify) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
    this.#classify = classify;
    const bars = document.getElementById("bars");
    for (let digit = 0; digit < 10; digit++) {
      const row = document.createElement("li");
      row.innerHTML = `<meter min="0" max="1" value="0" aria-label="Probability of ${digit}"></meter> <span>0 %</span>`;
      bars.append(row);
    }
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#pen = this.#place(event);
      this.#line(this.#pen, this.#pen);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.#pen) return;
      const to = this.#place(event);
      this.#line(this.#pen, to);
      this.#pen = to;
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (this.#pen = null));
    canvas.addEventListener("keydown", (event) => this.#press(event));
    this.#blank();
  }

  #place(event) {
    const box = this.#canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) * this.#canvas.width) / box.width,
      y: ((event.clientY - box.top) * this.#canvas.height) / box.height,
    };
  }

  #press(event) {
    const moves = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] };
    if (event.key === " ") {
      this.#key.down = !this.#key.down;
      if (this.#key.down) this.#line(this.#key, this.#key);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else if (moves[event.key]) {
      const [x, y] = moves[event.key];
      const inside = (value) => Math.min(270, Math.max(10, value));
      const to = { ...this.#key, x: inside(this.#key.x + x), y: inside(this.#key.y + y) };
      if (this.#key.down) this.#line(this.#key, to);
      this.#key = to;
    } else {
      return;
    }
    event.preventDefault();
  }

  #line(from, to) {
    const context = this.#context;
    context.strokeStyle = "white";
    context.lineWidth = 22;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.01, to.y);
    context.stroke();
    this.#look();
  }

  #blank() {
    this.#context.fillStyle = "black";
    this.#context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  /** Wipes the canvas. */
  clear() {
    this.#blank();
    document.getElementById("guess").textContent = "Nothing drawn yet.";
    for (const row of document.getElementById("bars").children) {
      row.querySelector("meter").value = 0;
      row.querySelector("span").textContent = "0 %";
    }
    const seen = document.getElementById("conv1");
    seen.getContext("2d").clearRect(0, 0, seen.width, seen.height);
  }

  /** The drawing as MNIST has its digits: 20 pixels at most, the centre of mass in the middle of 28 x 28. */
  #pixels() {
    const { width, height } = this.#canvas;
    const { data } = this.#context.getImageData(0, 0, width, height);
    let [left, right, top, bottom, mass, sumX, sumY] = [width, -1, height, -1, 0, 0, 0];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const ink = data[4 * (y * width + x)];
        if (ink < 32) continue;
        [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
        [mass, sumX, sumY] = [mass + ink, sumX + ink * x, sumY + ink * y];
      }
    }
    if (mass === 0) return null;
    const scale = 20 / Math.max(right - left + 1, bottom - top + 1);
    const small = new OffscreenCanvas(SIDE, SIDE);
    const context = small.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.fillRect(0, 0, SIDE, SIDE);
    context.setTransform(scale, 0, 0, scale, SIDE / 2 - (scale * sumX) / mass, SIDE / 2 - (scale * sumY) / mass);
    context.drawImage(this.#canvas, 0, 0);
    const rgba = context.getImageData(0, 0, SIDE, SIDE).data;
    return Uint8Array.from({ length: SIDE * SIDE }, (_, index) => rgba[4 * index]);
  }

  async #look() {
    if (this.#asked) {
      this.#again = true;
      return;
    }
    const pixels = this.#pixels();
    if (!pixels) return;
    this.#asked = true;
    try {
      this.#show(await this.#classify(pixels));
    } catch (error) {
      document.getElementById("guess").textContent = error.message;
    }
    this.#asked = false;
    if (this.#again) {
      this.#again = false;
      this.#look();
    }
  }

  #show(answer) {
    const probabilities = [...answer.slice(0, 10)];
    const best = probabilities.indexOf(Math.max(...probabilities));
    document.getElementById("guess").textContent = `This is a ${best} (${Math.round(100 * probabilities[best])} %).`;
    [...document.getElementById("bars").children].forEach((row, digit) => {
      row.querySelector("meter").value = probabilities[digit];
      row.querySelector("span").textContent = `${Math.round(100 * probabilities[digit])} %`;
    });
    this.#showMaps(answer.slice(10));
  }

  #showMaps(outputs) {
    const map = (_, channel) => outputs.slice(channel * MAP * MAP, (channel + 1) * MAP * MAP);
    const maps = Array.from({ length: CHANNELS }, map);
    const strength = (map) => map.reduce((sum, value) => sum + value, 0);
    const strongest = maps.sort((a, b) => strength(b) - strength(a)).slice(0, SHOWN);
    const context = document.getElementById("conv1").getContext("2d");
    strongest.forEach((map, place) => {
      const most = Math.max(...map, 1e-6);
      const image = new ImageData(MAP, MAP);
      map.forEach((value, index) => image.data.set([255, 255, 255, Math.round((255 * value) / most)], 4 * index));
      const tile = new OffscreenCanvas(MAP, MAP);
      tile.getContext("2d").putImageData(image, 0, 0);
      const [x, y] = [2 + (place % 4) * 53, 2 + Math.floor(place / 4) * 53];
      context.fillStyle = "black";
      context.fillRect(x, y, 50, 50);
      context.imageSmoothingEnabled = false;
      context.drawImage(tile, x, y, 50, 50);
    });
  }
}
