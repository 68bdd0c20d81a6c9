// Noise: the same burst, with more or less assumed noise than there is.

/** @import { Answer, Estimate, Measure } from "../types" */
/** @import { Site } from "../site.js" */
/** @import { Display } from "../../../lens/scripts/types" */

import { chart } from "../chart.js";
import { make } from "../elements.js";
import { packAssumed } from "../pack.js";
import { LensPage, SCALES } from "./lens_page.js";

const BLIND = "kpn-blind"; // beside the methods that are chosen
// The true noise and the ends first, so that curves have their shape early.
const ORDER = [1, 0.25, 4, 0.5, 2, Math.SQRT1_2, Math.SQRT2, 0.25 * Math.SQRT2, 2 * Math.SQRT2];

export class NoisePage extends LensPage {
  /**
   * @param {Site} site
   * @param {HTMLElement} place
   */
  constructor(site, place) {
    super(site, place, {
      title: "What if the assumed noise is wrong?",
      introduction: ["A kernel prediction network takes an ", make("b", {}, "assumed noise"), ": how noisy the frames are said to be. ", make("b", {}, "Move the slider"), " under the pictures: the same burst, denoised as if it had 1/4 to 4 times the true standard deviation. Below, what that does over the whole picture."],
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

  /** @param {number} turn */
  async finished(turn) {
    const { session, burst, models } = this;
    const blind = session.modelsOf([BLIND], burst.N).filter(({ name }) => !models.some((model) => model.name === name));
    const all = [...models, ...blind].filter(({ config }) => !config.direct);
    if (!all.length) {
      this.below.replaceChildren(make("p", {}, "Choose a network that predicts kernels."));
      return;
    }
    /** @type {Map<string, Map<number, Answer>>} */
    const answers = new Map(all.map(({ name }) => [name, new Map()]));
    /** @type {Map<string, Estimate[]>} */
    const others = new Map();
    const given = () => this.lens.setAssumed({ burst: session.id, results: Object.fromEntries(session.assumed) });
    given();
    for (const scale of ORDER) {
      for (const { name, config, title } of [...models.filter(({ config: { direct } }) => direct), ...all]) {
        this.say(`Denoising with ${title}, told ${words(scale)} the true noise …`);
        const wanted = /** @type {Measure[]} */ (config.direct ? [] : ["answer"]);
        const estimate = scale === 1 ? await session.estimate(name, turn, wanted) : (await session.ask(name, turn, [scale], wanted))[0];
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
      this.draw(all, answers, ORDER.slice(0, ORDER.indexOf(scale) + 1));
    }
    this.say(`${burst.N} frame${burst.N > 1 ? "s" : ""} of ${burst.H}×${burst.W} pixels, denoised here with ${ORDER.length} assumed noises`);
  }

  /**
   * The curves of what is there by now.
   * @param {{ name: string, title: string, config: { noise_map: boolean } }[]} all
   * @param {Map<string, Map<number, Answer>>} answers
   * @param {number[]} done
   */
  draw(all, answers, done) {
    const x = [...done].sort((a, b) => a - b);
    const curves = (/** @type {keyof Answer} */ key, /** @type {string} */ y_title) =>
      chart({ x, ticks: x.map((scale) => (Number.isInteger(Math.log2(scale)) ? words(scale) : "")), x_title: "assumed noise / true noise", y_title, log2: true, lines: all.map(({ name, title }) => ({ name: title, y: x.map((scale) => answers.get(name)?.get(scale)?.[key] ?? null) })) });
    const flat = all.filter(({ config }) => !config.noise_map).map(({ title }) => title).join(" and ");
    this.below.replaceChildren(
      make("h2", {}, "How the kernels and the picture answer"),
      make("div", { className: "grid" },
        ...[["Spread of frame 0’s kernels", curves("spread", "median spread, px")], ["Share of frame 0", curves("share", "median share")], ["Picture", curves("psnr", "PSNR, dB")]].map(([title, figure]) => make("div", {}, make("b", {}, title), figure))),
      make("p", { className: "caption" }, `Medians over the picture, at every second pixel. At ×1 the assumed noise is the true one.${flat ? ` Of a network that takes no assumed noise lines are flat: ${flat}.` : ""}`),
    );
  }
}

/** 0.25 -> "×1/4". @param {number} scale */
function words(scale) {
  return scale >= 1 ? `×${Number(scale.toFixed(2))}` : `×1/${Number((1 / scale).toFixed(2))}`;
}
