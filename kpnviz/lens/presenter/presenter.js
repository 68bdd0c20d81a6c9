// Steps through examples or lessons in front of a class, by key, as a presenter's remote control sends them.
//
// The app (kpnviz/ui/presenter) and the site put it beside the title of a page; what is shown is theirs.

import STYLE from "./presenter.css";
import MARKUP from "./presenter.html";

/** @type {Record<string, number>} */
const STEPS = { ArrowRight: 1, ArrowLeft: -1, PageDown: 1, PageUp: -1 };

// What has a use of its own for arrows, and what for Page Up and Page Down.
const CONTROLS =
  "input, textarea, select, dialog, [contenteditable]:not([contenteditable=false]), [role=slider], [role=spinbutton], [role=listbox], [role=combobox], [role=grid], [role=menu], [role=dialog]";
const ARROWED = `${CONTROLS}, .lens, [role=radio], [role=radiogroup], [role=tab], [role=tablist]`;

/** The element that has the keyboard, also in the shadow of another. */
function focused() {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element;
}

/**
 * Where a step leads among `count`: `at` is the one that was shown last, or null.
 * @param {number | null} at
 * @param {number} step
 * @param {number} count
 */
export function stepTo(at, step, count) {
  if (at === null) return step > 0 ? 0 : count - 1;
  return Math.min(Math.max(at + step, 0), count - 1);
}

/**
 * at: the one that was shown last, from 0, or null; shown: whether it still is, as a person may have changed what is seen.
 * @typedef {{ titles: string[], at: number | null, shown: boolean }} Told
 */

export class Presenter {
  /**
   * @param {HTMLElement | ShadowRoot} place  that it fills
   * @param {(number: number) => void} show  told which one is wanted
   */
  constructor(place, show) {
    this.place = place;
    this.show = show;
    /** @type {Told} */
    this.told = { titles: [], at: null, shown: false };
    /** @type {number | null} */
    this.wanted = null; // what was asked for, until the host shows it
    const markup = document.createElement("template");
    markup.innerHTML = MARKUP;
    const style = document.createElement("style");
    style.textContent = STYLE;
    place.replaceChildren(style, markup.content);
    // Before the lens, which keeps its keys to itself.
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.take(event);
    window.addEventListener("keydown", this.onKey, { capture: true });
    this.find(".back").addEventListener("click", () => this.step(-1));
    this.find(".on").addEventListener("click", () => this.step(1));
  }

  destroy() {
    window.removeEventListener("keydown", this.onKey, { capture: true });
  }

  /** @param {string} selector */
  find(selector) {
    return /** @type {HTMLButtonElement} */ (this.place.querySelector(selector));
  }

  /** What the host shows. @param {Told} told */
  update(told) {
    this.told.titles = told.titles;
    if (this.wanted !== null && told.at !== this.wanted) return; // of an earlier step
    this.told = told;
    this.wanted = null;
    this.write();
  }

  /** @param {KeyboardEvent} event */
  take(event) {
    const step = STEPS[event.key];
    if (!step || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (focused()?.closest(event.key.startsWith("Arrow") ? ARROWED : CONTROLS)) return;
    event.preventDefault();
    event.stopPropagation();
    this.step(step);
  }

  /** @param {number} step */
  step(step) {
    const { titles, at, shown } = this.told;
    const next = stepTo(at, step, titles.length);
    if (next === at && shown) return;
    this.told = { titles, at: next, shown: true };
    this.wanted = next;
    this.write();
    this.show(next);
  }

  write() {
    const { titles, at, shown } = this.told;
    const here = shown && at !== null;
    this.find(".title").textContent = here ? titles[at] : "Own scene";
    this.find(".number").textContent = here ? `${at + 1} of ${titles.length}` : `${titles.length} examples`;
    this.find(".back").disabled = here && at === 0;
    this.find(".on").disabled = here && at === titles.length - 1;
  }
}
