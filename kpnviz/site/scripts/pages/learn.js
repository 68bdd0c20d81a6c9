// Learn: short lessons, each with a question to answer before the reveal, and the one figure that it is about.

/** @import { Burst, Config, Estimate } from "../types" */
/** @import { Offer } from "../parameters.js" */
/** @import { Site } from "../site.js" */
/** @import { Lesson } from "../texts.js" */

import { mount } from "../../../lens/scripts/mount.js";
import { chart } from "../chart.js";
import { presenterBeside } from "../class_mode.js";
import { fromHtml, make, sentenceOf } from "../elements.js";
import { stateOfExample } from "../examples.js";
import { fieldOf } from "../fields.js";
import { interestingPixel } from "../first_look.js";
import { Missing } from "../missing.js";
import {
  annealingCurves,
  averageCurves,
  noiseCurves,
  reachCurves,
  sizeCurves,
  varianceLeft,
} from "../lesson_figures.js";
import { pack, packAssumed } from "../pack.js";
import { Outdated } from "../slices.js";
import { loadTexts, said, withNumbers } from "../texts.js";
import { SCALES } from "./lens_page.js";

const REACHES = ["kpn-l5", "kpn-l11", "kpn-l25"];

/** @type {Map<number, number>} what was answered, by the lesson: kept while the site is open */
const answered = new Map();

/** CSS pixels of the lens beside a text. */
const lensHeight = (/** @type {boolean} */ teach) =>
  teach ? Math.max(innerHeight * 0.68, 400) : Math.max(innerHeight * 0.8, 480);

export class LearnPage {
  /**
   * @param {Site} site
   * @param {HTMLElement} place
   */
  constructor(site, place) {
    this.site = site;
    this.session = site.session;
    this.left = false;
    /** @type {Lesson[]} */
    this.lessons = [];
    /** @type {ReturnType<typeof mount> | null} */
    this.lens = null;
    this.content = make("div");
    this.status = make("p"); // in the place of a figure that is computed
    this.status.setAttribute("role", "status");
    this.title = make("h1", {}, "Learn");
    const header = make("header", {}, this.title);
    const { teach } = this.session.state;
    if (!teach)
      header.append(
        make(
          "p",
          { className: "introduction" },
          `${this.session.offer.lessons} lessons of two minutes each: read, answer the question, look at the figure. What a network does is there to be seen, and need not be what theory says.`,
        ),
      );
    this.presenter = teach ? presenterBeside(header, (number) => this.go(number)) : null;
    place.replaceChildren(header, this.content);
  }

  async changed() {
    try {
      this.lessons = (await loadTexts()).lessons;
      if (!this.left) this.draw();
    } catch (error) {
      this.site.complain(sentenceOf(error));
    }
  }

  restored() {
    return this.changed();
  }

  destroy() {
    this.left = true;
    this.session.next();
    this.presenter?.destroy();
    this.lens?.destroy();
  }

  refresh() {
    this.lens?.refresh();
  }

  /** @param {number} number */
  go(number) {
    this.session.state.lesson = number;
    this.site.write("pushState");
    this.site.keep();
    this.site.complain("");
    this.draw();
    scrollTo(0, 0);
  }

