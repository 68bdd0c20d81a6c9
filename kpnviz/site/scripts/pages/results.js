// Results: what was measured says of the papers' claims, and all of it. Texts, figures and tables are Python's (site/texts.py).

/** @import { Site } from "../site.js" */
/** @import { Motion, Results, Table } from "../texts.js" */

import { chart } from "../chart.js";
import { make, sentenceOf } from "../elements.js";
import { bytesOf } from "../files.js";
import { forestOf, forestsOf } from "../forest.js";
import { explaining, lineOfTerms, withTerms } from "../terms.js";
import { filled, loadResults, said, withNumbers } from "../texts.js";

/** Sections that were opened or folded, while the site is open. @type {Map<string, boolean>} */
const folds = new Map();

export class ResultsPage {
  /**
   * @param {Site} site
   * @param {HTMLElement} place
   */
  constructor(site, place) {
    this.site = site;
    this.place = place;
    this.left = false;
    this.says = site.session.offer.texts.results;
    this.status = make("p", { id: "status", textContent: "Loading …" });
    this.status.setAttribute("role", "status");
    this.header = make(
      "header",
      {},
      said("h1", this.says.title),
      Object.assign(said("p", this.says.introduction), { className: "introduction" }),
    );
    place.replaceChildren(this.header, this.status);
    loadResults().then(
      (results) => this.left || this.draw(results),
      (error) => {
        if (this.left) return;
        this.status.textContent = "";
        site.complain(sentenceOf(error));
      },
    );
  }

  changed() {}

  restored() {
    if (this.results) this.draw(this.results);
  }

  /** What of it is shown. */
  get chosen() {
    return this.site.session.state.results;
  }

  destroy() {
    this.left = true;
  }

  /** @param {Results} results */
  draw(results) {
    const { site, place, says } = this;
    this.results = results;
    while (this.header.nextSibling) this.header.nextSibling.remove();
    if (!results.motions.length)
      return void place.append(make("p", {}, "This site was built without results: kpnviz evaluate measures them."));
    const cards = results.verdicts.map(({ name, question, answer }) => {
      const card = make("button", { type: "button" }, make("span", {}, question), make("b", {}, answer));
      card.onclick = () =>
        document
          .getElementById(`verdict-${name}`)
          ?.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
      return card;
    });
    const { protocol = "", "test set": test_set = "", ...machine } = results.stamp;
    this.numbers = make("div");
    place.append(
      make("div", { className: "answers" }, ...cards),
      caption(results.answers),
      ...results.verdicts.map(({ name, question, answer, points, numbers, figure, caption: below }) =>
        make(
          "section",
          { className: "verdict", id: `verdict-${name}` },
          make(
            "div",
            { className: "text" },
            make("h2", {}, question),
            explaining(make("p", { className: "answer" }, answer)),
            make("ul", {}, ...points.map((point) => explaining(make("li", {}, withNumbers(site, point, numbers))))),
            explaining(make("small", {}, said("span", below))),
          ),
          chart({ ...figure, log2: true, zero: figure.zero }),
        ),
      ),
      said("h2", says.all),
      lineOfTerms(says.words.split(" · ")),
      caption(filled(says.protocol, { test_set, protocol })),
      this.controls(results),
      this.numbers,
      caption(
        filled(says.machine, {
          machine: Object.entries(machine)
            .map((pair) => pair.join(" "))
            .join(" · "),
        }),
      ),
    );
    this.write(results);
  }

  /** @param {Results} results */
  controls(results) {
    const chosen = this.chosen;
    const choice = (
      /** @type {string} */ label,
      /** @type {string} */ key,
      /** @type {[string, string][]} */ options,
    ) => {
      const select = make(
        "select",
        {},
        ...options.map(([value, textContent]) => make("option", { value, textContent })),
      );
      if (options.some(([value]) => value === chosen[key])) select.value = chosen[key];
      chosen[key] = select.value;
      select.onchange = () => {
        chosen[key] = select.value;
        this.site.keep();
        this.write(results);
      };
      return make("label", {}, label, select);
    };
    const download = make("button", { type: "button", textContent: "Download CSV" });
    download.onclick = () => this.download();
    return make(
      "div",
      { className: "row choices" },
      choice(
        "Motion",
        "motion",
        results.motions.map(({ name, title }) => [name, title]),
      ),
      choice(
        "Gain of the figures",
        "gain",
        results.gains.map((gain) => [String(gain), `×${gain}`]),
      ),
      choice(
        "Measure of the tables",
        "measure",
        results.metrics.map((name) => [name, name]),
      ),
      download,
    );
  }

