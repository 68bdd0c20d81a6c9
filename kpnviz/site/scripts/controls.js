// The controls of Explore. They read and write one state; whoever made them hears of each change.

/** @import { Burst, Picture, Shift } from "./types" */
/** @import { Offer, State } from "./parameters.js" */

import { encode } from "../../lens/scripts/palette.js";
import { make } from "./elements.js";
import { boxReduce, hasColor } from "./pictures.js";
import { BY_HAND, mayTurn, shiftsFor } from "./parameters.js";
import { asked, lineOfTerms, withTerms } from "./terms.js";
import { wordsIn } from "../../lens/scripts/terms.js";

export class Controls {
  /**
   * @param {HTMLElement} place
   * @param {Offer} offer
   * @param {State} state
   * @param {() => void} changed
   * @param {boolean} withMethods
   * @param {string[]} photos
   */
  constructor(place, offer, state, changed, withMethods, photos) {
    this.offer = offer;
    this.state = state;
    this.changed = changed;
    /** @type {Picture | null} */
    this.drawn = null;
    /** @type {Burst | null} */
    this.burst = null;
    this.scene = make("canvas", { className: "scene", tabIndex: 0, role: "img" });
    this.noise = make("p", { className: "note" });
    this.color = this.toggle("Color", "color");
    this.table = make("div", { className: "shifts" });
    this.methods = make("div", { className: "methods" });
    const seed = this.number("Seed", "seed", 0, offer.most_seed);
    const next = make("button", { type: "button", textContent: "Next", title: "Another burst of the same kind" });
    next.onclick = () => this.set({ seed: (state.seed + 1) % offer.most_seed });
    const gains = [1, 2, 4, 8].map((gain) =>
      make("button", { type: "button", textContent: `×${gain}`, onclick: () => this.set({ gain }) }),
    );
    place.replaceChildren(
      this.group(
        "Scene",
        this.choice(
          "Photo",
          "photo",
          photos.map((name) => [name, name]),
        ),
        this.scene,
        this.choice(
          "Crop, pixels a side",
          "crop",
          offer.crops.map((side) => [side, String(side)]),
        ),
        this.color,
      ),
      this.group(
        "Burst",
        this.range("Sensor gain", "gain", 1, offer.most_gain, 0.1, (gain) => `×${gain.toFixed(1)}`),
        make("p", { className: "row" }, ...gains),
        this.noise,
        this.range("Frames", "frames", 1, offer.most_frames, 1, String),
        this.choice("Camera shake", "shake", Object.entries(offer.shake_titles)),
        this.table,
        this.toggle("Moving object", "moving"),
        this.camera(),
        make("p", { className: "row" }, seed, next),
      ),
      ...(withMethods
        ? [
            this.group(
              `Methods, up to ${offer.most_methods}`,
              this.methods,
              lineOfTerms(wordsIn(offer.models.map(({ title }) => title))),
            ),
          ]
        : []),
    );
    this.drag();
    this.write();
  }

  /**
   * @param {string} title
   * @param {...Node} contents
   */
  group(title, ...contents) {
    return make("fieldset", {}, make("legend", { textContent: title }), ...contents);
  }

  /**
   * Change the state, and tell of it.
   * @param {Partial<State>} values
   */
  set(values) {
    Object.assign(this.state, values);
    this.write();
    this.changed();
  }

  /** Inputs that show the state: each is called when it changes. */
  writers = /** @type {(() => void)[]} */ ([]);

  write() {
    for (const write of this.writers) write();
    this.writeShifts();
    this.writeMethods();
  }

  /**
   * @param {string} label
   * @param {"gain" | "frames" | keyof State["camera"]} key
   * @param {number} min
   * @param {number} max
   * @param {number} step
   * @param {(value: number) => string} text
   */
  range(label, key, min, max, step, text) {
    const [input, value] = [make("input", { type: "range", min, max, step }), make("span")];
    input.setAttribute("aria-label", label);
    input.oninput = () => {
      const number = Number(input.value);
      this.set(
        key === "gain" || key === "frames" ? { [key]: number } : { camera: { ...this.state.camera, [key]: number } },
      );
    };
    this.writers.push(() => {
      const number = key === "gain" || key === "frames" ? this.state[key] : this.state.camera[key];
      input.value = String(number);
      value.textContent = text(number);
      input.setAttribute("aria-valuetext", text(number));
    });
    return make("label", { className: "range" }, make("span", {}, label, ...this.help(key)), value, input);
  }

