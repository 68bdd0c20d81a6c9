// The guided scene: a window over the page, in which a visitor goes through six steps (steps.js, scene.json).
//
// Here is its state: which step, which frame and pixel, what plays, and when it is painted again. data.js holds what comes
// from the server, page.js the elements, steps.js what each step draws.

/** @import { Pixel } from "../scripts/types" */
/** @import { Load } from "./data.js" */
/** @import { View } from "./stage.js" */

import { clamp } from "../scripts/layout.js";
import { SceneData } from "./data.js";
import { ScenePage } from "./page.js";
import { STEPS, closeTo } from "./steps.js";
import { SCENE, TEXT } from "./texts.js";

const SETTLE_MS = 130; // time constant of a look that moves closer
const SWING_MS = 9000; // from little assumed noise to much, and back
const MEET_MS = 7000; // kernels of several sizes become one, and part again
const LEAST_MS = 30; // between two pictures of what swings
const LATER_MS = 100; // until it is seen whether the next frame is due
const STEP_MS = 14000; // a step's time, where steps go on by themselves

export class Scene {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {{ load: Load, early?: () => Promise<Uint8Array>, of?: "app" | "site", addressOf?: (page: string) => string, toPage?: (page: string) => boolean, onEnd?: (finished: boolean) => void }} host
   */
  constructor(
    dialog,
    {
      load,
      early,
      of = "app",
      addressOf = (page) => `${page}${location.search}`,
      toPage = () => false,
      onEnd = () => {},
    },
  ) {
    this.dialog = dialog;
    this.toPage = toPage;
    this.onEnd = onEnd;
    this.page = new ScenePage(dialog, of, addressOf);
    this.data = new SceneData(load, (part) => this.receive(part), early);
    this.index = 0;
    this.shown = false;
    this.playing = false;
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
    this.last = 0;
    this.painted = ""; // what was painted last, as look() says it, and when
    this.paintedAt = 0;
    this.pending = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.motion = matchMedia("(prefers-reduced-motion: reduce)");
    this.listen();
  }

