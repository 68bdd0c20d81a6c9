// What Explore, Noise and Sizes have in common: controls at the left, one burst and its networks in the lens, and what is under it.

/** @import { Burst } from "../types" */
/** @import { Shown } from "../pack.js" */
/** @import { Site } from "../site.js" */
/** @import { Display, Pixel } from "../../../lens/scripts/types" */

import { mount } from "../../../lens/scripts/mount.js";
import { foldButton, presenterBeside } from "../class_mode.js";
import { Controls } from "../controls.js";
import { make, sentenceOf } from "../elements.js";
import { exampleShown, stateOfExample } from "../examples.js";
import { interestingPixel } from "../first_look.js";
import { Missing } from "../missing.js";
import { pack, packAssumed } from "../pack.js";
import { othersTurn, Outdated } from "../slices.js";
import { said } from "../texts.js";

/** Of the true noise, between which the lens interpolates. */
export const SCALES = [0.25, 0.5, Math.SQRT1_2, Math.SQRT2, 2, 4];

export class LensPage {
  /**
   * @param {Site} site
   * @param {HTMLElement} place
   * @param {{ page: string, methods: boolean, examples?: boolean }} options  page: whose texts it has; methods: whether they are
   *   chosen; examples: whether it has a menu of bursts that show one thing each
   */
  constructor(site, place, { page, methods, examples = false }) {
    this.site = site;
    this.session = site.session;
    this.first = true;
    this.entered = false; // whether it was told to show something
    this.ordered = true; // whether the lens is to show the pixel and the display of the state, once it has the burst
    this.left = false;
    this.missing = new Missing(); // of the networks of the burst
    this.says = this.session.offer.texts[page];
    this.introduction = Object.assign(said("p", this.says.introduction), { className: "introduction" });
    const form = make("form", { id: "controls" });
    form.setAttribute("aria-label", methods ? "Scene, burst and methods" : "Scene and burst");
    form.onsubmit = (event) => event.preventDefault();
    const lens = make("div", { id: "lens" });
    this.status = make("p", { id: "status" });
    this.status.setAttribute("role", "status");
    this.status.textContent = "Loading …";
    this.below = make("div", { className: "below" });
    const { teach } = this.session.state;
    const header = make("header", {}, said("h1", this.says.title), this.introduction);
    const columns = make(
      "div",
      { className: "columns" },
      form,
      make("div", { className: "stage" }, lens, this.status, this.below),
    );
    place.replaceChildren(header, columns);
    this.fold = foldButton(columns, teach);
    this.presenter = examples && teach ? presenterBeside(header, (number) => this.showExample(number)) : null;
    this.menu = examples && !teach ? this.menuOfExamples() : null;
    this.controls = new Controls(
      form,
      this.session.offer,
      this.session.state,
      () => this.changed(),
      methods,
      this.session.photoNames,
    );
    this.lens = mount(lens.attachShadow({ mode: "open" }), {
      onPinned: (pixel) => {
        this.session.state.pixel = pixel;
        this.site.keep();
        this.pinned();
      },
      onDisplay: (display) => {
        this.keepDisplay(display);
        this.site.keep();
      },
    });
  }

  /** A menu of bursts that show one thing each. */
  menuOfExamples() {
    const { examples } = this.session.offer;
    const select = make(
      "select",
      { id: "examples" },
      make("option", { value: "", textContent: "Examples" }),
      ...examples.map(({ title }, i) => make("option", { value: String(i), textContent: title })),
    );
    select.setAttribute("aria-label", "Examples");
    select.onchange = () => select.value !== "" && this.showExample(Number(select.value));
    this.introduction.before(select);
    return select;
  }

  /** @param {number} number */
  showExample(number) {
    const { state, offer } = this.session;
    const { teach, noise, sizes, results, lesson } = state; // they are of other pages
    Object.assign(state, stateOfExample(offer.examples[number], offer), { teach, noise, sizes, results, lesson });
    this.site.complain("");
    this.restored();
  }

  /**
   * The state has become another one: that of an example, or of another entry of the history.
   * @param {boolean} [_same]  with the burst and the methods that are shown
   */
  restored(_same) {
    this.controls.write();
    if (!this.first) this.follow(); // at once where it is the same burst; it reports nothing older any more
    [this.ordered, this.entered] = [true, false];
    return this.changed();
  }

  /** Which example is on the page. */
  nameExample() {
    const { state, offer } = this.session;
    const { examples } = offer;
    const example = exampleShown(state, offer);
    const at = example ? examples.indexOf(example) : null;
    this.session.presented = at ?? this.session.presented;
    if (this.menu) this.menu.value = at === null ? "" : String(at);
    this.presenter?.update({
      titles: examples.map(({ title }) => title),
      at: this.session.presented,
      shown: at !== null,
    });
    return example;
  }

  /** How the lens shows the burst at first. @returns {Partial<Display>} */
  get display() {
    return {};
  }

  /** @param {Display} _display  that a person chose */
  keepDisplay(_display) {}

  /** Another pixel was pinned. */
  pinned() {}

  /** The networks on the page, the one to be seen first at the end. */
  get models() {
    return this.chosen.filter(({ name }) => !this.missing.has(name));
  }

