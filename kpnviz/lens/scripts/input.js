// What a person does with the lens: controls and keys, turned into changes of the state. (What keys do: keys.js; pointers
// and wheel on the pictures: pointers.js.)

/** @import { Painter } from "./painter.js" */

import { elementOf } from "./elements.js";
import { saveFigure } from "./figure.js";
import { actionOf } from "./keys.js";
import { Pointers } from "./pointers.js";

export class Input {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.state = painter.state;
    this.parts = painter.parts;
    this.surface = painter.pictures.surface;
    this.borrowed = false; // the keyboard, until the mouse leaves
    this.stop = new AbortController(); // of what is listened to on the page around
    this.pointers = new Pointers(this);
    this.listen();
  }

  destroy() {
    this.stop.abort();
    this.pointers.forget();
  }

  listen() {
    const { state, painter, parts, parts: { root } } = this; // prettier-ignore
    const onPage = { capture: true, signal: this.stop.signal };
    document.addEventListener("pointerdown", (event) => this.foldMenus(event.composedPath()[0]), onPage);
    root.addEventListener("pointerleave", () => this.borrowed && this.surface.blur());
    root.addEventListener("keydown", (event) => this.onKey(event));
    root.addEventListener("keyup", (event) => this.onKeyUp(event));
    root.addEventListener("focusout", () => state.data && state.setFlicker(false));
    root.addEventListener("input", ({ target }) => this.onControl(/** @type {HTMLInputElement} */ (target)));
    this.onClick(".rows", "[data-frame]", ({ frame }) => state.chooseFrame(Number(frame)));
    this.onClick(".rows", "[data-of]", ({ of = "", size }) => state.toggleSize(of, size ? Number(size) : undefined));
    this.onClick(".rows", "[data-drop]", ({ drop }) => state.toggleFrame(Number(drop)));
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
      ".ask": () => parts.openHelp(),
      ".map-kinds": () => ((state.mode = "kinds"), state.redraw()),
      ".close": () => parts.help.close(),
      ".play": () => state.play(),
      ".undo": () => state.undo(),
      ".peak": () => this.pinNextPeak(),
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

  /** The next of the pixels in which the picture differs most from what it is compared with. */
  pinNextPeak() {
    const { state, painter: { pictures: { peaks } } } = this; // prettier-ignore
    const at = peaks.findIndex((peak) => peak.at.every((c, axis) => c === state.pinnedAt?.[axis]));
    const next = peaks[(at + 1) % peaks.length];
    state.moveTo(...next.at);
    this.pin();
    state.changed("pictures");
  }

  moveFrame() {
    const [frame, dy, dx] = ["moved", "dy", "dx"].map((name) => Number(this.parts.input(name).value));
    this.state.moveFrame(frame, dy, dx);
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
    if (name === "keep") state.byHand.keepShare = checked;
    if (name === "region") state.region = Number(value);
    if (name === "kinds") state.kindCount = Number(value);
    if (name === "nonnegative") state.byHand.nonnegative = checked;
    if (name === "anew") state.anew.asked = checked;
    if (name === "moved" || name === "dy" || name === "dx") return this.moveFrame();
    if (name === "mapped") state.mapAll = value === "all";
    state.redraw();
    if (name === "marks") painter.rows.writeLegend();
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