  async download() {
    try {
      const link = make("a", {
        href: URL.createObjectURL(new Blob([await bytesOf("results.csv")], { type: "text/csv" })),
        download: "results.csv",
      });
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (error) {
      this.site.complain(sentenceOf(error));
    }
  }

  /** All the numbers of what is chosen. @param {Results} results */
  write(results) {
    const { says } = this;
    const { gain, measure: metric } = this.chosen;
    const motion = results.motions.find(({ name }) => name === this.chosen.motion) ?? results.motions[0];
    const paper = motion.paper[gain] ?? [];
    const other = (motion.other[metric]?.[gain] ?? []).filter(({ figure }) => figure.lines.length);
    this.numbers?.replaceChildren(
      said("p", motion.words),
      ...this.compared(results, motion),
      ...(paper.length
        ? [
            said("h3", says.paper),
            make("div", { className: "grid" }, ...paper.map((forest) => forestOf(forest, ["here", "paper"]))),
            caption(results.paper),
          ]
        : []),
      said("h3", says.other),
      other.length
        ? make(
            "div",
            { className: "grid" },
            ...other.map(({ heading, figure }) =>
              make("div", {}, said("span", heading), chart({ ...figure, log2: true })),
            ),
          )
        : caption(says.no_other),
      said("h3", says.tables),
      ...(motion.tables[metric] ?? []).map((section) =>
        folded(section.heading, section.opened, said("p", section.words), tableOf(section), caption(section.below)),
      ),
      folded(says.costs, false, ...motion.costs.map(tableOf), caption(results.costs)),
    );
  }

  /** Every method against one that is chosen. @param {Results} results @param {Motion} motion */
  compared(results, motion) {
    const { chosen } = this;
    const pairs = motion.pairs[chosen.gain];
    if (!pairs) return [];
    const select = make(
      "select",
      {},
      ...pairs.titles.map((title, i) => make("option", { value: pairs.names[i], textContent: title })),
    );
    // What was chosen need not be measured with this motion and gain.
    select.value = pairs.names.includes(chosen.compared) ? chosen.compared : pairs.names[pairs.first];
    const figures = make("div", { className: "grid" });
    const write = () =>
      figures.replaceChildren(
        ...forestsOf(pairs, select.selectedIndex, results.near).map((forest) => forestOf(forest)),
      );
    select.onchange = () => {
      chosen.compared = select.value;
      this.site.keep();
      write();
    };
    write();
    return [
      said("h3", this.says.compared),
      make("label", { className: "narrow" }, "Compared with", select),
      figures,
      caption(results.compared),
    ];
  }
}

/**
 * What is folded away, or not; when it is drawn again, it is as a person left it.
 * @param {string} heading
 * @param {boolean} open
 * @param {...Node} contents
 */
function folded(heading, open, ...contents) {
  const details = make(
    "details",
    { open: folds.get(heading) ?? open },
    make("summary", { textContent: heading }),
    ...contents,
  );
  details.ontoggle = () => folds.set(heading, details.open);
  return details;
}

/** @param {string} html */
function caption(html) {
  return Object.assign(said("p", html), { className: "caption" });
}

/** A table that scrolls sideways where there is no room. @param {Table & { heading?: string }} table */
function tableOf({ columns, lines, heading = "Cost" }) {
  const head = make("tr", {}, ...columns.map((text) => make("th", { textContent: text, scope: "col" })));
  const rows = lines.map(({ title, cells }) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, ...withTerms(title)),
      ...cells.map(([text, mark = "", tip = ""]) => make("td", { textContent: text, className: mark, title: tip })),
    ),
  );
  const place = make(
    "div",
    { className: "wide", tabIndex: 0 },
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)),
  );
  place.setAttribute("role", "region");
  place.setAttribute("aria-label", heading);
  return place;
}
