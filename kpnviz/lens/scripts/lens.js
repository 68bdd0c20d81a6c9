// The lens: its state, its painter and its input, and what it tells its host.

/** @import { AssumedGiven, Display, Order, Pixel, Predictor, Theme } from "./types" */

import { Input } from "./input.js";
import { Painter } from "./painter.js";
import { readPayload } from "./payload.js";
import { State } from "./state.js";
import { looksOf } from "./views.js";

/**
 * What a host may hear. Each is called once what it tells has rested, and not for what the host itself has set.
 * @typedef {object} Heard
 * @property {(pixel: Pixel | null) => void} [onPinned]  a person pinned a pixel, (y, x), or let it go
 * @property {(display: Display) => void} [onDisplay]  a person changed how the burst is shown
 * @property {(pixel: Pixel) => void} [onLook]  another pixel is shown, whoever chose it
 */

const LOOK_REST_MS = 120; // a host hears of a pixel once the mouse rests there

export class Lens {
  /**
   * @param {HTMLElement} root  lens.html's
   * @param {Heard} heard
   */
  constructor(root, { onPinned = () => {}, onDisplay = () => {}, onLook }) {
    this.root = root;
    this.onPinned = onPinned;
    this.onDisplay = onDisplay;
    this.onLook = onLook;
    this.id = ""; // of the payload that is shown
    this.told = { pinned: "", display: "" }; // what the host knows, as JSON
    this.state = new State({
      changed: (...parts) => {
        this.painter.invalidate(...parts);
        if (parts.includes("cursor")) this.lookSoon();
      },
      chosen: (delay) => this.reportSoon(delay),
      rearranged: () => this.painter.desk.layOut(),
      looksOf,
    });
    this.painter = new Painter(root, this.state);
    this.input = new Input(this.painter);
    this.refresh();
    this.setEmpty(true);
  }

  destroy() {
    clearTimeout(this.reportTimer);
    clearTimeout(this.lookTimer);
    this.input.destroy();
    this.painter.destroy();
    this.state.destroy();
  }

  /**
   * Show a burst and its estimates, as kpnviz.lens.pack writes them. What a person chose stays where there still is such.
   * @param {Uint8Array} payload
   */
  show(payload) {
    const data = readPayload(payload);
    this.setOutdated(false);
    if (data.id === this.id) return;
    this.id = data.id;
    this.setEmpty(false);
    this.input.pointers.forget();
    const first = !this.state.data;
    this.state.load(data);
    if (first) this.told = this.now;
    this.painter.build();
    this.refresh();
  }

  /**
   * Pin a pixel and show the burst in some way.
   * @param {Order} order
   */
  follow({ pinned, display }) {
    this.state.follow(pinned, display);
    clearTimeout(this.reportTimer);
    this.told = this.now;
    this.painter.desk.layOut();
    this.painter.invalidate("bitmaps", "pictures", "cursor");
  }

  /**
   * What is known of a burst with other assumed noise. Called again as more of it comes; without results at first, the
   * slider says that they are on their way. null: there is no slider.
   * @param {AssumedGiven | null} given
   */
  setAssumed(given) {
    this.state.assumed.set(given);
    if (!this.state.data) return;
    this.painter.controls.writeAssumed();
    this.painter.desk.layOut();
  }

  /**
   * What predicts for a frame that a person moves (the view What if); null: nothing does.
   * @param {Predictor | null} predictor
   */
  setPredictor(predictor) {
    this.state.anew.set(predictor);
    if (this.state.data) this.painter.invalidate("bitmaps", "pictures", "cursor");
  }

  /**
   * Before the first burst there is nothing to see and nothing to choose; the lens keeps its place.
   * @param {boolean} empty
   */
  setEmpty(empty) {
    this.root.classList.toggle("empty", empty);
    this.root.inert = empty;
  }

  /**
   * Whether another burst is on its way: what is shown turns pale.
   * @param {boolean} outdated
   */
  setOutdated(outdated) {
    this.root.classList.toggle("old", outdated);
  }

  /**
   * CSS pixels that the lens is to fit into; null: the window.
   * @param {number | null} height
   */
  setHeight(height) {
    this.painter.desk.setHeight(height);
  }

  /**
   * Colors and letters; what is left out is inherited from the page around.
   * @param {Theme} theme
   */
  setTheme({ text, background, primary, font }) {
    const names = { "text-color": text, "background-color": background, "primary-color": primary, font };
    for (const [name, value] of Object.entries(names))
      if (value === undefined) this.root.style.removeProperty(`--st-${name}`);
      else this.root.style.setProperty(`--st-${name}`, value);
    this.refresh();
  }

  /** The page around changed: its colors, or what stands above the lens. */
  refresh() {
    this.painter.takeTheme();
    this.painter.desk.settle();
  }

  /** What a host is told, as JSON: that tells whether it has changed. */
  get now() {
    const { pinnedAt, display } = this.state;
    return { pinned: JSON.stringify(pinnedAt), display: JSON.stringify(display) };
  }

  /** @param {number} delay */
  reportSoon(delay) {
    clearTimeout(this.reportTimer);
    this.reportTimer = setTimeout(() => {
      const { now, told } = this;
      this.told = now;
      if (now.pinned !== told.pinned) this.onPinned(this.state.pinnedAt);
      if (now.display !== told.display) this.onDisplay(this.state.display);
    }, delay);
  }
  lookSoon() {
    const { onLook, state } = this;
    if (!onLook) return;
    clearTimeout(this.lookTimer);
    this.lookTimer = setTimeout(() => onLook(state.cursor), LOOK_REST_MS);
  }
}
