// What words on a page mean, as in the lens (lens/scripts/tips.js): while the mouse is on one or the keyboard at it, and at a tap.

import { Tips } from "../../lens/scripts/tips.js";

/** @type {Tips | null} */
let tips = null; // one for the page around, whatever component stands on it

/** @param {{ parentElement: HTMLElement | ShadowRoot }} component */
export default function ({ parentElement }) {
  const host = "host" in parentElement ? parentElement.host : parentElement;
  const page = host.closest("[data-testid=stMain]");
  if (!(page instanceof HTMLElement)) return;
  page.style.setProperty("--tip-paper", getComputedStyle(page.closest(".stApp") ?? page).backgroundColor);
  if (tips?.root !== page) {
    tips?.destroy();
    tips = new Tips(page);
  }
  const mine = tips;
  return () => {
    if (tips !== mine) return;
    tips.destroy();
    tips = null;
  };
}
