// The guided scene: a window over the page, in which a visitor goes through six steps (steps.js, scene.json).

/** @import { Field, Ink, Payload, Pixel } from "../scripts/types" */
/** @import { KernelField } from "../scripts/field.js" */
/** @import { Picture, View } from "./stage.js" */

import { Assumed } from "../scripts/assumed.js";
import { make, makeButton } from "../scripts/elements.js";
import { clamp } from "../scripts/layout.js";
import { INKS, PALETTES } from "../scripts/palette.js";
import { readPayload } from "../scripts/payload.js";
import { factorText } from "../scripts/text.js";
import { kernelsOfSizes, meanOf, shareMap } from "./arithmetic.js";
import { pictureOf, pictureOfShares } from "./stage.js";
import { STEPS, closeTo } from "./steps.js";
import OVERVIEW from "./overview.svg";
import TEXTS from "./scene.json";

/** @typedef {{ name: string, title: string, text: string, paper: string, left: string, right: string, ways?: string[][] }} StepTexts */

/** What is said, and of which burst. */
export const SCENE = JSON.parse(TEXTS);
/** @type {StepTexts[]} */
const TEXT = SCENE.steps;

const NARROW = 899; // CSS pixels up to which the text stands under the pictures: scene.css
const PHONE = 600;
const CELL_GAP = 6; // CSS pixels between small pictures
const SETTLE_MS = 130; // time constant of a look that moves closer
const SWING_MS = 9000; // from little assumed noise to much, and back
const MEET_MS = 7000; // kernels of several sizes become one, and part again
const LEAST_MS = 30; // between two pictures of what swings
const LATER_MS = 100; // until it is seen whether the next frame is due
const STEP_MS = 14000; // a step's time, where steps go on by themselves

/** @typedef {(part: string) => Promise<Uint8Array>} Load */

