// A group of buttons as one tab stop: Tab enters it at one button, and arrow keys, Home and End move within it (WAI-ARIA
// Authoring Practices: roving tabindex).

// The button at which a key arrives from `from`: left and right go on in order, from the last to the first too; up and
// down go to the nearest in the next line. Undefined where the key leads nowhere.
function nextByKey(items, from, key) {
  const place = items.indexOf(from);
  if (key === "Home") return items[0];
  if (key === "End") return items.at(-1);
  if (key === "ArrowRight") return items[(place + 1) % items.length];
  if (key === "ArrowLeft") return items.at(place - 1);
  const sign = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (!sign) return;
  const { top, left } = from.getBoundingClientRect();
  let [nearest, best] = [undefined, [Infinity, Infinity]];
  for (const item of items) {
    const box = item.getBoundingClientRect();
    const [down, across] = [Math.round(sign * (box.top - top)), Math.abs(box.left - left)];
    if (down > 0 && (down < best[0] || (down === best[0] && across < best[1]))) [nearest, best] = [item, [down, across]];
  }
  return nearest;
}

class Roving {
  // moved: what is done with the button that arrow keys lead to, beside giving it the keyboard.
  constructor(container, selector, moved = () => {}) {
    Object.assign(this, { container, selector, moved });
    container.addEventListener("keydown", (event) => this.onKey(event));
    container.addEventListener("focusin", ({ target }) => this.stopAt(target.closest(selector)));
  }

  // The button at which Tab enters the group. Called again when the buttons are others.
  stopAt(stop) {
    const items = [...this.container.querySelectorAll(this.selector)];
    const one = items.includes(stop) ? stop : items[0];
    for (const item of items) item.tabIndex = item === one ? 0 : -1;
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const from = event.target.closest(this.selector);
    const next = from && nextByKey([...this.container.querySelectorAll(this.selector)], from, event.key);
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    next.focus();
    if (next !== from) this.moved(next);
  }
}
