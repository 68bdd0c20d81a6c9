// A group of buttons as one tab stop: Tab enters it at one button, and arrow keys, Home and End move within it (WAI-ARIA
// Authoring Practices: roving tabindex).

/**
 * The button at which a key arrives from `from`: left and right go on in order, from the last to the first too; up and
 * down go to the nearest in the next line. Undefined where the key leads nowhere.
 * @param {HTMLElement[]} items
 * @param {HTMLElement} from
 * @param {string} key
 */
function nextByKey(items, from, key) {
  const place = items.indexOf(from);
  if (key === "Home") return items[0];
  if (key === "End") return items.at(-1);
  if (key === "ArrowRight") return items[(place + 1) % items.length];
  if (key === "ArrowLeft") return items.at(place - 1);
  const sign = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
  if (!sign) return;
  const { top, left } = from.getBoundingClientRect();
  /** @type {HTMLElement | undefined} */
  let nearest;
  let best = [Infinity, Infinity];
  for (const item of items) {
    const box = item.getBoundingClientRect();
    const [down, across] = [Math.round(sign * (box.top - top)), Math.abs(box.left - left)];
    if (down > 0 && (down < best[0] || (down === best[0] && across < best[1])))
      [nearest, best] = [item, [down, across]];
  }
  return nearest;
}

export class Roving {
  /**
   * @param {HTMLElement} container
   * @param {string} selector
   * @param {(item: HTMLElement) => void} moved  what is done with the button that arrow keys lead to, beside focusing it
   */
  constructor(container, selector, moved = () => {}) {
    this.container = container;
    this.selector = selector;
    this.moved = moved;
    container.addEventListener("keydown", (event) => this.onKey(event));
    container.addEventListener("focusin", (event) => this.stopAt(this.itemOf(event)));
  }

  /** @returns {HTMLElement[]} */
  get items() {
    return [...this.container.querySelectorAll(this.selector)].filter((item) => item instanceof HTMLElement);
  }

  /**
   * @param {Event} event
   * @returns {HTMLElement | null}
   */
  itemOf({ target }) {
    return target instanceof Element ? target.closest(this.selector) : null;
  }

  /**
   * The button at which Tab enters the group. Called again when the buttons are others.
   * @param {HTMLElement | null} [stop]
   */
  stopAt(stop) {
    const { items } = this;
    const one = stop && items.includes(stop) ? stop : items[0];
    for (const item of items) item.tabIndex = item === one ? 0 : -1;
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const from = this.itemOf(event);
    const next = from && nextByKey(this.items, from, event.key);
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    next.focus();
    if (next !== from) this.moved(next);
  }
}
