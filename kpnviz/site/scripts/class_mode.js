// In front of a class: as in the app, a presenter beside the title steps through examples or lessons, and controls are folded away.

import { Presenter } from "../../lens/presenter/presenter.js";
import { elementNamed, make } from "./elements.js";

/**
 * A presenter at the right of a page's header.
 * @param {HTMLElement} header
 * @param {(number: number) => void} show
 */
export function presenterBeside(header, show) {
  const host = make("div", { className: "presenter-host" });
  header.append(host);
  return new Presenter(host.attachShadow({ mode: "open" }), show);
}

/** Whether a person folded controls away, or unfolded them, while the site is open. @type {boolean | null} */
let folded = null;

/**
 * A button that folds a page's controls away; for a class they are at first.
 * @param {HTMLElement} columns  controls, and what stands beside them
 * @param {boolean} teach
 */
export function foldButton(columns, teach) {
  const button = make("button", { type: "button", textContent: "Controls" });
  button.setAttribute("aria-controls", "controls");
  const write = () => {
    const away = folded ?? teach;
    columns.classList.toggle("folded", away);
    button.setAttribute("aria-expanded", String(!away));
    button.title = away ? "Show the controls" : "Fold the controls away: pictures get their place";
  };
  button.onclick = () => {
    folded = !(folded ?? teach);
    write();
  };
  write();
  elementNamed("tools").prepend(button);
  return button;
}
