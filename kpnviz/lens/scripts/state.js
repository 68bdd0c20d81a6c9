// The lens' state, and what may be done with it. painter.js paints it; input.js and pointers.js say by which controls, keys
// and gestures it changes.

/** @import { Display, Payload, Pixel } from "./types" */

import { clamp } from "./layout.js";
import { Played } from "./played.js";
import { PIN_REST_MS } from "./shown.js";

const MOST_MOVED = 16; // pixels that a frame is moved by hand
const EDGE = 0.25; // of a picture's width: nearer to its edge a pixel is not seen with what is around it

export class State extends Played {
  destroy() {
    this.ideal.reset();
    this.anew.forget();
    this.background.clear();
    clearInterval(this.player);
    clearInterval(this.roller);
  }

  /** @param {Payload} data */
  load(data) {
    this.stopRolling();
    super.load(data);
  }

  // --- what comes from outside -------------------------------------------------------------------

  /**
   * Show what a host sets: the pinned pixel and the options of display.
   * @param {Pixel | null} pinned
   * @param {Display} display
   */
  follow(pinned, { frame, view, assumed, channel = 1, step = null, all = false, region = 33, kinds = 5, ...given }) {
    const { off = {}, keep = true, dropped = [], nonnegative = false, moved = null, anew = false, ...rest } = given;
    const { height, width } = this.data;
    this.pinnedAt = pinned && pinned[0] < height && pinned[1] < width ? pinned : null;
    if (this.pinnedAt) [this.cursor, this.touched] = [this.pinnedAt, true];
    Object.assign(this, rest);
    this.assumed.moveTo(assumed);
    this.series.moveTo(step);
    this.channel = clamp(channel, 0, 2);
    Object.assign(this, { allFrames: all, region, kindCount: kinds });
    const [movedFrame, dy, dx] = moved ?? [1, 0, 0];
    Object.assign(this.byHand, {
      offSizes: off,
      keepShare: keep,
      nonnegative,
      dropped,
      moved: { frame: movedFrame, shift: [dy, dx] },
    });
    this.anew.asked = anew;
    this.byHand.load();
    this.choosePanels();
    this.frame = clamp(frame, 0, this.frames - 1);
    if (view) this.setView(view[0], view[1], view[2]);
    else this.resetView();
  }

  // --- what a person does ------------------------------------------------------------------------

  /**
   * Look at a pixel.
   * @param {number} y
   * @param {number} x
   * @param {number} since  when the person moved; the time from then to the new kernels on the screen is measured
   */
  moveTo(y, x, since = performance.now()) {
    /** @type {Pixel} */
    const next = [clamp(y, 0, this.data.height - 1), clamp(x, 0, this.data.width - 1)];
    this.touched = true;
    const { cursor } = this;
    if (next[0] === cursor[0] && next[1] === cursor[1]) return;
    this.cursor = next;
    this.movedAt ||= since;
    this.changed("cursor");
  }

  /**
   * Move by keys: the pinned pixel, where there is one. The view follows it out of sight.
   * @param {number} dy
   * @param {number} dx
   */
  step(dy, dx) {
    const from = this.pinnedAt ?? this.cursor;
    this.moveTo(from[0] + dy, from[1] + dx);
    if (this.pinned) this.pinnedAt = this.cursor;
    const [y, x] = this.cursor;
    const { view, seen: [rows, columns] } = this; // prettier-ignore
    if (y < view.y || y >= view.y + rows || x < view.x || x >= view.x + columns)
      this.setView(y - rows / 2, x - columns / 2, view.zoom);
    if (this.pinned) this.chosen(PIN_REST_MS);
  }

  /**
   * Pin the pixel that is shown, or with `at` null let the pinned one go.
   * @param {Pixel | null} at
   */
  pin(at = this.cursor) {
    this.pinnedAt = at;
    this.chosen(PIN_REST_MS);
    this.changed("cursor");
  }

  release() {
    this.pin(null);
  }

  /** Nobody points at a picture any more. */
  backToPin() {
    if (this.pinnedAt) this.moveTo(...this.pinnedAt);
  }

