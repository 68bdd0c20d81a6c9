// What mouse, fingers and wheel do on the pictures.

/** @import { Pixel } from "./types" */
/** @import { Input } from "./input.js" */

import { elementOf } from "./elements.js";
import { clamp } from "./layout.js";

const DOUBLE_CLICK_MS = 350;
const STILL_A_CLICK = 4; // CSS pixels
const STILL_A_TAP = 8; // the same of a finger
const SCROLLING_MS = 300;
const LEAST_PINCH = 20; // CSS pixels
const HOLD_MS = 500; // a finger that rests so long pins

/**
 * A pointer that is down: where it is on its stage, where it went down, and the view at that time.
 * @typedef {object} Pointer
 * @property {Element} stage
 * @property {number[]} at
 * @property {number[]} from
 * @property {{ y: number, x: number, zoom: number }} view
 * @property {boolean} moved
 * @property {boolean} held  a finger that has rested, and pinned
 */

/**
 * @param {number[]} one
 * @param {number[]} other
 */
const distance = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by);

export class Pointers {
  /** @param {Input} input */
  constructor(input) {
    this.input = input;
    this.state = input.state;
    /** @type {Map<number, Pointer>} */
    this.down = new Map();
    this.scrolledAt = -Infinity;
    /** @type {{ time: number, at: number[], pinnedAt: Pixel | null, cursor: Pixel } | undefined} */
    this.lastClick = undefined;
    this.listen();
  }

  /** The pictures that they were on are replaced, or go. */
  forget() {
    clearTimeout(this.holdTimer);
    this.down.clear();
  }

  listen() {
    for (const element of this.input.parts.root.querySelectorAll(".stages")) {
      const stages = /** @type {HTMLElement} */ (element);
      stages.addEventListener("pointerenter", () => this.input.takeFocus());
      stages.addEventListener("pointerdown", (event) => this.onDown(event));
      stages.addEventListener("pointermove", (event) => this.onMove(event));
      stages.addEventListener("pointerup", (event) => this.onUp(event));
      stages.addEventListener("pointercancel", (event) => this.onCancel(event));
      // A finger that has pinned takes the pixel along; else the browser scrolls the page.
      stages.addEventListener("touchmove", (event) => this.keepsFinger && event.cancelable && event.preventDefault(), {
        passive: false,
      });
      stages.addEventListener("contextmenu", (event) => this.down.size && event.preventDefault());
      stages.addEventListener("pointerleave", ({ pointerType }) => pointerType !== "touch" && this.state.backToPin());
      stages.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    }
    const onPage = { capture: true, signal: this.input.stop.signal };
    document.addEventListener("scroll", () => (this.scrolledAt = performance.now()), onPage);
  }

