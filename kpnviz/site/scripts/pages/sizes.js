// Sizes: MKPN, and kernels from 1x1 to 25x25, on one burst. Networks are loaded one after the other, and let go with the page.

/** @import { Site } from "../site.js" */
/** @import { Shown } from "../pack.js" */
/** @import { Display } from "../../../lens/scripts/types" */

import { bestSize } from "../best_size.js";
import { chart } from "../chart.js";
import { PIXEL_CLASSES } from "../constants.js";
import { make } from "../elements.js";
import { interestingPixel } from "../first_look.js";
import { pack } from "../pack.js";
import { ofSizes, PANELS } from "../parameters.js";
import { ofClasses, pixelClasses } from "../pixel_classes.js";
import { lineOfTerms } from "../terms.js";
import { filled, ofBurst, said } from "../texts.js";
import { framesOf, LensPage } from "./lens_page.js";

const LANES = 2; // networks that compute at a time

export class SizesPage extends LensPage {
  /**
   * @param {Site} site
   * @param {HTMLElement} place
   */
  constructor(site, place) {
    super(site, place, {
      page: "sizes",
      methods: false,
      examples: true,
    });
    this.introduction.hidden = this.session.state.teach; // for a class the title is enough, and pictures need the room
    this.used = new Set();
    this.followed = false;
  }

  /** In the order of the page; what cannot be had is left out. */
  get all() {
    const { offer, state } = this.session;
    const models = this.session.modelsOf(offer.sized, state.frames).filter(({ name }) => !this.missing.has(name));
    return offer.sized.flatMap((name) => models.filter((model) => model.name === name));
  }

  get models() {
    return this.all.filter(({ name }) => this.session.estimates.get(name)?.local);
  }

  get note() {
    return "";
  }

  get display() {
    return { look: "sizes", compare: "wipe", ...this.session.state.sizes };
  }

  /** @param {Display} display */
  keepDisplay(display) {
    this.session.state.sizes = ofSizes(display);
  }

  restored() {
    this.followed = false;
    return super.restored();
  }

  destroy() {
    const { state, pool } = this.session;
    super.destroy();
    for (const name of this.used) if (!state.methods.includes(name)) pool.close(name);
  }

  /** @param {number} turn */
  async denoise(turn) {
    const { session, all, burst } = this;
    if (all.length < 2)
      throw new Error(
        `This page compares kernel sizes, and fewer than two of this site's networks take ${burst.N} frames`,
      );
    const begun = performance.now();
    this.followed = this.followed && !this.first;
    const { shown, other } = session.state.sizes;
    // The two that are seen come first, MKPN before all.
    const rank = (/** @type {string} */ name) =>
      name === all[0].name ? 0 : name === shown ? 1 : name === other ? 2 : 3;
    const waiting = all
      .filter(({ name }) => !session.estimates.get(name)?.local)
      .sort((a, b) => rank(a.name) - rank(b.name));
    const titles = new Set(waiting.map(({ title }) => title));
    const progress = () =>
      this.say(
        titles.size
          ? `${all.length - titles.size} of ${all.length} networks; denoising with ${[...titles].slice(0, LANES).join(" and ")} …`
          : `${framesOf(burst)}, denoised here with ${this.all.length} networks in ${((performance.now() - begun) / 1000).toFixed(1)} s`,
      );
    progress();
    if (!waiting.length) this.showSome();
    const lane = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const { name, title } = next;
        this.used.add(name);
        await this.missing.without(next, () => session.estimate(name, turn, ["errors"]));
        session.check(turn);
        titles.delete(title);
        progress();
        this.showSome();
      }
    };
    this.below.replaceChildren();
    await Promise.all(Array.from({ length: LANES }, lane));
    session.check(turn);
    if (this.all.length < 2)
      throw new Error(`Fewer than two kernel sizes are left to compare: ${this.missing.sentence()}`);
    this.sayMissing();
    this.drawCurves();
  }

  /** Of each class of pixels, by how much every size is better or worse than MKPN, or else than the largest size. */
  drawCurves() {
    const { burst, all, says } = this;
    const { H, W, C, clean } = burst;
    const { far, texts } = this.session.offer;
    const sized = all.filter(({ config }) => config.sizes.length === 1);
    if (!sized.length) return;
    const base = all.find(({ name }) => name === "mkpn") ?? sized[sized.length - 1];
    const errors = all.map(({ name }) => /** @type {Float64Array} */ (this.session.estimates.get(name)?.error));
    const { shares, psnr } = ofClasses(pixelClasses(clean.subarray(0, C * H * W), burst), errors, H, W);
    const of = (/** @type {typeof base} */ model, /** @type {number} */ i) => psnr[all.indexOf(model)][i];
    const x = sized.map(({ config }) => config.sizes[0]);
    const ticks = x.map((size) => (size === 11 && x.includes(9) && x.includes(13) ? "" : String(size)));
    const cells = PIXEL_CLASSES.names.map((name, i) => {
      const title = said(
        "p",
        filled(says.share, {
          class: name[0].toUpperCase() + name.slice(1),
          share: `${(100 * shares[i]).toFixed(0)} %`,
        }),
      );
      if (!shares[i]) return make("div", {}, title, said("p", says.none));
      return make(
        "div",
        {},
        title,
        chart({
          x,
          ticks,
          x_title: "kernel size n, px",
          y_title: filled(says.y, { base: base.title }),
          log2: true,
          zero: true,
          narrow: true,
          near: far,
          lines: [{ name: "KPN Lₙ", y: sized.map((model) => of(model, i) - of(base, i)) }],
        }),
      );
    });
    const levels = PIXEL_CLASSES.names
      .flatMap((name, i) => (shares[i] ? [`${name} ${of(base, i).toFixed(2)} dB`] : []))
      .join(", ");
    const { rule, protocol } = texts.classes;
    this.below.replaceChildren(
      lineOfTerms(says.words.split(" · ")),
      said("h2", filled(says.curves, { base: base.title })),
      make("div", { className: "grid" }, ...cells),
      Object.assign(
        said(
          "p",
          filled(says.caption, {
            base: base.title,
            levels,
            far: String(far),
            rule,
            protocol: ofBurst(protocol, burst),
          }),
        ),
        { className: "caption" },
      ),
    );
  }

  /** What is there by now, once there are two. */
  showSome() {
    const names = this.models.map(({ name }) => name);
    if (names.length < 2) return;
    this.show();
    const { shown, other } = this.session.state.sizes;
    if (this.followed || !names.includes(shown) || (!names.includes(other) && !PANELS.includes(other))) return;
    this.followed = true;
    this.follow();
  }

  /** @param {Shown[]} shown */
  payload(shown) {
    const { burst, session } = this;
    const best = bestSize(
      shown.map(({ estimate }) => /** @type {Float32Array} */ (estimate?.local)),
      shown.map(({ config }) => (config.sizes.length === 1 ? config.sizes[0] : null)),
      burst.H,
      burst.W,
    );
    return pack(burst, shown, interestingPixel(burst), `sizes ${session.id}`, best);
  }
}
