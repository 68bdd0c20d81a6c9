// Words on the site's pages that are explained where they stand: by hover, at the keyboard and by a tap, as in the lens.

import { explainedWord, partsOf } from "../../lens/scripts/terms.js";
import { make } from "./elements.js";

const NOT_WITHIN = "a, button, code, math, label, .term";

/** @param {string} word @param {string} tip */
function term(word, tip) {
  const element = make("span", { className: "term", tabIndex: 0 }, word);
  element.dataset.tip = tip;
  return element;
}

/** A question mark that explains what it stands behind; in a label, it does not work it. @param {string} tip */
export function asked(tip) {
  const element = term("?", tip);
  element.classList.add("ask");
  element.setAttribute("aria-label", "What it means");
  element.addEventListener("click", (event) => event.preventDefault());
  return element;
}

/** A text whose words can be asked. @param {string} text @param {Set<string>} [seen] */
export function withTerms(text, seen) {
  return partsOf(text, seen).map(({ text: part, tip }) => (tip ? term(part, tip) : part));
}

/**
 * Let the words in an element be asked, each where it first stands.
 * @template {HTMLElement} T
 * @param {T} element
 */
export function explaining(element) {
  const seen = new Set();
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) found.push(/** @type {Text} */ (texts.currentNode));
  for (const text of found)
    if (!text.parentElement?.closest(NOT_WITHIN)) text.replaceWith(...withTerms(text.data, seen));
  return element;
}

/** A line of words that can be asked. @param {string[]} words */
export function lineOfTerms(words) {
  return make(
    "p",
    { className: "words" },
    "What the words mean: ",
    ...words.flatMap((word, i) => [...(i ? [" · "] : []), term(word, explainedWord(word))]),
  );
}