  /** The same, with those that cannot be had. */
  get chosen() {
    const { state } = this.session;
    return this.session.modelsOf(state.methods, state.frames);
  }

  /** A sentence on methods that are left out. */
  get note() {
    const left = this.session.state.methods.length - this.chosen.length;
    return left ? ` (${left === 1 ? "one method takes" : `${left} methods take`} another number of frames)` : "";
  }

  destroy() {
    this.left = true;
    this.session.next();
    this.session.anew?.closeAll();
    this.fold.remove();
    this.presenter?.destroy();
    this.lens.destroy();
  }

  refresh() {
    this.lens.refresh();
  }

  /** @param {string} text */
  say(text) {
    this.status.textContent = text;
  }

  /** Another burst, or other networks. */
  async changed() {
    if (this.left) return;
    const turn = this.session.next();
    if (this.entered) this.site.complain(""); // what was wrong with a link stays until something is changed
    this.entered = true;
    this.missing.clear();
    this.site.keep();
    this.nameExample();
    try {
      const before = this.session.id;
      const recipe = await this.session.recipe();
      this.session.check(turn);
      const burst = await this.session.take(recipe, turn);
      if (this.session.id !== before) this.lens.setAssumed(null);
      this.lens.setPredictor(this.session.predictor);
      this.controls.draw(await this.session.photo(recipe.photo), burst);
      await othersTurn(); // what a person does meanwhile is heard before pictures are packed and painted
      this.session.check(turn);
      await this.denoise(turn);
    } catch (error) {
      if (error instanceof Outdated || turn !== this.session.turn) return;
      this.fail(error);
    }
  }

  /** @param {unknown} error */
  fail(error) {
    this.lens.setOutdated(true);
    this.say("");
    this.site.complain(sentenceOf(error));
  }

  get burst() {
    return /** @type {Burst} */ (this.session.burst);
  }

  /**
   * Show the burst at once, and what each network makes of it as it comes. The one that is seen large comes first, its files too.
   * @param {number} turn
   */
  async denoise(turn) {
    const { burst, models, session, missing } = this;
    const begun = performance.now();
    if (!this.first || !models.length) this.show();
    const waiting = new Set(models.filter(({ name }) => !session.estimates.has(name)).map(({ title }) => title));
    const progress = () =>
      this.say(
        waiting.size
          ? `Denoising with ${[...waiting].join(", ")} …`
          : `${framesOf(burst)}, denoised here in ${((performance.now() - begun) / 1000).toFixed(1)} s${this.note}`,
      );
    progress();
    const large = models[models.length - 1]?.name;
    const loaded = large ? session.pool.open(large).catch(() => {}) : Promise.resolve();
    await Promise.all(
      models.map(async (model) => {
        const { name, title } = model;
        if (name !== large) await loaded;
        session.check(turn);
        await missing.without(model, () => session.estimate(name, turn));
        session.check(turn);
        waiting.delete(title);
        // At first the last network's picture is large, and the lens keeps what it shows: others wait for that.
        if (!this.first || name === large || session.estimates.has(large)) this.show();
        progress();
      }),
    );
    session.check(turn);
    if (this.first || missing.networks.size) this.show(); // no place is kept for what does not come
    if (models.length && !this.models.length) this.say(""); // nothing was denoised: why is said above
    this.sayMissing();
    await this.finished(turn);
  }

  /** Which networks could not be had, if any. */
  sayMissing() {
    this.site.complain(this.missing.sentence(), true);
  }

  /** All networks are through. @param {number} _turn @returns {Promise<void>} */
  async finished(_turn) {}

  /** What the lens is shown. @param {Shown[]} shown @returns {Uint8Array} */
  payload(shown) {
    return pack(this.burst, shown, interestingPixel(this.burst), this.session.id);
  }

  /** The lens shows the burst and what has come of it. */
  show() {
    const shown = this.models.map(({ name, title, config }) => ({
      name,
      title,
      config,
      estimate: this.session.estimates.get(name) ?? null,
    }));
    this.lens.show(this.payload(shown));
    this.first = false;
    if (this.ordered) this.follow();
    this.ordered = false;
  }

  /** The lens shows the pixel and the display of the state. */
  follow() {
    this.lens.follow({
      pinned: /** @type {Pixel | null} */ (this.session.state.pixel),
      display: { ...this.session.offer.display, ...this.display },
    });
  }

  /**
   * What the networks make of the burst where they are told another noise, in the background.
   * @param {number} turn
   */
  async assume(turn) {
    const { session, burst } = this;
    const given = () => this.lens.setAssumed({ burst: session.id, results: Object.fromEntries(session.assumed) });
    if (!this.models.length) return this.lens.setAssumed(null);
    given();
    const failed = new Missing();
    for (const model of this.models) {
      const { name } = model;
      if (session.assumed.has(name)) continue;
      const estimates = await failed.without(model, () => session.ask(name, turn, SCALES));
      if (!estimates) continue;
      session.assumed.set(name, packAssumed(burst, SCALES, estimates, session.id));
      given();
    }
    this.site.complain(failed.sentence(" with another assumed noise"), true);
  }
}

/** @param {Burst} burst */
export function framesOf({ N, H, W }) {
  return `${N} frame${N > 1 ? "s" : ""} of ${H}×${W} pixels`;
}
