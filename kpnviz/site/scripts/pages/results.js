// Results: what was measured says of the papers' claims, and all of it.

/** @import { Site } from "../site.js" */
/** @import { Texts } from "../texts.js" */

import { chart } from "../chart.js";
import { make, sentenceOf } from "../elements.js";
import { loadTexts, said, withNumbers } from "../texts.js";

export class ResultsPage {
  /**
   * @param {Site} site
   * @param {HTMLElement} place
   */
  constructor(site, place) {
    this.site = site;
    this.place = place;
    this.motion = 0;
    /** @type {"psnr" | "ssim"} */
    this.metric = "psnr";
    place.replaceChildren(make("header", {}, make("h1", {}, "Do the networks keep what the papers say?"), make("p", { className: "introduction" }, "Every network and the usual other ways to denoise, on one fixed test set of photos, none of them trained on: first the answers, then all the numbers.")));
    loadTexts().then(
      (texts) => this.place.contains(place.firstChild) && this.left !== true && this.draw(texts),
      (error) => site.complain(sentenceOf(error)),
    );
  }

  changed() {}

  destroy() {
    this.left = true;
  }

  /** @param {Texts} texts */
  draw({ verdicts, results }) {
    const { site, place } = this;
    if (!results.motions.length) return void place.append(make("p", {}, "This site was built without results: kpnviz evaluate measures them."));
    const cards = verdicts.map(({ name, question, answer }) => {
      const card = make("button", { type: "button" }, make("span", {}, question), make("b", {}, answer));
      card.onclick = () => document.getElementById(`verdict-${name}`)?.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
      return card;
    });
    const answers = make("div", { className: "answers" }, ...cards);
    place.append(
      answers,
      make("p", { className: "caption" }, "± is one standard error of the mean difference, burst by burst; a tie is a difference of less than two of them, and clearly means more. Every number opens a burst that shows it, of another photo: what one burst shows need not be the mean of all."),
      ...verdicts.map(({ name, question, answer, points, numbers, figure, caption }) =>
        make("section", { className: "verdict", id: `verdict-${name}` },
          make("div", { className: "text" }, make("h2", {}, question), make("p", { className: "answer" }, answer), make("ul", {}, ...points.map((point) => make("li", {}, withNumbers(site, point, numbers)))), make("small", {}, said("span", caption))),
          chart({ ...figure, log2: true, zero: figure.zero }))),
      make("h2", {}, "All the numbers"),
      make("p", { className: "caption" }, `${results.stamp["test set"] ?? ""}. ${results.stamp.protocol ?? ""}.`),
    );
    const motions = make("select", {}, ...results.motions.map(({ title }, i) => make("option", { value: String(i), textContent: title })));
    motions.setAttribute("aria-label", "Motion");
    const metrics = make("select", {}, ...["psnr", "ssim"].map((name) => make("option", { value: name, textContent: name.toUpperCase() })));
    metrics.setAttribute("aria-label", "Measure");
    const table = make("div", { className: "wide", tabIndex: 0 });
    table.setAttribute("role", "region");
    table.setAttribute("aria-label", "All the numbers");
    const write = () => {
      this.motion = Number(motions.value);
      this.metric = metrics.value === "ssim" ? "ssim" : "psnr";
      table.replaceChildren(this.table(results));
    };
    motions.onchange = metrics.onchange = write;
    place.append(make("p", { className: "row" }, motions, metrics), table, make("p", { className: "caption" }, `Green: the best of a column; pale: those that tie with it (PSNR alone, whose values of each burst are kept). In brackets, ${results.paper}.`));
    write();
  }

  /** @param {Texts["results"]} results */
  table({ gains, motions }) {
    const { metric } = this;
    const head = make("tr", {}, ...["method", ...gains.map((gain) => `×${gain}`)].map((text) => make("th", { textContent: text, scope: "col" })));
    const rows = motions[this.motion].rows.map(({ title, cells, paper }) =>
      make("tr", {}, make("th", { textContent: title, scope: "row" }),
        ...cells.map((cell, i) => {
          const theirs = metric === "psnr" && paper?.[i] != null ? ` (${paper[i]?.toFixed(2)})` : "";
          return make("td", { className: metric === "psnr" ? cell?.mark ?? "" : "", textContent: cell ? cell[metric].toFixed(metric === "psnr" ? 2 : 3) + theirs : "" });
        })));
    return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  }
}
