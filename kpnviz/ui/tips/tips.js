// What words on a page mean, as in the lens (lens/scripts/tips.js): while the mouse is on one or the keyboard at it, and at a tap.

import { Tips } from "../../lens/scripts/tips.js";
import { called } from "../latest_call.js";

/** @type {WeakMap<HTMLElement, Tips>} */
const shown = new WeakMap(); // one for each part of the page, whatever component stands in it

/** @param {{ parentElement: HTMLElement | ShadowRoot }} component */
export default function ({ parentElement }) {
  const host = "host" in parentElement ? parentElement.host : parentElement;
  const part = host.closest("[data-testid=stMain], [data-testid=stSidebarContent]");
  if (!(part instanceof HTMLElement)) return;
  const show = () => {
    const around = part.closest("[data-testid=stSidebar]") ?? part.closest(".stApp") ?? part;
    part.style.setProperty("--tip-paper", getComputedStyle(around).backgroundColor);
    if (!shown.has(part)) shown.set(part, new Tips(part));
  };
  return called(part, show, () => {
    shown.get(part)?.destroy();
    shown.delete(part);
  });
}