  /**
   * Where a pointer is on the stage under it (or the one that it went down on): CSS pixels.
   * @param {MouseEvent} event
   * @param {Element | null} stage
   */
  position(event, stage = elementOf(event.target)?.closest(".stage") ?? null) {
    if (!stage) return null;
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /**
   * Look at the pixel at a point. The event's own time counts: what waited in the queue belongs to it.
   * @param {number[]} at
   * @param {Event} event
   */
  follow(at, event) {
    const [y, x] = this.state.pixelAt(at);
    this.state.moveTo(y, x, event.timeStamp);
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    const stage = elementOf(event.target)?.closest(".stage");
    const at = this.position(event);
    this.input.borrowed = false;
    if (!at || !stage || event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, { stage, at, from: at, view: this.state.view, moved: false, held: false });
    if (this.down.size > 1) for (const pointer of this.down.values()) pointer.moved = true;
    else if (event.pointerType === "touch") this.holdTimer = setTimeout(() => this.onHold(event), HOLD_MS);
  }

  /**
   * A finger has rested: it pins the pixel, or lets the pinned one go.
   * @param {PointerEvent} event
   */
  onHold(event) {
    const pointer = this.down.get(event.pointerId);
    if (!pointer || pointer.moved) return;
    [pointer.held, pointer.moved] = [true, true];
    this.follow(pointer.at, event);
    this.input.pinOrRelease();
    this.state.movedAt = 0; // it rested: not how long the kernels took
  }

  /** Whether a finger is meant for the picture, and not for scrolling. */
  get keepsFinger() {
    return this.down.size > 1 || [...this.down.values()].some(({ held }) => held);
  }

  /** @param {PointerEvent} event */
  onCancel({ pointerId }) {
    clearTimeout(this.holdTimer);
    this.down.delete(pointerId);
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const { state } = this;
    const pointer = this.down.get(event.pointerId);
    const at = this.position(event, pointer?.stage);
    if (!at) return;
    if (!pointer) return this.follow(at, event);
    const before = pointer.at;
    pointer.at = at;
    if (this.down.size === 2) return this.pinch(pointer, before);
    const touch = event.pointerType === "touch";
    if (distance(at, pointer.from) > (touch ? STILL_A_TAP : STILL_A_CLICK)) {
      pointer.moved = true;
      clearTimeout(this.holdTimer);
    }
    if (!pointer.moved) return;
    // Up and down a finger scrolls the page: the browser is about to take it.
    const [across, down] = [0, 1].map((axis) => Math.abs(at[axis] - pointer.from[axis]));
    if (touch && !pointer.held && down > across && !this.input.painter.desk.full) return;
    if (pointer.held || state.isWhole) return this.follow(at, event);
    const { view, from } = pointer;
    state.setView(view.y - (at[1] - from[1]) / state.scale, view.x - (at[0] - from[0]) / state.scale, view.zoom);
  }

  /**
   * Two fingers: the one that moved against the one that rests.
   * @param {Pointer} moving
   * @param {number[]} before
   */
  pinch(moving, before) {
    const resting = [...this.down.values()].find((pointer) => pointer !== moving);
    if (!resting) return;
    const apart = (/** @type {number[]} */ at) => Math.max(LEAST_PINCH, distance(at, resting.at));
    const at = this.state.flat(resting.at);
    if (at) this.state.zoomAt(apart(moving.at) / apart(before), at[0], at[1]);
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    const { state } = this;
    const pointer = this.down.get(event.pointerId);
    this.down.delete(event.pointerId);
    clearTimeout(this.holdTimer);
    // A finger takes the pinned pixel along: it leaves the picture as it is lifted, and what it found is to stay.
    if (pointer?.held && state.pinned) this.input.pin();
    if (!pointer || pointer.moved) return;
    const [y, x] = state.pixelAt(pointer.at);
    const { lastClick } = this;
    this.lastClick = undefined;
    const touch = event.pointerType === "touch";
    const soon = lastClick && event.timeStamp - lastClick.time < DOUBLE_CLICK_MS;
    if (soon && distance(pointer.at, lastClick.at) <= (touch ? 2 * STILL_A_TAP : STILL_A_CLICK)) {
      if (touch) return state.resetView();
      // The second click of a double-click takes back what the first did.
      state.cursor = lastClick.cursor;
      state.pin(lastClick.pinnedAt);
      return state.resetView();
    }
    this.lastClick = { time: event.timeStamp, at: pointer.at, pinnedAt: state.pinnedAt, cursor: state.cursor };
    state.moveTo(y, x);
    if (touch) this.input.painter.announceSoon();
    else this.input.pinOrRelease();
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    const { state } = this;
    const at = this.position(event);
    if (!at || event.ctrlKey) return;
    // A wheel that is scrolling the page goes on scrolling it as a picture comes under the mouse.
    const scrolling = performance.now() - this.scrolledAt < SCROLLING_MS;
    if (scrolling || (event.deltaY > 0 && state.isWhole)) return;
    event.preventDefault();
    const point = state.flat(at);
    if (!point) return;
    state.zoomAt(2 ** (-clamp(event.deltaY, -200, 200) / 250), point[0], point[1]);
    this.follow(at, event);
  }
}