export class Scene {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {{ load: Load, onEnd?: (finished: boolean) => void }} host
   */
  constructor(dialog, { load, onEnd = () => {} }) {
    this.dialog = dialog;
    this.load = load;
    this.onEnd = onEnd;
    this.index = 0;
    this.shown = false;
    this.playing = false;
    this.size = 300; // CSS pixels of a picture
    this.cell = 60; // and of one in the strip
    this.frame = 0;
    this.frameSince = 0; // milliseconds
    this.stepSince = 0;
    this.phase = 0; // of what swings, in milliseconds
    /** @type {Pixel} */
    this.pixel = SCENE.pixels.eye;
    /** @type {View} */
    this.view = { top: 0, left: 0, side: 1 };
    /** @type {View} */
    this.target = this.view;
    this.together = 0;
    /** @type {View | null} */
    this.wholeView = null;
    /** @type {{ pixel: Pixel, kernels: ReturnType<typeof kernelsOfSizes> }[] | null} */
    this.places = null;
    this.font = "sans-serif";
    this.palette = PALETTES.light;
    /** @type {Ink} */
    this.ink = { ...INKS.light, text: "", paper: "", shift: "", weight: 1.5 };
    this.failed = false;
    this.last = 0;
    this.painted = ""; // what was painted last, as look() says it, and when
    this.paintedAt = 0;
    this.pending = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {Map<string, Promise<void>>} */
    this.loading = new Map();
    /** @type {Set<string>} */
    this.ready = new Set();
    /** @type {Payload | null} */
    this.kernelsPayload = null;
    /** @type {Payload | null} */
    this.sizesPayload = null;
    this.assumed = new Assumed(() => {});
    /** @type {Map<string, Picture>} */
    this.pictures = new Map();
    /** @type {Map<number, { map: ReturnType<typeof shareMap>, picture: Picture }>} */
    this.shares = new Map();
    this.motion = matchMedia("(prefers-reduced-motion: reduce)");

    this.canvases = { left: this.find("figure.left canvas", HTMLCanvasElement), right: this.find("figure.right canvas", HTMLCanvasElement) };
    this.bars = /** @type {HTMLCanvasElement[]} */ ([...dialog.querySelectorAll(".bars canvas")]);
    this.range = this.find(".slider input", HTMLInputElement);
    this.auto = this.find(".auto input", HTMLInputElement);
    this.dots = TEXT.map(({ title }, i) => {
      const dot = makeButton("", title);
      dot.setAttribute("aria-label", `Step ${i + 1}: ${title}`);
      dot.addEventListener("click", () => this.go(i));
      return dot;
    });
    this.find(".dots").append(...this.dots);
    /** @type {{ button: HTMLButtonElement, canvas: HTMLCanvasElement, label: HTMLElement }[]} */
    this.cells = SCENE.burst.shifts.map((/** @type {number[]} */ _, /** @type {number} */ i) => {
      const [canvas, label] = [make("canvas", ""), make("span", "")];
      const button = makeButton("", `Frame ${i}`, canvas, label);
      button.addEventListener("click", () => this.showFrame(i));
      return { button, canvas, label };
    });
    this.find(".strip").append(...this.cells.map(({ button }) => button));
    this.find(".name b").textContent = SCENE.name;
    this.find(".name span").textContent = SCENE.sentence;
    // Its own colors are those of a page of its own.
    this.find(".overview").innerHTML = OVERVIEW.replace(/^.*svg \{ color: .*$/gm, "");
    this.listen();
  }

  /**
   * @template {HTMLElement} T
   * @param {string} selector
   * @param {{ new (): T }} [kind]
   * @returns {T}
   */
  find(selector, kind = /** @type {any} */ (HTMLElement)) {
    const found = this.dialog.querySelector(selector);
    if (!(found instanceof kind)) throw new Error(`the scene has no ${selector}`);
    return found;
  }

  listen() {
    const { dialog } = this;
    this.find(".skip").addEventListener("click", () => this.end(false));
    this.find(".back").addEventListener("click", () => this.go(this.index - 1));
    this.find(".next").addEventListener("click", () => this.next());
    this.find(".play").addEventListener("click", () => this.setPlaying(!this.playing));
    this.auto.addEventListener("change", () => this.setAuto(this.auto.checked));
    this.range.addEventListener("input", () => this.slide(this.range.valueAsNumber));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault(); // Escape
      this.end(false);
    });
    dialog.addEventListener("close", () => this.end(false)); // by the browser itself
    dialog.addEventListener("keydown", (event) => this.take(event));
    for (const canvas of Object.values(this.canvases))
      for (const kind of /** @type {const} */ (["pointermove", "pointerdown"])) canvas.addEventListener(kind, (event) => this.steer(canvas, event));
    this.resized = new ResizeObserver(() => this.layOut());
    this.onTheme = () => this.setTheme();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.onTheme);
    this.motion.addEventListener("change", () => this.motion.matches && this.setPlaying(false));
  }

  destroy() {
    this.shown = false;
    clearTimeout(this.timer);
    cancelAnimationFrame(this.pending);
    this.resized?.disconnect();
    matchMedia("(prefers-color-scheme: dark)").removeEventListener("change", this.onTheme ?? (() => {}));
    if (this.dialog.open) this.dialog.close();
  }

  // --- opening, and steps ------------------------------------------------------------------------

  open() {
    if (this.dialog.open) return;
    this.shown = true;
    this.dialog.showModal();
    this.setTheme();
    this.layOut();
    this.resized?.observe(this.dialog);
    this.auto.checked = false;
    this.go(0);
    this.find(".next").focus({ preventScroll: true });
  }

  /** @param {boolean} finished */
  end(finished) {
    if (!this.shown) return;
    this.shown = false;
    cancelAnimationFrame(this.pending);
    clearTimeout(this.timer);
    this.pending = 0;
    this.resized?.disconnect();
    if (this.dialog.open) this.dialog.close();
    this.onEnd(finished);
  }

  /** Colors of the page around, and of numbers. */
  setTheme() {
    const style = getComputedStyle(this.dialog);
    const [r, g, b] = (style.color.match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
    const theme = r + g + b > 384 ? "dark" : "light"; // light text
    this.dialog.classList.toggle("dark", theme === "dark");
    const shift = getComputedStyle(this.dialog).getPropertyValue("--shift").trim();
    this.font = style.fontFamily;
    this.palette = PALETTES[theme];
    this.ink = { ...INKS[theme], text: style.color, paper: style.backgroundColor, shift, weight: 1.5 };
    this.paintSoon();
  }

  get step() {
    return STEPS[TEXT[this.index].name];
  }

  next() {
    if (this.index === TEXT.length - 1) this.end(true);
    else this.go(this.index + 1);
  }

  /** @param {number} index */
  go(index) {
    this.index = clamp(index, 0, TEXT.length - 1);
    const { name, title, text, paper, ways = [] } = TEXT[this.index];
    const { step, dialog } = this;
    const [last, reduced] = [this.index === TEXT.length - 1, this.motion.matches];
    dialog.dataset.step = name;
    this.find(".number").textContent = `${this.index + 1} of ${TEXT.length}`;
    this.find("h2").textContent = title;
    this.find(".sentence").textContent = text;
    this.find(".ways").replaceChildren(...ways.map(([what, why]) => make("li", "", make("b", "", what), `: ${why}`)));
    this.find(".facts").textContent = "";
    const { authors, title: source, venue, year, url } = SCENE.papers[paper];
    const link = make("a", "", source);
    Object.assign(link, { href: url, target: "_blank", rel: "noopener" });
    this.find(".paper").replaceChildren(`${authors}: `, link, `, ${venue} ${year}`);
    this.find(".next").textContent = last ? "Explore" : "Next";
    /** @type {HTMLButtonElement} */ (this.find(".back")).disabled = this.index === 0;
    this.dots.forEach((dot, i) => (i === this.index ? dot.setAttribute("aria-current", "step") : dot.removeAttribute("aria-current")));
    dialog.classList.toggle("steerable", Boolean(step.steered));
    for (const part of dialog.querySelectorAll("figure")) part.classList.toggle("empty", last);
    for (const part of [".left", ".right", ".strip", ".bars", ".controls"]) this.find(part).style.visibility = last ? "hidden" : "";
    this.find(".overview").hidden = !last;
    this.find(".strip").hidden = step.plays === "together";
    this.find(".bars").hidden = step.plays !== "together";
    this.setSlider();

    [this.pixel, this.phase, this.stepSince, this.together] = [SCENE.pixels.eye, 0, performance.now(), 0];
    // At rest a still picture says what the step says: all frames, or the mark of one that has moved.
    this.frame = !reduced || name === "noise" ? 0 : { burst: this.cells.length - 1, kernels: 1, shares: 5 }[name] ?? 0;
    this.frameSince = performance.now();
    this.assumed.moveTo(0);
    this.pictures.delete("image");
    this.painted = "";
    this.lookCloser();
    this.setPlaying(step.plays !== null && !reduced);
    // Two steps ahead: who skips the scene has not asked for what its later steps need.
    for (const { name: next } of TEXT.slice(this.index, this.index + 3)) {
      const { part } = STEPS[next];
      if (part) this.want(part).catch(() => {});
    }
    this.paintSoon();
  }

  lookCloser() {
    if (!this.kernelsPayload) return;
    const { height, width } = this.kernelsPayload;
    this.target = this.step.near ? closeTo(this.pixel, height, width) : this.whole;
    if (this.motion.matches) this.view = this.target;
  }

  setSlider() {
    const { plays } = this.step;
    const range = { frames: [0, this.cells.length - 1, 1], noise: [-2, 2, 0.01], together: [0, 1, 0.01] }[plays ?? "frames"];
    [this.range.min, this.range.max, this.range.step] = range.map(String);
    this.find(".slider span").textContent = { frames: "Frame", noise: "Assumed noise", together: "Fuse" }[plays ?? "frames"];
  }

  /** @param {boolean} playing */
  setPlaying(playing) {
    this.playing = playing && this.step.plays !== null;
    this.find(".play").textContent = this.playing ? "Pause" : "Play";
    this.last = this.frameSince = performance.now();
    this.paintSoon();
  }

  /** @param {boolean} auto */
  setAuto(auto) {
    this.auto.checked = auto;
    this.stepSince = performance.now();
    if (auto) this.setPlaying(true);
  }

  /** @param {number} value */
  slide(value) {
    this.setPlaying(false);
    this.auto.checked = false;
    const { plays } = this.step;
    if (plays === "frames") this.frame = value;
    else if (plays === "noise") this.assume(value);
    else this.together = value;
    this.paintSoon();
  }

  /** @param {number} frame */
  showFrame(frame) {
    if (this.step.plays === "frames") this.setPlaying(false);
    this.auto.checked = false;
    this.frame = frame;
    this.paintSoon();
  }

  /** @param {KeyboardEvent} event */
  take(event) {
    event.stopPropagation(); // the page below has keys of its own
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const within = /** @type {HTMLElement} */ (event.target);
    if (within instanceof HTMLInputElement && within.type === "range" && event.key !== " ") return;
    const steps = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 };
    const way = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (way) {
      event.preventDefault();
      if (this.index + way < TEXT.length) this.go(this.index + way);
    } else if (event.key === " " && !within.closest("button, a, .auto")) {
      event.preventDefault();
      this.setPlaying(!this.playing);
    }
  }

  /**
   * The pixel under the mouse.
   * @param {HTMLCanvasElement} canvas
   * @param {PointerEvent} event
   */
  steer(canvas, event) {
    if (!this.step.steered || !this.kernelsPayload) return;
    const { payload } = this;
    const part = canvas === this.canvases.right && this.step.plays === "noise" ? this.whole : this.view;
    const box = canvas.getBoundingClientRect();
    const at = (/** @type {number} */ first, /** @type {number} */ share, /** @type {number} */ n) => clamp(Math.floor(first + share * part.side), 0, n - 1);
    this.pixel = [at(part.top, (event.clientY - box.top) / box.height, payload.height), at(part.left, (event.clientX - box.left) / box.width, payload.width)];
    if (part === this.whole) this.view = this.target = closeTo(this.pixel, payload.height, payload.width);
    this.paintSoon();
  }

  // --- what it shows -----------------------------------------------------------------------------

  /**
   * Load a part, once; the burst before all others.
   * @param {string} part
   * @returns {Promise<void>}
   */
  want(part) {
    const known = this.loading.get(part);
    if (known) return known;
    const before = part === "kernels" ? Promise.resolve() : this.want("kernels");
    const loading = before.then(() => this.load(part)).then((bytes) => this.receive(part, bytes));
    this.loading.set(part, loading);
    loading.catch(() => {
      this.loading.delete(part);
      this.failed = true;
      this.paintSoon();
    });
    return loading;
  }

  /**
   * @param {string} part
   * @param {Uint8Array} bytes
   */
  receive(part, bytes) {
    if (part === "noise") this.assumed.set({ burst: this.payload.burst, results: { [SCENE.networks.kernels]: bytes } });
    else if (part === "sizes") this.sizesPayload = readPayload(bytes);
    else {
      this.kernelsPayload = readPayload(bytes);
      this.assumed.load(this.kernelsPayload);
      this.view = this.whole;
      this.lookCloser();
    }
    this.ready.add(part);
    this.failed = false;
    this.frameSince = performance.now();
    this.paintSoon();
  }

  get payload() {
    if (!this.kernelsPayload) throw new Error("the burst is not here yet");
    return this.kernelsPayload;
  }

  /** The kernels with the noise that is assumed. */
  get field() {
    const method = this.payload.methods[0];
    return this.assumed.fieldOf(/** @type {any} */ (method));
  }

  get sizesField() {
    return /** @type {KernelField} */ (this.sizesPayload?.methods[0].kernels);
  }

  get network() {
    return this.payload.methods[0].title;
  }

  get whole() {
    const { height, width } = this.payload;
    return (this.wholeView ??= { top: 0, left: 0, side: Math.min(height, width) });
  }

  get power() {
    return this.assumed.applied;
  }

  /** @param {number} power */
  assume(power) {
    this.assumed.moveTo(power);
    this.pictures.delete("image");
  }

  get panel() {
    return this.payload.panels[this.payload.methods[0].panel];
  }

  get score() {
    const psnr = this.panel.scores?.psnr;
    return this.assumed.mixed.get(this.panel)?.score ?? (psnr == null ? "" : `${psnr.toFixed(2)} dB`);
  }

  get imageValues() {
    return this.assumed.mixed.get(this.panel)?.image ?? /** @type {Float32Array} */ (this.panel.image);
  }

  /** @param {Pixel} pixel */
  imageAt([y, x]) {
    return this.imageValues[y * this.payload.width + x];
  }

  /**
   * @param {string} name
   * @param {() => ArrayLike<number>} values
   */
  picture(name, values) {
    const { height, width, white_level: white } = this.payload;
    const found = this.pictures.get(name) ?? pictureOf(values(), height, width, white);
    this.pictures.set(name, found);
    return found;
  }

  image() {
    return this.picture("image", () => this.imageValues);
  }

  sizesImage() {
    return this.picture("sizes", () => /** @type {Float32Array} */ (this.sizesPayload?.panels[this.sizesPayload.methods[0].panel].image));
  }

  /** @param {number} frame */
  frameAt(frame) {
    const { frames: { values }, height, width } = this.payload; // prettier-ignore
    return this.picture(`frame ${frame}`, () => values.subarray(frame * height * width, (frame + 1) * height * width));
  }

  /** @param {number} frame */
  meanUpTo(frame) {
    const { frames: { values }, height, width } = this.payload; // prettier-ignore
    return this.picture(`mean ${frame}`, () => meanOf(values, height * width, frame + 1));
  }

  /** @param {number} frame */
  sharesOf(frame) {
    let found = this.shares.get(frame);
    if (!found) {
      const { methods, height, width } = this.payload;
      const map = shareMap(/** @type {Field} */ (methods[0].kernels), frame, height, width);
      this.shares.set(frame, (found = { map, picture: pictureOfShares(map) }));
    }
    return found;
  }

  /** Kernels of all sizes on frame 0, where the scene is flat and where it is detailed. */
  sizePlaces() {
    return (this.places ??= [SCENE.pixels.lawn, SCENE.pixels.fur].map((/** @type {Pixel} */ pixel) => ({ pixel, kernels: kernelsOfSizes(this.sizesField, 0, pixel) })));
  }

  // --- painting ----------------------------------------------------------------------------------

  /** How large pictures are: as large as the window allows, and the same in every step. */
  layOut() {
    const { clientWidth: across, clientHeight: down } = this.dialog;
    const narrow = innerWidth <= NARROW;
    const phone = innerWidth <= PHONE;
    const gap = phone ? 8 : 16;
    const sides = phone ? 24 : narrow ? 32 : 48;
    const beside = narrow ? 0 : clamp(0.29 * across, 288, 400) + clamp(0.03 * across, 24, 56);
    const least = phone ? 120 : 200;
    const room = narrow ? Math.max(down - 500, 240) : (down - 200) / 1.25;
    this.size = Math.floor(clamp((across - sides - beside - gap) / 2, least, Math.max(least, room)));
    const count = this.cells.length;
    this.cell = Math.floor((2 * this.size + gap - (count - 1) * CELL_GAP) / count);
    for (const [name, length] of Object.entries({ picture: this.size, gap, cell: this.cell })) this.dialog.style.setProperty(`--${name}`, `${length}px`);
    this.paintSoon();
  }

  paintSoon() {
    if (!this.pending && this.dialog.open) this.pending = requestAnimationFrame((now) => this.paint(now));
  }

  /** @param {number} now */
  paint(now) {
    this.pending = 0;
    if (!this.dialog.open) return;
    const { step } = this;
    const here = step.part === null || (this.ready.has(step.part) && this.kernelsPayload !== null);
    this.find(".waiting").textContent = here ? "" : this.failed ? "The burst could not be loaded." : "The burst comes …";
    const moving = this.approach(now);
    if (here && step.part) {
      this.advance(now);
      const look = this.look();
      // The page below is at work too: what has not changed is not painted again.
      if (look !== this.painted && (now - this.paintedAt > LEAST_MS || !this.playing)) {
        step.paint(this);
        this.writeControls();
        [this.painted, this.paintedAt] = [look, now];
      }
    }
    if (this.auto.checked && now - this.stepSince > STEP_MS) {
      if (this.index === TEXT.length - 1) this.auto.checked = false;
      else this.go(this.index + 1);
    }
    this.last = now;
    this.dialog.dataset.painted = here ? TEXT[this.index].name : "";
    const rests = this.step.plays === "frames" || !this.playing;
    if (moving || (this.playing && !rests)) this.paintSoon();
    else if (this.playing || this.auto.checked) this.paintLater();
  }

  /** Frames change a few times a second: what shows them need not look at the clock at every picture of the screen. */
  paintLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.paintSoon(), LATER_MS);
  }

  /** All that what is painted depends on. */
  look() {
    const { index, frame, power, together, view, pixel, size, ink, ready } = this;
    return [index, frame, power, together, view.top, view.left, view.side, ...pixel, size, devicePixelRatio, ink.text, ready.size].join();
  }

  /**
   * What moves by itself.
   * @param {number} now
   */
  advance(now) {
    if (!this.playing) return;
    const { plays, milliseconds = 1000 } = this.step;
    this.phase += clamp(now - this.last, 0, 100);
    if (plays === "frames" && now - this.frameSince > milliseconds * (this.frame === this.cells.length - 1 ? 2.5 : 1)) {
      this.frame = (this.frame + 1) % this.cells.length;
      this.frameSince = now;
    }
    if (plays === "noise") this.assume(2 * Math.sin((2 * Math.PI * this.phase) / SWING_MS));
    // It rests at both ends.
    if (plays === "together") this.together = clamp(0.5 - 0.85 * Math.cos((2 * Math.PI * this.phase) / MEET_MS), 0, 1);
  }

  /**
   * Move the view towards where it is to look. Returns whether it is still on its way.
   * @param {number} now
   */
  approach(now) {
    const { view, target } = this;
    if (view === target) return false;
    const share = 1 - Math.exp(-clamp(now - this.last, 0, 100) / SETTLE_MS);
    const nearer = (/** @type {keyof View} */ name) => view[name] + (target[name] - view[name]) * share;
    const next = { top: nearer("top"), left: nearer("left"), side: nearer("side") };
    const left = Math.abs(next.side - target.side) + Math.abs(next.top - target.top) + Math.abs(next.left - target.left);
    this.view = left < 0.2 ? target : next;
    return true;
  }

  writeControls() {
    const { plays } = this.step;
    const value = plays === "frames" ? this.frame : plays === "noise" ? this.assumed.power : this.together;
    this.range.valueAsNumber = value;
    this.find("output", HTMLOutputElement).textContent =
      plays === "frames" ? `${this.frame} of ${this.cells.length - 1}` : plays === "noise" ? factorText(Number(value.toFixed(1))) : "";
    this.range.setAttribute("aria-valuetext", this.find("output").textContent || `${Math.round(100 * value)} %`);
  }

  /**
   * Names of the two pictures, each with a note.
   * @param {string} left
   * @param {string} right
   */
  captions(left, right) {
    const texts = TEXT[this.index];
    for (const [side, note] of /** @type {["left" | "right", string][]} */ ([["left", left], ["right", right]])) {
      const name = texts[side].replace("{frame}", String(this.frame));
      this.find(`.${side} figcaption`).replaceChildren(name, make("small", "", note && `, ${note}`));
      this.canvases[side].setAttribute("aria-label", name);
      this.canvases[side].setAttribute("role", "img");
    }
  }

  /** @param {string[]} sentences */
  facts(...sentences) {
    const text = sentences.join("");
    const place = this.find(".facts");
    if (place.textContent !== text) place.textContent = text;
  }

  /**
   * The small pictures.
   * @param {(canvas: HTMLCanvasElement, size: number, i: number) => void} draw
   * @param {(i: number) => string} label
   * @param {(i: number) => boolean} notYet
   */
  strip(draw, label, notYet = () => false) {
    this.cells.forEach(({ button, canvas, label: text }, i) => {
      draw(canvas, this.cell, i);
      text.textContent = label(i);
      button.setAttribute("aria-pressed", String(i === this.frame));
      button.classList.toggle("not-yet", notYet(i));
    });
  }
}
