// Texts that Python wrote when the site was built: kpnviz/site/texts.py.

/** @import { Curves } from "./chart.js" */
/** @import { Example } from "./examples.js" */
/** @import { Forest, Pairs } from "./forest.js" */
/** @import { Site } from "./site.js" */

import { fromHtml, make } from "./elements.js";
import { stateOfExample } from "./examples.js";
import { jsonOf } from "./files.js";

/**
 * A lesson; text, question, options, reveal, caption, equation and said are HTML.
 * @typedef {{ title: string, text: string, equation: string, source: string, question: string, options: string[], right: number, reveal: string, figure: string, caption: string, in_lens: string, burst: Example, opens: string, said: string, numbers: Example[] }} Lesson
 */

/** @typedef {{ name: string, question: string, answer: string, points: string[], numbers: Example[], figure: Curves, caption: string }} Verdict */
/** A cell: text, mark (best, tie, less), and what is said on hover. @typedef {{ columns: string[], lines: { title: string, cells: [string, string?, string?][] }[] }} Table */
/** A table with its words, HTML. @typedef {Table & { heading: string, words: string, below: string, opened: boolean }} Section */

/**
 * Figures and tables of a kind of motion, by gain and by metric: kpnviz.site.texts.results_texts.
 * @typedef {object} Motion
 * @property {string} name
 * @property {string} title
 * @property {string} words
 * @property {Record<string, Pairs>} pairs  by gain
 * @property {Record<string, Forest[]>} paper  by gain
 * @property {Record<string, Record<string, { heading: string, figure: Curves }[]>>} other  by metric and gain
 * @property {Record<string, Section[]>} tables  by metric
 * @property {Table[]} costs
 */

/** @typedef {{ lessons: Lesson[] }} Texts */
/** @typedef {{ verdicts: Verdict[], gains: number[], metrics: string[], near: number, motions: Motion[], answers: string, compared: string, paper: string, costs: string, stamp: Record<string, string> }} Results */

/** @type {Map<string, Promise<any>>} */
const loading = new Map();

/** @param {string} file */
function loaded(file) {
  let found = loading.get(file);
  if (!found) {
    found = jsonOf(file);
    found.catch(() => loading.delete(file)); // it may be tried again
    loading.set(file, found);
  }
  return found;
}

/** @returns {Promise<Texts>} */
export function loadTexts() {
  return loaded("texts.json");
}

/** @returns {Promise<Results>} */
export function loadResults() {
  return loaded("results.json");
}

/**
 * A text of Python with its {names} filled in, as it is written there.
 * @param {string} html
 * @param {Record<string, string>} values  HTML
 */
export function filled(html, values) {
  return html.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/**
 * HTML whose measured numbers open bursts that show them.
 * @param {Site} site
 * @param {string} html
 * @param {Example[]} numbers
 */
export function withNumbers(site, html, numbers = []) {
  const content = fromHtml(html);
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (content.querySelectorAll("[data-number]"))) {
    const state = stateOfExample(numbers[Number(link.dataset.number)], site.session.offer);
    link.href = site.addressOf("explore", state);
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      site.showState("explore", state);
    };
  }
  return content;
}

/**
 * How the scores of a burst are taken, and of what: kpnviz.analysis.tables.protocol.
 * @param {string} protocol
 * @param {{ C: number }} burst
 */
export function ofBurst(protocol, { C }) {
  return `${protocol}, of ${C > 1 ? "R, G and B together" : "the luminance"}`;
}

/** Words of Python, in an element. @param {keyof HTMLElementTagNameMap} tag @param {string} html */
export function said(tag, html) {
  return make(tag, {}, fromHtml(html));
}
