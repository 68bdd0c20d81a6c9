// What a person does with the lens: pointers, wheel and controls, turned into changes of the state. (Keys: keys.js.)

/** @import { Pixel } from "./types" */
/** @import { Painter } from "./painter.js" */

import { saveFigure } from "./figure.js";
import { actionOf } from "./keys.js";
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

/** @param {EventTarget | null} target */
const elementOf = (target) => (target instanceof Element ? target : null);

export class Input {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.state = painter.state;
    this.parts = painter.parts;
    this.surface = painter.pictures.surface;
    /** @type {Map<number, Pointer>} */
    this.pointers = new Map();
    this.borrowed = false; // the keyboard, until the mouse leaves
    this.scrolledAt = -Infinity;
    /** @type {{ time: number, at: number[], pinnedAt: Pixel | null, cursor: Pixel } | undefined} */
    this.lastClick = undefined;
    this.stop = new AbortController(); // of what is listened to on the page around
    this.listen();
  }

  destroy() {
    this.stop.abort();
    clearTimeout(this.holdTimer);
  }

  listen() {
    const { state, painter, parts, parts: { root } } = this; // prettier-ignore
    for (const element of root.querySelectorAll(".stages")) {
      const stages = /** @type {HTMLElement} */ (element);
      stages.addEventListener("pointerenter", () => this.takeFocus());
      stages.addEventListener("pointerdown", (event) => this.onDown(event));
      stages.addEventListener("pointermove", (event) => this.onMove(event));
      stages.addEventListener("pointerup", (event) => this.onUp(event));
      stages.addEventListener("pointercancel", (event) => this.onCancel(event));
      // A finger that has pinned takes the pixel along; else the browser scrolls the page.
      stages.addEventListener("touchmove", (event) => this.keepsFinger && event.cancelable && event.preventDefault(), { passive: false });
      stages.addEventListener("contextmenu", (event) => this.pointers.size && event.preventDefault());
      stages.addEventListener("pointerleave", ({ pointerType }) => pointerType !== "touch" && state.backToPin());
      stages.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    }
    const onPage = { capture: true, signal: this.stop.signal };
    document.addEventListener("scroll", () => (this.scrolledAt = performance.now()), onPage);
    document.addEventListener("pointerdown", (event) => this.foldMenus(event.composedPath()[0]), onPage);
    root.addEventListener("pointerleave", () => this.borrowed && this.surface.blur());
    root.addEventListener("keydown", (event) => this.onKey(event));
    root.addEventListener("keyup", (event) => this.onKeyUp(event));
    root.addEventListener("focusout", () => state.data && state.setFlicker(false));
    root.addEventListener("input", ({ target }) => this.onControl(/** @type {HTMLInputElement} */ (target)));
    this.onClick(".rows", "[data-frame]", ({ frame }) => state.chooseFrame(Number(frame)));
    this.onClick(".rows", "[data-of]", ({ of = "", size }) => state.toggleSize(of, size ? Number(size) : undefined));
    for (const part of [".rows", ".film"])
      this.onClick(part, "[data-name]", ({ name = "" }, event) => state.choosePanel(name, event.shiftKey));
    this.onClick(".tabs", "[data-look]", ({ look = "" }) => state.chooseLook(look));
    const { rollButton, calm } = painter.pictures;
    rollButton.addEventListener("click", () => {
      state.roll(calm.matches);
      this.takeKeys();
    });
    parts.input("assumed").addEventListener("dblclick", () => state.assume(0));
    /** @type {Record<string, () => void>} */
    const actions = {
      ".pin": () => (state.pinned ? state.release() : this.pin()),
      ".reset": () => state.resetView(),
      ".fill": () => this.fill(),
      ".save": () => saveFigure(root, `kernels_y${state.cursor[0]}_x${state.cursor[1]}.png`),
      ".ask": () => parts.help.showModal(),
      ".close": () => parts.help.close(),
      ".play": () => state.play(),
      ".back": () => state.stepSum(-1),
      ".on": () => state.stepSum(1),
    };
    for (const [selector, action] of Object.entries(actions)) parts.find(selector).addEventListener("click", action);
  }

  /**
   * A click on an element that has some data, in a part of the lens; the keyboard stays with the lens.
   * @param {string} part
   * @param {string} selector
   * @param {(data: DOMStringMap, event: MouseEvent) => void} action
   */
  onClick(part, selector, action) {
    this.parts.find(part).addEventListener("click", (event) => {
      const element = elementOf(event.target)?.closest(selector);
      if (!(element instanceof HTMLElement)) return;
      action(element.dataset, event);
      if (event.detail > 0) this.takeKeys();
    });
  }

  /** Fill the window, or go back into the page. */
  fill() {
    const { desk } = this.painter;
    desk.fill(!desk.full);
    this.takeKeys();
  }

  takeKeys() {
    const quietly = { preventScroll: true, focusVisible: false }; // focusVisible: not in TypeScript's list yet
    this.surface.focus(quietly);
  }

  /**
   * A menu is open until one presses elsewhere, anywhere on the page, or Escape. Returns those that were folded.
   * @param {EventTarget | null} [target]
   */
  foldMenus(target = null) {
    const inside = target instanceof Node ? target : null;
    const open = [...this.parts.root.querySelectorAll("details")].filter((menu) => menu.open && !menu.contains(inside));
    for (const menu of open) menu.open = false;
    return open;
  }

  /** Keys work as soon as the mouse is on a picture, unless the keyboard is in use elsewhere. */
  takeFocus() {
    if (document.activeElement !== document.body) return;
    this.takeKeys();
    this.borrowed = true; // until the mouse leaves: a click keeps it
  }

  /** Pin the pixel that is shown. */
  pin() {
    this.state.pin();
    this.painter.controls.announce();
  }

  /** Pin the pixel that is shown; the pinned one is let go. */
  pinOrRelease() {
    if (this.state.pinned && !this.state.isAway) this.state.release();
    else this.pin();
  }

  /** @param {HTMLInputElement} control */
  onControl({ name, value, checked }) {
    const { state, painter } = this;
    if (name === "compare") return state.chooseCompare(value);
    if (name === "frame") return value === "all" ? state.chooseAllFrames() : state.chooseFrame(Number(value));
    if (name === "assumed") return state.assume(Number(value));
    if (name === "step") return state.chooseStep(Number(value));
    if (name === "channel") return state.chooseChannel(Number(value));
    if (name === "shown" || name === "other") return state.choosePanel(value, name === "other");
    if (name === "hold") return state.holdScale(checked);
    if (name === "mode" || name === "against") state[name] = value;
    if (name === "stops" || name === "contrast" || name === "window") state[name] = Number(value);
    if (name === "linear") state.linear = !checked;
    if (name === "each" || name === "marks") state[name] = checked;
    if (name === "same") state.sameScale = checked;
    if (name === "decibel") state.decibel = checked;
    if (name === "keep") state.keptSizes.keepShare = checked;
    if (name === "mapped") state.mapAll = value === "all";
    state.redraw();
    if (name === "marks") painter.rows.writeLegend();
  }

  // --- pointers ---------------------------------------------------------------------------------

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
    this.borrowed = false;
    if (!at || !stage || event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { stage, at, from: at, view: this.state.view, moved: false, held: false });
    if (this.pointers.size > 1) for (const pointer of this.pointers.values()) pointer.moved = true;
    else if (event.pointerType === "touch") this.holdTimer = setTimeout(() => this.onHold(event), HOLD_MS);
  }

  /**
   * A finger has rested: it pins the pixel, or lets the pinned one go.
   * @param {PointerEvent} event
   */
  onHold(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer || pointer.moved) return;
    [pointer.held, pointer.moved] = [true, true];
    this.follow(pointer.at, event);
    this.pinOrRelease();
    this.state.movedAt = 0; // it rested: not how long the kernels took
  }

  /** Whether a finger is meant for the picture, and not for scrolling. */
  get keepsFinger() {
    return this.pointers.size > 1 || [...this.pointers.values()].some(({ held }) => held);
  }

  /** @param {PointerEvent} event */
  onCancel({ pointerId }) {
    clearTimeout(this.holdTimer);
    this.pointers.delete(pointerId);
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const { state } = this;
    const pointer = this.pointers.get(event.pointerId);
    const at = this.position(event, pointer?.stage);
    if (!at) return;
    if (!pointer) return this.follow(at, event);
    const before = pointer.at;
    pointer.at = at;
    if (this.pointers.size === 2) return this.pinch(pointer, before);
    const touch = event.pointerType === "touch";
    if (distance(at, pointer.from) > (touch ? STILL_A_TAP : STILL_A_CLICK)) {
      pointer.moved = true;
      clearTimeout(this.holdTimer);
    }
    if (!pointer.moved) return;
    // Up and down a finger scrolls the page: the browser is about to take it.
    const [across, down] = [0, 1].map((axis) => Math.abs(at[axis] - pointer.from[axis]));
    if (touch && !pointer.held && down > across && !this.painter.desk.full) return;
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
    const resting = [...this.pointers.values()].find((pointer) => pointer !== moving);
    if (!resting) return;
    const apart = (/** @type {number[]} */ at) => Math.max(LEAST_PINCH, distance(at, resting.at));
    const at = this.state.flat(resting.at);
    if (at) this.state.zoomAt(apart(moving.at) / apart(before), at[0], at[1]);
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    const { state } = this;
    const pointer = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    clearTimeout(this.holdTimer);
    // A finger takes the pinned pixel along: it leaves the picture as it is lifted, and what it found is to stay.
    if (pointer?.held && state.pinned) this.pin();
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
    if (touch) this.painter.announceSoon();
    else this.pinOrRelease();
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

  // --- keys -------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return;
    // The page around has shortcuts of its own (Streamlit's R reruns the app); what is typed here is meant for the lens.
    event.stopPropagation();
    if (event.key === "Escape") {
      const [folded] = this.foldMenus();
      if (folded) return folded.querySelector("summary")?.focus();
    }
    if (event.target !== this.parts.root && event.target !== this.surface && event.key !== "?") return;
    const action = actionOf(event.key, event.shiftKey ? 10 : 1, this);
    if (!action || !this.state.data) return;
    event.preventDefault();
    action();
  }

  /** @param {KeyboardEvent} event */
  onKeyUp(event) {
    event.stopPropagation();
    if (event.key === "f") this.state.setFlicker(false);
  }
}