  /**
   * The frame that Frame shows; it comes onto the stage, if it is not there.
   * @param {number} frame
   */
  chooseFrame(frame) {
    if (frame < 0 || frame >= this.frames) return;
    this.stopRolling();
    this.frame = frame;
    this.allFrames = false;
    if (!this.data.sizes && this.shown !== "frame" && (this.other !== "frame" || this.compare === "one"))
      this[this.compare === "one" ? "shown" : "other"] = "frame";
    this.redraw();
  }

  /** Views of one frame show all of them. */
  chooseAllFrames() {
    this.allFrames = true;
    this.redraw("cursor");
  }

  /**
   * A picture for the stage: at the right, or the only one; with `left` at the left of two.
   * @param {string} name
   * @param {boolean} left
   */
  choosePanel(name, left = false) {
    this.stopRolling();
    const role = left && this.compare !== "one" ? "other" : "shown";
    const opposite = role === "shown" ? "other" : "shown";
    if (this[opposite] === name) this[opposite] = this[role];
    this[role] = name;
    this.redraw("pictures", "cursor");
  }

  /** @param {string} compare */
  chooseCompare(compare) {
    const { cursor, view, seen } = this;
    const before = this.part;
    this.compare = compare;
    this.rearranged();
    // Of two pictures each shows the half that the pixel is in, as large as before: in one of both it stays where it was,
    // unless that is at the edge where they meet.
    const [columns, from] = [(this.part * this.data.width) / view.zoom, cursor[1] - view.x];
    const inRight = this.part < before && from >= seen[1] / 2 ? seen[1] - columns : 0;
    const edge = EDGE * columns;
    const moved = this.part < before ? clamp(inRight, from - columns + edge, from - edge) : 0;
    this.setView(view.y, view.x + moved, Math.max(view.zoom, 1));
    this.redraw();
  }

  /** @param {string} look */
  chooseLook(look) {
    this.look = look;
    this.stopPlaying();
    this.summed = null;
    this.redraw("cursor");
  }

  /** @param {boolean} on */
  setFlicker(on) {
    const { flicker } = this;
    if (flicker === on) return;
    this.flicker = on;
    this.changed("pictures");
  }

  /**
   * Keep the color scale of the kernels while the pixel moves.
   * @param {boolean} on
   */
  holdScale(on) {
    this.heldMax = on ? this.autoMax : null;
    this.redraw();
  }

  /** @param {number} power */
  assume(power) {
    this.assumed.moveTo(power);
    this.redraw();
  }

  /**
   * Switch a kernel size of a method off, or on again; without a size, all on.
   * @param {string} name  of the method
   * @param {number} [size]
   */
  toggleSize(name, size) {
    const method = this.kernelMethods.find(({ panel }) => this.data.panels[panel].name === name);
    if (!method) return;
    this.byHand.toggle(method, size);
    this.ideal.reset();
    this.redraw();
  }

  /**
   * Leave a frame out of all pictures, or take it in again.
   * @param {number} frame
   */
  toggleFrame(frame) {
    this.byHand.toggleFrame(frame);
    this.redraw();
  }

  /**
   * Move a frame under its kernels, which stay as they are unless the networks predict anew; one at a time.
   * @param {number} frame
   * @param {number} dy
   * @param {number} dx
   */
  moveFrame(frame, dy, dx) {
    const within = (/** @type {number} */ d) => clamp(Math.round(d) || 0, -MOST_MOVED, MOST_MOVED);
    this.byHand.moved = { frame: clamp(frame, 1, this.frames - 1), shift: [within(dy), within(dx)] };
    this.redraw();
  }

  /** All kernels and frames as they were. */
  undo() {
    this.byHand.undo();
    this.redraw();
  }

  /**
   * Another step of the series.
   * @param {number} step
   */
  chooseStep(step) {
    this.series.moveTo(step);
    this.redraw();
  }

  /** @param {number} channel */
  chooseChannel(channel) {
    this.channel = channel;
    this.redraw();
  }
}
