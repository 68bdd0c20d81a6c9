// The lens in any element: what Streamlit (kpnviz/ui/kernel_lens), the page of its own (page.js) and every other host use.

/** @import { Order, Theme } from "./types" */
/** @import { Heard } from "./lens.js" */

import { make } from "./elements.js";
import { Lens } from "./lens.js";
import STYLE from "./lens.css";
import MARKUP from "./lens.html";

/**
 * @typedef {object} Options
 * @property {Uint8Array | null} [payload]  what kpnviz.lens.pack wrote; without one the lens is empty until handle.show
 * @property {Order | null} [order]  the pinned pixel, and how the burst is shown; it needs a payload
 * @property {number | null} [height]  CSS pixels that the lens is to fit into; null: what is left of the window
 * @property {Theme} [theme]  colors and letters, where they are not those of the page around
 */

/**
 * Put a lens into an element, or a shadow root, so that the lens' styles stay inside. The lens that is returned has methods to
 * show another payload, to follow an order, setAssumed, setPredictor, setHeight, setTheme, refresh and destroy.
 * @param {HTMLElement | ShadowRoot} place
 * @param {Options & Heard} options
 */
export function mount(place, { payload = null, order = null, height = null, theme = {}, ...heard }) {
  const markup = document.createElement("template");
  markup.innerHTML = MARKUP;
  place.replaceChildren(make("style", "", STYLE), markup.content);
  const root = /** @type {HTMLElement & { lens?: Lens }} */ (place.querySelector(".lens"));
  const lens = new Lens(root, heard);
  root.lens = lens; // what the tests read
  lens.setTheme(theme);
  if (height !== null) lens.setHeight(height);
  if (payload) lens.show(payload);
  if (payload && order) lens.follow(order);
  return lens;
}
