// Texts that Python wrote when the site was built: kpnviz/site/texts.py.

/** @import { Curves } from "./chart.js" */
/** @import { Example } from "./examples.js" */
/** @import { Site } from "./site.js" */

import { fromHtml, make } from "./elements.js";
import { stateOfExample } from "./examples.js";
import { jsonOf } from "./files.js";

/**
 * A lesson; text, question, options, reveal, caption, equation and said are HTML.
 * @typedef {{ title: string, text: string, equation: string, source: string, question: string, options: string[], right: number, reveal: string, figure: string, caption: string, burst: Example, opens: string, said: string, numbers: Example[] }} Lesson
 */

/** @typedef {{ name: string, question: string, answer: string, points: string[], numbers: Example[], figure: Curves, caption: string }} Verdict */
/** @typedef {{ name: string, title: string, cells: ({ psnr: number, ssim: number, mark: string } | null)[], paper: (number | null)[] | null }} ResultRow */

/**
 * @typedef {object} Texts
 * @property {Lesson[]} lessons
 * @property {Verdict[]} verdicts
 * @property {{ gains: number[], motions: { name: string, title: string, rows: ResultRow[] }[], stamp: Record<string, string>, paper: string }} results
 */

/** @type {Promise<Texts> | null} */
let loading = null;

/** @returns {Promise<Texts>} */
export function loadTexts() {
  loading ??= jsonOf("texts.json");
  loading.catch(() => (loading = null)); // it may be tried again
  return loading;
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

/** Words of Python, in an element. @param {keyof HTMLElementTagNameMap} tag @param {string} html */
export function said(tag, html) {
  return make(tag, {}, fromHtml(html));
}
