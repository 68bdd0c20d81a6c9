// The marks that legends explain: each is drawn in the legend as it is on pictures and kernels.

import { make } from "./elements.js";

export const CROSS = '<path d="M6 0v4.5M6 7.5v4.5M0 6h4.5M7.5 6h4.5"/>';
export const RING = '<circle cx="6" cy="6" r="4.2"/>';
export const SQUARE = '<path d="M1.5 1.5h9v9h-9z"/>';
export const TRIANGLE = '<path d="M2 2.2v7.6L10.5 6z"/>';
export const PIN = '<path d="M6 12L2.9 5.6A3.5 3.5 0 1 1 9.1 5.6z"/>';
export const BAR = '<path d="M0 6h12"/>';

/**
 * A mark, and what it means.
 * @param {string} kind  its class, which has its color
 * @param {string} mark
 * @param {string} text
 */
export function legendEntry(kind, mark, text, tip = "") {
  const entry = make("small", kind, text);
  entry.title = tip;
  entry.insertAdjacentHTML("afterbegin", `<svg viewBox="0 0 12 12" aria-hidden="true">${mark}</svg>`);
  return entry;
}