  /**
   * @param {string} label
   * @param {"seed"} key
   * @param {number} min
   * @param {number} max
   */
  number(label, key, min, max) {
    const input = make("input", { type: "number", min, max, step: 1 });
    input.setAttribute("aria-label", label);
    input.onchange = () => this.set({ [key]: Math.min(Math.max(Math.round(Number(input.value)) || 0, min), max) });
    this.writers.push(() => (input.value = String(this.state[key])));
    return make("label", {}, label, ...this.help(key), input);
  }

  /** What a control means, behind its name. @param {string} key */
  help(key) {
    const text = this.offer.helps[key];
    return text ? [" ", asked(text)] : [];
  }

  /**
   * @param {string} label
   * @param {"photo" | "crop" | "shake"} key
   * @param {[string | number, string][]} options
   */
  choice(label, key, options) {
    const select = make("select", {}, ...options.map(([value, text]) => make("option", { value, textContent: text })));
    select.setAttribute("aria-label", label);
    select.onchange = () => {
      const value = options[select.selectedIndex][0];
      this.set(key === "shake" && value === BY_HAND ? { shake: BY_HAND, shifts: this.shown } : { [key]: value });
    };
    this.writers.push(() => (select.value = String(this.state[key])));
    return make("label", {}, label, ...this.help(key), select);
  }

  /**
   * @param {string} label
   * @param {"color" | "moving"} key
   */
  toggle(label, key) {
    const input = make("input", { type: "checkbox" });
    input.setAttribute("aria-label", label); // without the question mark behind it
    input.onchange = () => this.set({ [key]: input.checked });
    this.writers.push(() => (input.checked = this.state[key]));
    return make("label", { className: "check" }, input, label, ...this.help(key));
  }

  /** How the camera turns beside its shake, folded away. */
  camera() {
    const { camera, camera_titles: titles } = this.offer;
    const keys = /** @type {(keyof State["camera"])[]} */ (Object.keys(camera));
    const sliders = keys.map((key) =>
      Object.assign(
        this.range(titles[key][0], key, 0, camera[key], 0.1, (value) => value.toFixed(1)),
        { title: titles[key][1] },
      ),
    );
    const details = make("details", {}, make("summary", { textContent: "Camera motion" }), ...sliders);
    this.writers.push(() => {
      details.hidden = !mayTurn(this.state);
      if (Object.values(this.state.camera).some(Boolean)) details.open = true;
    });
    return details;
  }

  /** Shifts of the burst on the page, from which one starts by hand. */
  get shown() {
    return this.burst?.shifts
      ? this.burst.shifts.map((shift) => /** @type {Shift} */ (shift.map(Math.round)))
      : this.state.shifts;
  }

  /** A table of each frame's shift, where it is set by hand. */
  writeShifts() {
    const { state, offer } = this;
    this.table.hidden = state.shake !== BY_HAND;
    if (this.table.hidden || this.table.contains(document.activeElement)) return;
    const most = offer.most_shift;
    const rows = shiftsFor(state.shifts, state.frames).map((shift, i) => {
      const inputs = shift.map((value, axis) => {
        const input = make("input", { type: "number", min: -most, max: most, step: 1, value, disabled: i === 0 });
        input.setAttribute("aria-label", `${axis ? "dx" : "dy"} of frame ${i}`);
        input.onchange = () => {
          const shifts = shiftsFor(state.shifts, state.frames).map((one) => /** @type {Shift} */ ([...one]));
          shifts[i][axis] = Math.min(Math.max(Math.round(Number(input.value)) || 0, -most), most);
          this.set({ shifts });
        };
        return make("td", {}, input);
      });
      return make("tr", {}, make("th", { textContent: String(i), scope: "row" }), ...inputs);
    });
    const head = make(
      "tr",
      {},
      ...["frame", "dy", "dx"].map((text) => make("th", { textContent: text, scope: "col" })),
    );
    this.table.replaceChildren(make("table", {}, head, ...rows));
  }

  writeMethods() {
    const { state, offer } = this;
    this.methods.replaceChildren(
      ...offer.models.map(({ name, title, config }) => {
        const chosen = state.methods.includes(name);
        const takes = config.matching || config.frames === 1 || config.frames === state.frames;
        const input = make("input", {
          type: "checkbox",
          checked: chosen,
          disabled: !chosen && (state.methods.length >= offer.most_methods || !takes),
        });
        input.onchange = () => {
          const all = offer.models.map((model) => model.name);
          const methods = input.checked ? [...state.methods, name] : state.methods.filter((other) => other !== name);
          this.set({ methods: all.filter((one) => methods.includes(one)) });
        };
        return make(
          "label",
          { className: "check", title: takes ? "" : `It takes ${config.frames} frames` },
          input,
          title,
        );
      }),
    );
  }

