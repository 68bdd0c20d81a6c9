// Elements of the pages.

/**
 * An element with properties and contents.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [values]
 * @param {(Node | string)[]} contents
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, values = {}, ...contents) {
  const element = Object.assign(document.createElement(tag), values);
  element.append(...contents);
  return element;
}

/**
 * What the site's own HTML makes: of texts that Python wrote, never of what a person brings.
 * @param {string} html
 */
export function fromHtml(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** @param {string} id */
export function elementNamed(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** @param {unknown} error */
export function sentenceOf(error) {
  const text = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
