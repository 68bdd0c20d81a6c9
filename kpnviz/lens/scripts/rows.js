// The kernels: one row a method, one cell a frame, and above them the views to choose from.

/** @import { CellContent, Found, Line, NamedCell, Panel, RowPlan } from "./types" */
/** @import { Painter } from "./painter.js" */

import { fadeEdges } from "./edges.js";
import { make, makeButton } from "./elements.js";
import { BAR, CROSS, legendEntry, RING, SQUARE, TRIANGLE } from "./legend.js";
import { arrange, arrangeAbove, arrangeStrip, clamp, LABELED_KERNEL, STRIP_KERNEL } from "./layout.js";
import { Roving } from "./roving.js";
import { VISIBLE_LEAD } from "./shown.js";
import { MARKS, wordsOf } from "./terms.js";
import { shortTitle } from "./text.js";
import { VIEWS } from "./views.js";

const NO_KERNELS = "It has a picture alone, and no kernels.";
const NO_METHOD = "There is no method here: choose one, and its kernels stand here.";

/** @typedef {ReturnType<Rows["makeCell"]>} RowCell */
/** @typedef {ReturnType<Rows["makeRow"]>} Row */

const WHOLE_LABEL = 68; // CSS pixels of a kernel under which "11×11" and a share have room

export class Rows {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.state = painter.state;
    this.box = painter.parts.find(".rows");
    this.tabs = painter.parts.find(".tabs");
    this.fadeTabs = fadeEdges(this.tabs);
    this.tabGroup = new Roving(this.tabs, "[role=tab]", ({ dataset }) => this.state.chooseLook(dataset.look ?? ""));
    this.cellGroup = new Roving(this.box, ".cell");
    this.built = "";
    this.fresh = false; // built, and not painted since: names and numbers may take more room then
    this.side = 0; // CSS pixels of a kernel
    this.fits = false; // whether all are in their box
    /** @type {Row[]} */
    this.rows = [];
  }

  /** Once per payload: tabs of the views that it has, and the rows of the chosen one. */
  buildAll() {
    const tabs = this.state.looks.map((name) => {
      const tab = makeButton("tab", "", VIEWS[name].title);
      tab.role = "tab";
      tab.dataset.look = tab.id = name;
      tab.setAttribute("aria-controls", "rows");
      return tab;
    });
    this.tabs.replaceChildren(...tabs);
    this.build();
    this.fadeTabs();
  }

  get view() {
    return VIEWS[this.state.look];
  }

  build() {
    const { state, painter: { parts } } = this; // prettier-ignore
    this.rows = this.view.rows(state).map((plan) => this.makeRow(plan));
    this.box.replaceChildren(...this.rows.map(({ element }) => element));
    this.box.setAttribute("aria-labelledby", state.look);
    for (const tab of this.tabGroup.items) tab.setAttribute("aria-selected", `${tab.dataset.look === state.look}`);
    const chosen = parts.find(`.tab#${state.look}`);
    this.tabGroup.stopAt(chosen);
    // Where tabs are swiped, the chosen one is in sight.
    const [tab, tabs] = [chosen.getBoundingClientRect(), this.tabs.getBoundingClientRect()];
    if (tab.left < tabs.left || tab.right > tabs.right)
      this.tabs.scrollLeft += tab.left - tabs.left - (tabs.width - tab.width) / 2;
    this.cellGroup.stopAt(this.rows[0]?.cells[state.frame]?.element);
    parts.find(".steps").hidden = state.look !== "sum";
    parts.find(".of-region").hidden = state.look !== "region";
    parts.find(".of-kinds").hidden = state.look !== "kinds";
    parts.find(".of-change").hidden = state.look !== "change";
    this.painter.controls.buildFrames(Boolean(this.view.ofFrame));
    this.writeNote();
    this.writeLegend();
    this.built = this.identity;
    this.fresh = true;
  }

  /** What the rows on the page were built for. */
  get identity() {
    const { data, look, channel } = this.state;
    return `${data.id} ${look} ${this.view.about?.(this.state) ?? ""} ${channel}`;
  }

  /** @param {RowPlan} plan */
  makeRow(plan) {
    const { data, star } = this.state;
    const { film } = this.painter.pictures;
    const cells = Array.from({ length: plan.count }, (_, i) => this.makeCell(i, plan.panels?.[i], plan.cells?.[i]));
    const [score, lines, running] = [make("span", "score"), make("span", "lines"), make("i", "")];
    const progress = make("div", "progress", running);
    progress.hidden = true;
    const swatch = make("i", "swatch");
    swatch.hidden = true;
    const title = make("b", "", swatch, plan.title);
    const panel = plan.method && data.panels[plan.method.panel];
    if (panel && panel === star) title.append(make("span", "best", "★"));
    const words = wordsOf(plan.title);
    if (words.length) {
      // By mouse, keyboard and finger (tips.js).
      Object.assign(title, { className: "term", tabIndex: 0 });
      title.dataset.tip = `${words.join(". ")}.`;
    } else if (panel) title.title = film.aboutOf(panel);
    const body = plan.count
      ? make("div", "cells", ...cells.map(({ element }) => element))
      : make("p", "without", plan.missing ?? NO_KERNELS);
    const element = make("div", `row ${plan.kind ?? ""}`, make("div", "name", title, score, progress, lines), body);
    element.classList.toggle("waiting", Boolean(plan.waiting));
    if (plan.method) element.dataset.method = plan.title;
    return { plan, panel, cells, score, lines, running, progress, element, swatch };
  }

  /**
   * The cell of frame i, of the method of a panel, or of what else a row names.
   * @param {number} i
   * @param {Panel} [panel]
   * @param {NamedCell} [named]
   */
  makeCell(i, panel, named = { label: `${i}`, data: { frame: `${i}` } }) {
    const [canvas, bar, text, more] = [make("canvas", ""), make("i", ""), make("span", "share"), make("span", "more")];
    const bars = make("span", "bar-box", bar);
    const [label, by] = panel ? [shortTitle(panel)] : named.label.split(/(?=×)/); // "11", "×11"
    const number = make("b", "", label, ...(by ? [make("i", "", by)] : []));
    const element = makeButton("cell", "", canvas, bars, make("span", "label", number, text));
    if (panel) element.append(more);
    Object.assign(element.dataset, panel ? { name: panel.name } : named.data);
    return { canvas, bar, bars, text, more, element, pressed: /** @type {boolean | undefined} */ (undefined) };
  }

  writeNote() {
    const some = this.rows.some(({ plan }) => plan.count);
    const note = some ? (this.view.note(this.painter) ?? "") : "";
    this.painter.parts.find(".note").textContent = this.rows.length ? note : NO_METHOD;
  }

  writeLegend() {
    const { look, frames, marks, shiftsKnown, star } = this.state;
    const items = [];
    const drawn = marks && look !== "sum" && look !== "frequencies"; // marks are on kernels and patches
    if (drawn && look !== "frames")
      items.push(
        legendEntry("centroid", CROSS, look === "matching" ? "least cost; centroid" : "centroid", MARKS.center),
      );
    if (drawn && shiftsKnown && frames > 1) {
      items.push(legendEntry("shift", RING, look === "uses" ? "its scene in frame 0" : "true shift", MARKS.shift));
      items.push(legendEntry("shift beyond", TRIANGLE, "beyond the kernel", MARKS.beyond));
    }
    if (look === "frames") items.push(legendEntry("reach", SQUARE, "the kernel's square", MARKS.reach));
    const parts = look === "sum" ? "part of the pixel" : "share";
    if (!["sizes", "frequencies"].includes(look))
      items.push(
        legendEntry("share", BAR, parts, MARKS.share),
        legendEntry("share negative", BAR, `negative ${parts}`, MARKS.negative),
      );
    const best = make("small", "star", make("span", "best", "★"), ` PSNR leads by ${VISIBLE_LEAD} dB or more`);
    best.title = MARKS.star.replace("{lead}", `${VISIBLE_LEAD}`);
    // It keeps its place while methods are at work: kernels do not move when the last one shows who leads.
    best.style.visibility = star ? "" : "hidden";
    const held = star || this.rows.some(({ plan }) => plan.waiting);
    this.painter.parts.find(".of-kernels").replaceChildren(...items, ...(held ? [best] : []));
  }

  /**
   * The box in which the rows are, and how large a kernel is in it. Returns whether all are in it, as far as can be reckoned.
   * @param {number} width
   * @param {number} height
   * @param {number} type
   * @param {"usual" | "small" | "above" | "strip"} how  small: kernels may be small, so that all are in sight; above: and names stand above them; strip: smaller still, with
   *   names in one line each
   */
  layOut(width, height, type, how) {
    const counts = this.rows.map(({ plan }) => Math.max(plan.count, 1));
    const strip = how === "strip";
    const least = (how === "small" || how === "above") && !this.view.wordy ? STRIP_KERNEL : undefined;
    const arranged = strip
      ? arrangeStrip(counts, width, height, type, this.view.wordy)
      : how === "above"
        ? arrangeAbove(counts, width, height, type, least)
        : arrange(counts, width, height, type, least);
    this.box.classList.toggle("strip", strip);
    this.box.classList.toggle("bare", strip && arranged.side < LABELED_KERNEL);
    this.box.classList.toggle("wordy", Boolean(this.view.wordy));
    this.box.classList.toggle("short", arranged.side < WHOLE_LABEL * type);
    this.place(arranged);
    this.fits = arranged.fits;
    return arranged.fits;
  }

  /** @param {{ named: boolean, columns: number, side: number }} arranged */
  place({ named, columns, side }) {
    this.side = side;
    this.box.classList.toggle("stacked", !named);
    this.box.style.setProperty("--side", `${side}px`);
    this.box.style.setProperty("--columns", `${columns}`);
  }

  /** Whether the rows on the page are of another view or payload than is shown. */
  get isStale() {
    return this.built !== this.identity;
  }

  paint() {
    const { state, painter } = this;
    const { film } = painter.pictures;
    for (const { plan, panel, cells, score, lines, running, progress, swatch } of this.rows) {
      score.textContent = panel ? film.scoreOf(panel) : "";
      if (plan.count && !plan.waiting) {
        const found = /** @type {Found} */ (plan.method && state.foundOf(plan.method));
        const content = this.view.contents(painter, { ...plan, found });
        content.cells.forEach((one, i) => this.paintCell(cells[i], one));
        swatch.hidden = !content.swatch;
        if (content.swatch) swatch.style.background = content.swatch;
        this.writeLines(
          lines,
          content.lines.filter((line) => line !== null),
        );
        progress.hidden = content.progress === undefined;
        if (content.progress !== undefined) running.style.width = `${100 * clamp(content.progress, 0, 1)}%`;
      }
      cells.forEach(({ element, pressed }, i) => {
        const side = plan.panels && film.sideOf(plan.panels[i]);
        const at = state.rolling ?? state.frame;
        const chosen = element.dataset.frame === `${at}`;
        element.setAttribute(
          "aria-pressed",
          `${plan.panels ? Boolean(side) : plan.cells ? (pressed ?? chosen) : i === at}`,
        );
        if (side !== undefined) element.dataset.side = side;
      });
    }
  }

  /**
   * @param {RowCell} cell
   * @param {CellContent} content
   */
  paintCell(cell, { draw, bar, reach, text, more, strong, tip, dim, pressed }) {
    draw(cell.canvas, this.side);
    cell.pressed = pressed;
    cell.bars.hidden = bar === undefined && !reach;
    if (reach) Object.assign(cell.bar.style, { width: `${100 * reach.share}%`, background: reach.color });
    if (more !== undefined) cell.more.textContent = more;
    cell.element.classList.toggle("strong", Boolean(strong));
    if (bar !== undefined) {
      cell.bar.style.width = `${clamp(Math.abs(bar), 0, 1) * 100}%`;
      cell.bar.classList.toggle("negative", bar < 0);
    }
    cell.text.textContent = text;
    cell.element.title = tip;
    cell.element.classList.toggle("dim", Boolean(dim));
  }

  /**
   * @param {HTMLElement} box
   * @param {Line[]} lines
   */
  writeLines(box, lines) {
    while (box.children.length < lines.length) box.append(make("span", ""));
    while (box.children.length > lines.length) box.lastChild?.remove();
    lines.forEach(({ text, tip, kind }, i) => {
      const line = /** @type {HTMLElement} */ (box.children[i]);
      line.textContent = text;
      line.title = tip ?? "";
      line.className = kind ?? "";
    });
  }
}