  /**
   * What follows from the state: the photo with its crop, the noise.
   * @param {Picture} photo
   * @param {Burst | null} burst
   */
  draw(photo, burst) {
    this.burst = burst;
    /** @type {HTMLInputElement} */ (this.color.querySelector("input")).disabled = !hasColor(photo);
    if (photo !== this.drawn) this.thumbnail = thumbnailOf(photo, this.offer.reduction);
    this.drawn = photo;
    const { read_std, shot_gain } = /** @type {Burst} */ (burst).noise;
    const white = `Noise at white: ±${(100 * Math.sqrt(read_std ** 2 + shot_gain)).toFixed(1)} % of white`;
    this.noise.replaceChildren(
      white,
      make("br"),
      ...withTerms(`read_std ${read_std.toFixed(4)} · shot_gain ${shot_gain.toFixed(4)}`),
    );
    this.outline();
  }

  /** The photo, and on it the square that is cut out. */
  outline() {
    const { scene, thumbnail, state } = this;
    if (!thumbnail) return;
    [scene.width, scene.height] = [thumbnail.width, thumbnail.height];
    scene.style.maxWidth = `calc(16rem * ${scene.width / scene.height})`; // of a tall one all is in sight
    const side = Math.min(state.crop, scene.width, scene.height);
    const [top, left] = [Math.min(state.top, scene.height - side), Math.min(state.left, scene.width - side)];
    scene.setAttribute(
      "aria-label",
      `The photo ${state.photo}; cut out are ${side}×${side} pixels at y ${top}, x ${left}. Arrow keys move them.`,
    );
    const context = /** @type {CanvasRenderingContext2D} */ (scene.getContext("2d"));
    context.drawImage(thumbnail, 0, 0);
    context.fillStyle = "rgba(0, 0, 0, 0.45)";
    context.fillRect(0, 0, scene.width, scene.height);
    context.drawImage(thumbnail, left, top, side, side, left, top, side, side);
    context.strokeStyle = "#fff";
    context.lineWidth = 2;
    context.strokeRect(left, top, side, side);
  }

  /** The square follows the pointer, and the arrow keys. */
  drag() {
    const { scene, state } = this;
    const side = () => Math.min(state.crop, scene.width, scene.height);
    const move = (/** @type {number} */ top, /** @type {number} */ left) =>
      this.set({
        top: Math.min(Math.max(Math.round(top), 0), scene.height - side()),
        left: Math.min(Math.max(Math.round(left), 0), scene.width - side()),
      });
    const follow = (/** @type {PointerEvent} */ { clientX, clientY }) => {
      const box = scene.getBoundingClientRect();
      const scale = scene.width / box.width;
      move((clientY - box.top) * scale - side() / 2, (clientX - box.left) * scale - side() / 2);
    };
    scene.onpointerdown = (event) => {
      scene.setPointerCapture(event.pointerId);
      follow(event);
    };
    scene.onpointermove = (event) => scene.hasPointerCapture(event.pointerId) && follow(event);
    scene.onkeydown = (event) => {
      const step = event.shiftKey ? 16 : 2;
      const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!way) return;
      event.preventDefault();
      move(state.top + step * way[0], state.left + step * way[1]);
    };
  }
}

const LEVELS = 16384; // of light, that a thumbnail tells apart: less than a code of 8 bits each
const CODES = Uint8Array.from({ length: LEVELS + 1 }, (_, level) => Math.round(255 * encode(level / LEVELS)));

/** @type {WeakMap<Picture, HTMLCanvasElement>} every page with controls shows it */
const thumbnails = new WeakMap();

/**
 * A photo as it is seen, reduced.
 * @param {Picture} photo
 * @param {number} by
 */
function thumbnailOf(photo, by) {
  const known = thumbnails.get(photo);
  if (known) return known;
  const { values, C, H, W } = boxReduce(photo, by);
  const canvas = make("canvas", { width: W, height: H });
  const pixels = new ImageData(W, H);
  for (let p = 0; p < H * W; p++) {
    for (let c = 0; c < 3; c++)
      pixels.data[4 * p + c] = CODES[Math.round(LEVELS * Math.min(Math.max(values[(c % C) * H * W + p], 0), 1))];
    pixels.data[4 * p + 3] = 255;
  }
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  thumbnails.set(photo, canvas);
  return canvas;
}