  listen() {
    const { dialog, page } = this;
    page.find(".skip").addEventListener("click", () => this.end(false));
    page.find(".back").addEventListener("click", () => this.go(this.index - 1));
    page.find(".next").addEventListener("click", () => this.next());
    page.find(".ways").addEventListener("click", (event) => this.follow(event));
    page.find(".play").addEventListener("click", () => this.setPlaying(!this.playing));
    page.dots.forEach((dot, i) => dot.addEventListener("click", () => this.go(i)));
    page.cells.forEach(({ button }, i) => button.addEventListener("click", () => this.showFrame(i)));
    page.auto.addEventListener("change", () => this.setAuto(page.auto.checked));
    page.range.addEventListener("input", () => this.slide(page.range.valueAsNumber));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault(); // Escape
      this.end(false);
    });
    dialog.addEventListener("close", () => this.end(false)); // by the browser itself
    dialog.addEventListener("keydown", (event) => this.take(event));
    for (const canvas of Object.values(page.canvases))
      for (const kind of /** @type {const} */ (["pointermove", "pointerdown"]))
        canvas.addEventListener(kind, (event) => this.steer(canvas, event));
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
    this.page.auto.checked = false;
    this.go(0);
    this.page.find(".next").focus({ preventScroll: true });
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

  setTheme() {
    this.page.setTheme();
    this.paintSoon();
  }

  layOut() {
    this.page.layOut();
    this.paintSoon();
  }

  get step() {
    return STEPS[TEXT[this.index].name];
  }

  next() {
    if (this.index === TEXT.length - 1) this.end(true);
    else this.go(this.index + 1);
  }

  /**
   * Go to the page that is clicked, if it is: the scene is over.
   * @param {MouseEvent} event
   */
  follow(event) {
    const { page } = /** @type {HTMLElement} */ (event.target).dataset;
    if (!page || event.ctrlKey || event.metaKey || event.shiftKey) return;
    this.end(true);
    if (this.toPage(page)) event.preventDefault();
  }

  /** @param {number} index */
  go(index) {
    this.index = clamp(index, 0, TEXT.length - 1);
    const { step, page, data } = this;
    const { name } = TEXT[this.index];
    const reduced = this.motion.matches;
    page.writeStep(this.index, step);

    [this.pixel, this.phase, this.stepSince, this.together] = [SCENE.pixels.eye, 0, performance.now(), 0];
    // At rest a still picture says what the step says: all frames, or the mark of one that has moved.
    this.frame =
      !reduced || name === "noise" ? 0 : ({ burst: page.cells.length - 1, kernels: 1, shares: 5 }[name] ?? 0);
    this.frameSince = performance.now();
    data.assume(0);
    this.painted = "";
    this.lookCloser();
    this.setPlaying(step.plays !== null && !reduced);
    // Two steps ahead: who skips the scene has not asked for what its later steps need.
    for (const { name: next } of TEXT.slice(this.index, this.index + 3)) {
      const { part } = STEPS[next];
      if (part) data.want(part).catch(() => {});
    }
    this.paintSoon();
  }

  lookCloser() {
    if (!this.data.kernelsPayload) return;
    const { height, width } = this.data.kernelsPayload;
    this.target = this.step.near ? closeTo(this.pixel, height, width) : this.data.whole;
    if (this.motion.matches) this.view = this.target;
  }

  /**
   * A part of what is shown has come; null: it could not be had.
   * @param {string | null} part
   */
  receive(part) {
    if (part === "burst" || part === "kernels") {
      this.view = this.data.whole;
      this.lookCloser();
    }
    if (part) this.frameSince = performance.now();
    this.paintSoon();
  }

  // --- input -------------------------------------------------------------------------------------

  /** @param {boolean} playing */
  setPlaying(playing) {
    this.playing = playing && this.step.plays !== null;
    this.page.find(".play").textContent = this.playing ? "Pause" : "Play";
    this.last = this.frameSince = performance.now();
    this.paintSoon();
  }

  /** @param {boolean} auto */
  setAuto(auto) {
    this.page.auto.checked = auto;
    this.stepSince = performance.now();
    if (auto) this.setPlaying(true);
  }

  /** @param {number} value */
  slide(value) {
    this.setPlaying(false);
    this.page.auto.checked = false;
    const { plays } = this.step;
    if (plays === "frames") this.frame = value;
    else if (plays === "noise") this.data.assume(value);
    else this.together = value;
    this.paintSoon();
  }

  /** @param {number} frame */
  showFrame(frame) {
    if (this.step.plays === "frames") this.setPlaying(false);
    this.page.auto.checked = false;
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
    const { data, page } = this;
    if (!this.step.steered || !data.kernelsPayload) return;
    const { height, width } = data.payload;
    const part = canvas === page.canvases.right && this.step.plays === "noise" ? data.whole : this.view;
    const box = canvas.getBoundingClientRect();
    const at = (/** @type {number} */ first, /** @type {number} */ share, /** @type {number} */ n) =>
      clamp(Math.floor(first + share * part.side), 0, n - 1);
    this.pixel = [
      at(part.top, (event.clientY - box.top) / box.height, height),
      at(part.left, (event.clientX - box.left) / box.width, width),
    ];
    if (part === data.whole) this.view = this.target = closeTo(this.pixel, height, width);
    this.paintSoon();
  }

  // --- painting ----------------------------------------------------------------------------------

  paintSoon() {
    if (!this.pending && this.dialog.open) this.pending = requestAnimationFrame((now) => this.paint(now));
  }

  /** @param {number} now */
  paint(now) {
    this.pending = 0;
    if (!this.dialog.open) return;
    const { step, page, data } = this;
    const here = data.has(step.part);
    page.find(".waiting").textContent = here ? "" : data.waitingFor(step.part);
    const moving = this.approach(now);
    if (here && step.part) {
      this.advance(now);
      const look = this.look();
      // The page below is at work too: what has not changed is not painted again.
      if (look !== this.painted && (now - this.paintedAt > LEAST_MS || !this.playing)) {
        step.paint(this);
        const { plays } = step;
        page.writeValue(
          plays,
          plays === "frames" ? this.frame : plays === "noise" ? data.assumed.power : this.together,
        );
        [this.painted, this.paintedAt] = [look, now];
      }
    }
    if (page.auto.checked && now - this.stepSince > STEP_MS) {
      if (this.index === TEXT.length - 1) page.auto.checked = false;
      else this.go(this.index + 1);
    }
    this.last = now;
    this.dialog.dataset.painted = here ? TEXT[this.index].name : "";
    const rests = this.step.plays === "frames" || !this.playing;
    if (moving || (this.playing && !rests)) this.paintSoon();
    else if (this.playing || page.auto.checked) this.paintLater();
  }

  /** Frames change a few times a second: what shows them need not look at the clock at every picture of the screen. */
  paintLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.paintSoon(), LATER_MS);
  }

  /** All that what is painted depends on. */
  look() {
    const { index, frame, together, view, pixel, data, page } = this;
    return [
      index,
      frame,
      data.power,
      together,
      view.top,
      view.left,
      view.side,
      ...pixel,
      page.size,
      devicePixelRatio,
      page.ink.text,
      data.ready.size,
    ].join();
  }

  /**
   * What moves by itself.
   * @param {number} now
   */
  advance(now) {
    if (!this.playing) return;
    const { plays, milliseconds = 1000 } = this.step;
    const count = this.page.cells.length;
    this.phase += clamp(now - this.last, 0, 100);
    if (plays === "frames" && now - this.frameSince > milliseconds * (this.frame === count - 1 ? 2.5 : 1)) {
      this.frame = (this.frame + 1) % count;
      this.frameSince = now;
    }
    if (plays === "noise") this.data.assume(2 * Math.sin((2 * Math.PI * this.phase) / SWING_MS));
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
    const left =
      Math.abs(next.side - target.side) + Math.abs(next.top - target.top) + Math.abs(next.left - target.left);
    this.view = left < 0.2 ? target : next;
    return true;
  }

  // --- what a step writes ------------------------------------------------------------------------

  /**
   * Notes behind the names of the two pictures.
   * @param {string} left
   * @param {string} right
   */
  captions(left, right) {
    this.page.writeCaptions(this.index, this.frame, left, right);
  }

  /**
   * The small pictures.
   * @param {(canvas: HTMLCanvasElement, size: number, i: number) => void} draw
   * @param {(i: number) => string} label
   * @param {(i: number) => boolean} [notYet]
   */
  strip(draw, label, notYet = () => false) {
    this.page.strip(this.frame, draw, label, notYet);
  }
}
