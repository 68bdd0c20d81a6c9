// Noise: the same burst, with more or less assumed noise than there is.

/** @import { Answer, Estimate, Measure } from "../types" */
/** @import { Site } from "../site.js" */
/** @import { Display } from "../../../lens/scripts/types" */

import { timesText } from "../../../lens/scripts/text.js";
import { chart } from "../chart.js";
import { make } from "../elements.js";
import { interestingPixel } from "../first_look.js";
import { lossOf, matrixRecipe, matrixTable, noiseMatrix } from "../gain_matrix.js";
import { packAssumed } from "../pack.js";
import { Outdated } from "../slices.js";
import { lineOfTerms } from "../terms.js";
import { filled, ofBurst, said } from "../texts.js";
import { framesOf, LensPage, SCALES } from "./lens_page.js";

const BLIND = "kpn-blind"; // beside the methods that are chosen
// The true noise and the ends first, so that curves have their shape early.
const ORDER = [1, 0.25, 4, 0.5, 2, Math.SQRT1_2, Math.SQRT2, 0.25 * Math.SQRT2, 2 * Math.SQRT2];

/** Of the matrix, while the site is open. */
let method = "";

export class NoisePage extends LensPage {
  /**
   * @param {Site} site
   * @param {HTMLElement} place
   */
  constructor(site, place) {
    super(site, place, {
      page: "noise",
      methods: true,
    });
  }

  get display() {
    return this.session.state.noise;
  }

  /** @param {Display} display */
  keepDisplay(display) {
    this.session.state.noise = display;
  }

  /** @param {boolean} same */
  async restored(same) {
    if (!same || this.measured !== this.session.turn) return super.restored();
    const { pixel } = this.session.state;
    this.follow();
    this.site.keep();
    if (String(pixel) !== String(this.around)) this.pinned();
  }

  /** @param {number} turn */
  async finished(turn) {
    const { session, burst, models, missing } = this;
    const blind = session
      .modelsOf([BLIND], burst.N)
      .filter(({ name }) => !missing.has(name) && !models.some((model) => model.name === name));
    const asked = [
      ...models.filter(({ config }) => config.direct),
      ...[...models, ...blind].filter(({ config }) => !config.direct),
    ];
    const kernels = () => asked.filter(({ name, config }) => !config.direct && !missing.has(name));
    if (!kernels().length) {
      this.below.replaceChildren(said("p", this.says.without));
      return;
    }
    /** @type {Map<string, Map<number, Answer>>} */
    const answers = new Map(asked.map(({ name }) => [name, new Map()]));
    /** @type {Map<string, Estimate[]>} */
    const others = new Map();
    const given = () => this.lens.setAssumed({ burst: session.id, results: Object.fromEntries(session.assumed) });
    given();
    for (const scale of ORDER) {
      for (const model of asked) {
        const { name, config, title } = model;
        if (missing.has(name)) continue;
        this.say(`Denoising with ${title}, told ${timesText(scale)} the true noise …`);
        const wanted = /** @type {Measure[]} */ (config.direct ? [] : ["answer"]);
        const estimate = await missing.without(model, async () =>
          scale === 1 ? session.estimate(name, turn, wanted) : (await session.ask(name, turn, [scale], wanted))[0],
        );
        if (!estimate) continue;
        const place = SCALES.indexOf(scale);
        if (place >= 0 && models.some((model) => model.name === name)) {
          const mine = others.get(name) ?? [];
          others.set(name, mine);
          mine[place] = estimate;
          if (!session.assumed.has(name) && SCALES.every((_, i) => mine[i])) {
            session.assumed.set(name, packAssumed(burst, SCALES, mine, session.id));
            others.delete(name);
            given();
          }
        }
        if (estimate.answer) answers.get(name)?.set(scale, estimate.answer);
      }
      this.draw(kernels(), answers, ORDER.slice(0, ORDER.indexOf(scale) + 1));
    }
    this.sayMissing();
    if (kernels().length) await this.matrix(kernels(), turn);
    this.say(`${framesOf(burst)}, denoised here with ${ORDER.length} assumed noises`);
  }

  /** Another pixel: the matrix is that of the pixels around it. */
  pinned() {
    if (this.measured === this.session.turn) this.remeasure?.();
  }