  draw() {
    const { lesson: number } = this.session.state;
    const { lessons } = this;
    const lesson = lessons[number];
    const step = (/** @type {string} */ text, /** @type {number} */ to, className = "") =>
      make("button", {
        type: "button",
        className,
        textContent: text,
        disabled: !lessons[to],
        onclick: () => this.go(to),
      });
    const select = make(
      "select",
      { onchange: () => this.go(Number(select.value)) },
      ...lessons.map(({ title }, i) =>
        make("option", { value: String(i), textContent: `${i + 1} · ${title}${answered.has(i) ? " ✓" : ""}` }),
      ),
    );
    select.value = String(number);
    select.setAttribute("aria-label", "Lesson");
    const progress = make("progress", { max: lessons.length, value: number + 1 });
    progress.setAttribute("aria-label", `Lesson ${number + 1} of ${lessons.length}`);
    const question = make("fieldset", { className: "question" }, make("legend", {}, fromHtml(lesson.question)));
    const reveal = make("div", {});
    reveal.setAttribute("aria-live", "polite");
    const answer = (/** @type {number} */ i) => {
      answered.set(number, i);
      const right = i === lesson.right;
      const [no] = right ? ["Yes. "] : ["No. The right answer: “"];
      const verdict = make(
        "b",
        { className: right ? "right" : "wrong" },
        right ? "✓ " : "✗ ",
        no,
        ...(right ? [] : [fromHtml(lesson.options[lesson.right]), "”. "]),
      );
      reveal.replaceChildren(make("p", {}, verdict, fromHtml(lesson.reveal)));
      if (lesson.said)
        reveal.append(make("p", {}, "On the test set, ", withNumbers(this.site, lesson.said, lesson.numbers)));
      count.textContent = this.counted;
      folded.open = false;
    };
    question.append(
      ...lesson.options.map((option, i) =>
        make(
          "label",
          { className: "check" },
          make("input", {
            type: "radio",
            name: "answer",
            checked: answered.get(number) === i,
            onchange: () => answer(i),
          }),
          said("span", option),
        ),
      ),
      reveal,
    );
    const count = make("small", {}, this.counted);
    const figure = make("section", { className: "figure" });
    figure.setAttribute("aria-label", "Figure");
    const opens =
      { explore: "Open in Explore", your_burst: "Open Your photo", your_kernels: "Open Your kernels" }[lesson.opens] ??
      "Open";
    // What the lesson goes on to needs files of one's own.
    const needs =
      lesson.opens === "your_burst"
        ? [
            " A burst of your own files opens in the app, which runs on your computer: ",
            make("a", { href: this.session.offer.installation, textContent: "how it is installed" }),
            ".",
          ]
        : [];
    const open = make("button", {
      type: "button",
      textContent: opens,
      onclick: () =>
        lesson.opens === "explore"
          ? this.site.showState("explore", stateOfExample(lesson.burst, this.session.offer))
          : this.site.go(lesson.opens),
    });
    const text = [
      said("p", lesson.text),
      make("div", { className: "equation" }, fromHtml(lesson.equation)),
      make("small", {}, `Equation: ${lesson.source}.`),
    ];
    // For a class: question and figure on one screen, and the answer in sight. What was read before it is folded away.
    const folded = make(
      "details",
      { open: !answered.has(number) },
      make("summary", { textContent: "The lesson's text" }),
      ...text,
    );
    const { presenter } = this;
    if (presenter) this.title.textContent = lesson.title;
    presenter?.update({ titles: lessons.map(({ title }) => title), at: number, shown: true });
    this.content.replaceChildren(
      ...(presenter
        ? []
        : [
            make(
              "div",
              { className: "row steps" },
              step("← Back", number - 1),
              step("Next →", number + 1, "primary"),
              select,
              progress,
              count,
            ),
          ]),
      make(
        "div",
        { className: "lesson" },
        make(
          "div",
          { className: "text" },
          ...(presenter ? [folded] : [make("h2", {}, lesson.title), ...text]),
          question,
        ),
        make(
          "div",
          {},
          figure,
          make("p", { className: "caption" }, fromHtml(lesson.in_lens || lesson.caption), ...needs),
          make(
            "p",
            { className: "row" },
            open,
            ...(lessons[number + 1] && !presenter
              ? [step(`Next: ${lessons[number + 1].title} →`, number + 1, "primary")]
              : []),
          ),
        ),
      ),
    );
    if (answered.has(number)) answer(/** @type {number} */ (answered.get(number)));
    this.figure(lesson, figure);
  }

  get counted() {
    return `Lesson ${this.session.state.lesson + 1} of ${this.lessons.length}, ${answered.size} answered`;
  }

  /**
   * Draw a lesson's figure; what comes later than another lesson is given up.
   * @param {Lesson} lesson
   * @param {HTMLElement} place
   */
  async figure(lesson, place) {
    this.lens?.destroy();
    this.lens = null;
    const turn = this.session.next();
    this.status.textContent = "Denoising …";
    place.replaceChildren(this.status);
    const put = (/** @type {(Node | string)[]} */ ...nodes) => place.replaceChildren(...nodes);
    try {
      const state = stateOfExample(lesson.burst, this.session.offer);
      const burst = await this.session.take(await this.session.recipeOf(state), turn);
      const draw = this.figures[/** @type {keyof LearnPage["figures"]} */ (lesson.figure)];
      if (draw) await draw(lesson, burst, turn, put);
      else await this.inLens(lesson, burst, turn, put);
    } catch (error) {
      if (error instanceof Outdated || turn !== this.session.turn) return;
      put(make("p", { className: "wrong", textContent: sentenceOf(error) }));
    }
  }

