// What a word or a mark means, beside it: while the mouse is on it or the keyboard at it, and at a tap.

import { make } from "./elements.js";
import { clamp } from "./layout.js";

// What is explained; controls explain themselves by their titles, as they do something at a tap.
const EXPLAINED =
  "[data-tip], .legend small[title], .lines span[title], .scale[title], .chip .score[title], .value[title]";
const GAP = 6; // CSS pixels
const SOON_MS = 250;

export class Tips {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.box = make("div", "tip");
    this.box.hidden = true;
    this.box.setAttribute("role", "tooltip");
    this.box.id = "tip";
    root.append(this.box);
    /** @type {Element | null} */
    this.at = null;
    this.stop = new AbortController();
    const { signal } = this.stop;
    root.addEventListener(
      "pointerover",
      (event) => event.pointerType !== "touch" && this.soon(explainedOf(event, "[data-tip]")),
      { signal },
    );
    root.addEventListener(
      "focusin",
      (event) => {
        const element = explainedOf(event, "[data-tip]");
        if (element?.matches(":focus-visible")) this.show(element); // by keyboard: a tap or click toggles
      },
      { signal },
    );
    root.addEventListener("focusout", () => this.hide(), { signal });
    root.addEventListener("click", (event) => this.toggle(explainedOf(event, EXPLAINED)), { signal });
    root.addEventListener("keydown", ({ key }) => key === "Escape" && this.hide(), { capture: true, signal });
    root.addEventListener("pointerleave", () => this.hide(), { signal });
  }

  destroy() {
    clearTimeout(this.timer);
    this.stop.abort();
    this.box.remove();
  }

  /** @param {Element | null} element */
  soon(element) {
    clearTimeout(this.timer);
    if (element === this.at) return;
    this.timer = setTimeout(() => (element ? this.show(element) : this.hide()), SOON_MS);
  }

  /** @param {Element | null} element */
  toggle(element) {
    if (element && element !== this.at) this.show(element);
    else if (!element?.matches(":focus-visible")) this.hide();
  }

  /** @param {Element | null} element */
  show(element) {
    clearTimeout(this.timer);
    if (!element) return this.hide();
    this.at?.removeAttribute("aria-describedby");
    this.at = element;
    element.setAttribute("aria-describedby", this.box.id);
    this.box.textContent = element.getAttribute("data-tip") ?? element.getAttribute("title");
    this.box.hidden = false;
    const [word, root] = [element.getBoundingClientRect(), this.root.getBoundingClientRect()];
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const below = word.bottom + GAP + height <= Math.min(window.innerHeight, root.bottom);
    const top = (below ? word.bottom + GAP : word.top - GAP - height) - root.top + this.root.scrollTop;
    this.box.style.left = `${clamp(word.left - root.left, 0, Math.max(0, root.width - width - GAP))}px`;
    this.box.style.top = `${top}px`;
  }

  hide() {
    clearTimeout(this.timer);
    this.at?.removeAttribute("aria-describedby");
    this.at = null;
    this.box.hidden = true;
  }
}

/**
 * @param {Event} event
 * @param {string} selector
 */
function explainedOf({ target }, selector) {
  return target instanceof Element ? target.closest(selector) : null;
}