  /**
   * True noise against assumed noise, of the network that is chosen: the last that takes an assumed noise, at first.
   * @param {{ name: string, title: string, config: { noise_map: boolean } }[]} all
   * @param {number} turn
   */
  async matrix(all, turn) {
    const { session, says } = this;
    const { gains, crop } = session.offer.matrix;
    const select = make(
      "select",
      {},
      ...all.map(({ name, title }) => make("option", { value: name, textContent: title })),
    );
    select.setAttribute("aria-label", "Method");
    select.value = all.some(({ name }) => name === method)
      ? method
      : (all.filter(({ config }) => config.noise_map).pop() ?? all[all.length - 1]).name;
    const place = make("div", { className: "grid" });
    place.setAttribute("aria-live", "polite");
    this.below.append(
      said("h2", says.matrix),
      make("p", { className: "row" }, make("label", { className: "narrow" }, "Method", select)),
      place,
    );
    const recipe = await session.recipe();
    let newest = 0;
    const measure = async () => {
      const mine = ++newest;
      const check = () => {
        session.check(turn);
        if (mine !== newest) throw new Outdated();
      };
      this.around = session.state.pixel;
      const pixel = this.around ?? interestingPixel(this.burst);
      const small = matrixRecipe(recipe, pixel, crop);
      const values = await noiseMatrix(session, select.value, small, check, (share) =>
        place.replaceChildren(
          make("p", { textContent: `Denoising ${gains.length ** 2} bursts: ${Math.round(100 * share)} % …` }),
        ),
      );
      const [, , height, width] = small.crop ?? [0, 0, 0, 0];
      const loss = lossOf(values);
      place.replaceChildren(
        make("div", { className: "wide" }, matrixTable(values, gains)),
        make(
          "div",
          {},
          said("p", filled(says.cells, { height: String(height), width: String(width) })),
          said("p", loss < 0.005 ? says.best : filled(says.better, { loss: loss.toFixed(2) })),
          Object.assign(said("p", `${says.beyond} ${ofBurst(says.protocol, this.burst)}.`), { className: "caption" }),
        ),
      );
    };
    const again = () => measure().catch((error) => error instanceof Outdated || this.fail(error));
    select.onchange = () => {
      method = select.value;
      again();
    };
    this.remeasure = again;
    this.measured = turn;
    await again();
    session.check(turn);
  }

  /**
   * The curves of what is there by now.
   * @param {{ name: string, title: string, config: { noise_map: boolean } }[]} all
   * @param {Map<string, Map<number, Answer>>} answers
   * @param {number[]} done
   */
  draw(all, answers, done) {
    const x = [...done].sort((a, b) => a - b);
    const curves = (/** @type {keyof Answer} */ key, /** @type {string} */ y_title, times = 1) =>
      chart({
        x,
        ticks: x.map((scale) => (Number.isInteger(Math.log2(scale)) ? timesText(scale) : "")),
        x_title: "assumed noise / true noise",
        y_title,
        log2: true,
        narrow: true,
        lines: all.map(({ name, title }) => ({
          name: title,
          y: x.map((scale) => scaled(answers.get(name)?.get(scale)?.[key], times)),
        })),
      });
    const { says } = this;
    const names = all
      .filter(({ config }) => !config.noise_map)
      .map(({ title }) => title)
      .join(" and ");
    const figures = /** @type {[string, HTMLElement][]} */ ([
      [says.spread, curves("spread", "median spread, px")],
      [says.share, curves("share", "median share, %", 100)],
      [says.psnr, curves("psnr", "PSNR, dB")],
    ]);
    const protocol = ofBurst(says.protocol, this.burst);
    const flat = names ? filled(says.flat, { names }) : filled(says.no_flat, { name: says.blind });
    this.below.replaceChildren(
      said("h2", says.curves),
      lineOfTerms(says.words.split(" · ")),
      make(
        "div",
        { className: "grid" },
        ...figures.map(([title, figure]) => make("div", {}, said("b", title), figure)),
      ),
      Object.assign(said("p", `${filled(says.caption, { protocol })} ${flat}`), { className: "caption" }),
    );
  }
}

/** @param {number | null | undefined} value @param {number} times */
function scaled(value, times) {
  return value == null ? null : times * value;
}