  /** @type {Record<string, (lesson: Lesson, burst: Burst, turn: number, put: (...nodes: Node[]) => void) => void | Promise<void>>} */
  figures = {
    noise: (_, burst, __, put) =>
      put(...noiseCurves(burst).map(([title, curves]) => make("div", {}, make("b", {}, title), chart(curves)))),
    average: async (lesson, still, turn, put) => {
      const state = stateOfExample(lesson.burst, this.session.offer);
      const shaken = await this.session.take(await this.session.recipeOf({ ...state, shake: "paper" }), turn);
      put(chart(averageCurves(still, shaken)));
    },
    reach: async (_, burst, turn, put) => {
      const models = this.needed(REACHES);
      put(chart(reachCurves(burst, await this.estimates(models, turn))));
    },
    size: async (lesson, burst, turn, put) => {
      const models = this.session.offer.models.filter(({ name }) => this.session.offer.sized.includes(name));
      if (models.filter(({ config }) => config.sizes.length === 1).length < 2)
        throw new Error("This figure compares kernel sizes, and this site has fewer than two");
      /** @type {{ title: string, config: Config, left: number }[]} */
      const networks = [];
      await this.estimates(models, turn, ({ title, config, estimate }) => {
        const field = fieldOf(estimate, config, burst);
        if (field) networks.push({ title, config, left: varianceLeft(field, lesson.burst.pixel ?? [24, 24]) });
      });
      put(chart(sizeCurves(burst.N, networks))); // all at once: axes that grow are hard to read
    },
    annealing: (_, __, ___, put) => put(chart(annealingCurves())),
    others: async (_, __, turn, put) => {
      const { payload } = await this.session.kernelExample();
      this.session.check(turn);
      const host = make("div", { className: "lesson-lens" });
      put(host);
      this.lens = mount(host.attachShadow({ mode: "open" }), { payload, height: lensHeight(this.session.state.teach) });
    },
  };

  /** @param {string[]} names */
  needed(names) {
    const { models } = this.session.offer;
    const missing = names.filter((name) => !models.some((model) => model.name === name));
    if (missing.length) throw new Error(`This figure needs networks that are not on this site: ${missing.join(", ")}`);
    return models.filter(({ name }) => names.includes(name));
  }

  /**
   * What networks make of the burst, one after the other; it throws where none can be had.
   * @param {Offer["models"]} models
   * @param {number} turn
   * @param {(network: Offer["models"][number] & { estimate: Estimate }) => void} [came]  told of each
   */
  async estimates(models, turn, came = () => {}) {
    const missing = new Missing();
    const found = [];
    for (const [done, model] of models.entries()) {
      this.status.textContent = `Denoising with ${model.title}, ${done + 1} of ${models.length} networks …`;
      const estimate = await missing.without(model, () => this.session.estimate(model.name, turn));
      if (!estimate) continue;
      const network = { ...model, estimate };
      found.push(network);
      came(network);
    }
    this.session.check(turn);
    if (!found.length && models.length) throw new Error(missing.sentence());
    this.site.complain(missing.sentence());
    return found;
  }

  /**
   * @param {Lesson} lesson
   * @param {Burst} burst
   * @param {number} turn
   * @param {(...nodes: Node[]) => void} put
   */
  async inLens(lesson, burst, turn, put) {
    const { session } = this;
    const { methods, display, pixel } = stateOfExample(lesson.burst, session.offer);
    const shown = await this.estimates(session.modelsOf(methods, burst.N).slice(-2), turn);
    if (!shown.length) throw new Error("No network on this site takes the burst of this figure");
    const host = make("div", { className: "lesson-lens" });
    put(host);
    const more =
      { real: { mode: "displacement", frame: burst.N - 1 }, assumed: { look: "kernels" } }[lesson.figure] ?? {};
    this.lens = mount(host.attachShadow({ mode: "open" }), {
      payload: pack(burst, shown, pixel ?? interestingPixel(burst), session.id),
      height: lensHeight(session.state.teach),
      order: { pinned: pixel, display: { ...session.offer.display, ...display, ...more } },
    });
    if (lesson.figure !== "assumed") return;
    /** @type {Record<string, Uint8Array>} */
    const results = {};
    const lens = this.lens;
    lens.setAssumed({ burst: session.id, results });
    for (const { name } of shown) {
      results[name] = packAssumed(burst, SCALES, await session.ask(name, turn, SCALES), session.id);
      lens.setAssumed({ burst: session.id, results: { ...results } });
    }
  }
}
