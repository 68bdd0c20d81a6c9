// Elements, as they are made and found.

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} className
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

/**
 * @param {string} className
 * @param {string} title
 * @param {(Node | string)[]} children
 */
export function makeButton(className, title, ...children) {
  const button = make("button", className, ...children);
  button.type = "button";
  button.title = title;
  return button;
}

/** What finds the parts of the lens. */
export class Parts {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
  }

  /**
   * @param {string} selector
   * @returns {HTMLElement}
   */
  find(selector) {
    const found = this.root.querySelector(selector);
    if (!(found instanceof HTMLElement)) throw new Error(`the lens has no ${selector}`);
    return found;
  }

  /**
   * A control by its name.
   * @param {string} name
   * @returns {HTMLInputElement}
   */
  input(name) {
    return /** @type {HTMLInputElement} */ (this.find(`[name="${name}"]`));
  }

  /** @returns {HTMLDialogElement} */
  get help() {
    return /** @type {HTMLDialogElement} */ (this.find(".help"));
  }

  /** Keys and gestures, from their beginning. */
  openHelp() {
    this.help.showModal();
    this.help.focus(); // not the button at its end, to which it would be scrolled
    this.help.scrollTop = 0;
  }
}

/** @param {EventTarget | null} target */
export const elementOf = (target) => (target instanceof Element ? target : null);
