// Steps through examples by key, as a presenter's remote control sends them.

import { called } from "../latest_call.js";

const STEPS = { ArrowRight: 1, ArrowLeft: -1, PageDown: 1, PageUp: -1 };

// What has a use of its own for arrows, and what for Page Up and Page Down.
const CONTROLS = "input, textarea, select, [contenteditable]:not([contenteditable=false]), [role=slider], [role=spinbutton], [role=listbox], [role=combobox], [role=grid], [role=menu], [role=dialog]";
const ARROWED = `${CONTROLS}, .lens, [role=radio], [role=radiogroup], [role=tab], [role=tablist]`;

// The element that has the keyboard, also in the shadow of another.
function focused() {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element;
}

// Where a step leads among `count` examples: `at` is the one that was shown last, or null.
function stepTo(at, step, count) {
  if (at === null) return step > 0 ? 0 : count - 1;
  return Math.min(Math.max(at + step, 0), count - 1);
}

class Presenter {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.wanted = null; // what was asked for, until Python shows it
    this.onKey = (event) => this.take(event);
    // Before the lens, which keeps its keys to itself.
    window.addEventListener("keydown", this.onKey, { capture: true });
    this.find(".back").addEventListener("click", () => this.step(-1));
    this.find(".on").addEventListener("click", () => this.step(1));
  }

  destroy() {
    window.removeEventListener("keydown", this.onKey, { capture: true });
  }

  update({ titles, at, shown }, report) {
    Object.assign(this, { titles, report });
    if (this.wanted !== null && at !== this.wanted) return; // of an earlier step
    Object.assign(this, { at, shown, wanted: null });
    this.write();
  }

  take(event) {
    const step = STEPS[event.key];
    if (!step || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (focused()?.closest(event.key.startsWith("Arrow") ? ARROWED : CONTROLS)) return;
    event.preventDefault();
    event.stopPropagation();
    this.step(step);
  }

  step(step) {
    const next = stepTo(this.at, step, this.titles.length);
    if (next === this.at && this.shown) return;
    Object.assign(this, { at: next, shown: true, wanted: next });
    this.write();
    this.report("example", next);
  }

  write() {
    const { titles, at, shown } = this;
    this.find(".title").textContent = shown ? titles[at] : "Own scene";
    this.find(".number").textContent = shown ? `${at + 1} of ${titles.length}` : `${titles.length} examples`;
    this.find(".back").disabled = shown && at === 0;
    this.find(".on").disabled = shown && at === titles.length - 1;
  }
}

const presenters = new WeakMap();

// Called again for every run of the script.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".presenter");
  if (!presenters.has(root)) presenters.set(root, new Presenter(root));
  const presenter = presenters.get(root);
  return called(root, () => presenter.update(data, setTriggerValue), () => {
    presenter.destroy();
    presenters.delete(root);
  });
}
