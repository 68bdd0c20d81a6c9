// Kernel sizes that a person switched off, and the pictures that the others make.

/** @import { Field, KernelMethod, Method, Panel, WholeField } from "./types" */
/** @import { KernelField } from "./field.js" */
/** @import { OfSize } from "./size_pictures.js" */
/** @import { Shown } from "./shown.js" */

import { psnrOf } from "./assumed.js";
import { KeptField, scaleOfShare } from "./kept_field.js";
import { sizePictures } from "./size_pictures.js";
import { plus } from "./text.js";

export class KeptSizes {
  /** @param {Shown} state */
  constructor(state) {
    this.state = state;
    /** @type {Map<string, Set<number>>} */
    this.off = new Map(); // by the method's name
    this.keepShare = true; // kernels are scaled so that shares sum to what they did
    /** @type {WeakMap<Field, OfSize[]>} */
    this.pictures = new WeakMap(); // of each size
    /** @type {Map<Panel, { of: string, field: Field, variant: { image: Float32Array, score: string } }>} */
    this.made = new Map();
    /** @type {Map<Method, { of: string, whole: Field, field: Field }>} */
    this.fields = new Map();
  }

  /** Another payload is shown. What was switched off stays so where there still is such a size. */
  load() {
    this.made.clear();
    this.fields.clear();
    this.state.background.clear();
  }

  /** @param {KernelMethod} method */
  nameOf(method) {
    return this.state.data.panels[method.panel].name;
  }

  /**
   * The sizes of a method that count.
   * @param {KernelMethod} method
   * @returns {number[]}
   */
  of(method) {
    const off = this.off.get(this.nameOf(method));
    const { sizes } = method.kernels;
    const kept = off ? sizes.filter((size) => !off.has(size)) : sizes;
    return kept.length ? kept : sizes;
  }

  /** @param {KernelMethod} method */
  areAll(method) {
    return this.of(method).length === method.kernels.sizes.length;
  }

  /**
   * Switch a size on or off; the last one stays. Without a size: all of them on.
   * @param {KernelMethod} method
   * @param {number} [size]
   */
  toggle(method, size) {
    const kept = this.of(method);
    const off = new Set(method.kernels.sizes.filter((one) => !kept.includes(one)));
    if (size === undefined) off.clear();
    else if (off.has(size)) off.delete(size);
    else if (kept.length > 1) off.add(size);
    this.off.set(this.nameOf(method), off);
  }

  /**
   * A method's kernels with those sizes alone.
   * @param {KernelMethod} method
   * @param {WholeField} whole
   * @returns {Field}
   */
  fieldOf(method, whole) {
    if (this.areAll(method)) return whole;
    const kept = this.of(method);
    const name = `${kept} ${this.keepShare}`;
    const before = this.fields.get(method);
    if (before?.whole === whole && before.of === name) return before.field;
    const field = new KeptField(whole, kept, this.keepShare);
    this.fields.set(method, { of: name, whole, field });
    return field;
  }

  /**
   * Compute what switching sizes off needs, before it is asked for.
   * @param {KernelMethod} method
   */
  prepare(method) {
    if (method.kernels.sizes.length > 1) for (const { field } of this.sourcesOf(method)) this.picturesOf(field);
  }

  /**
   * The fields that a method's kernels are, or are mixed of, and how much of each.
   * @param {KernelMethod} method
   * @returns {{ field: KernelField, share: number }[]}
   */
  sourcesOf(method) {
    const whole = this.state.wholeFieldOf(method);
    if (!("other" in whole)) return [{ field: whole, share: 1 }];
    return [
      { field: whole.one, share: 1 - whole.share },
      { field: whole.other, share: whole.share },
    ];
  }

  /**
   * The pictures of each size of a field, once they are computed.
   * @param {KernelField} field
   */
  picturesOf(field) {
    const { background, data, changed } = this.state;
    const found = this.pictures.get(field);
    if (!found)
      background.add(
        field,
        "sizes",
        () => sizePictures(field, data.frames),
        (pictures) => {
          this.pictures.set(field, pictures);
          changed("bitmaps", "pictures", "cursor");
        },
      );
    return found;
  }

  /**
   * What a panel shows where sizes of its method are off: the picture of the others, and its score. While that is being
   * computed, the picture of all of them without a score.
   * @param {Panel} panel
   * @returns {{ image: Float32Array, score: string } | undefined}
   */
  variantOf(panel) {
    const { state, made } = this;
    const method = state.kernelMethods.find((one) => state.data.panels[one.panel] === panel);
    if (!method || this.areAll(method)) return;
    const name = `${this.of(method)} ${this.keepShare}`;
    const whole = state.wholeFieldOf(method);
    const before = made.get(panel);
    if (before?.field === whole && before.of === name) return before.variant;
    const base = state.wholeVariantOf(panel)?.image ?? panel.image;
    if (!base) return;
    const image = this.imageOf(method);
    if (!image) return { image: base, score: "…" };
    const variant = { image, score: this.scoreOf(image) };
    made.set(panel, { of: name, field: whole, variant });
    return variant;
  }

  /**
   * The picture of the sizes of a method that count; undefined until those of all are computed.
   * @param {KernelMethod} method
   */
  imageOf(method) {
    const kept = this.of(method);
    const { sizes } = method.kernels;
    const sources = this.sourcesOf(method).map(({ field, share }) => ({ share, found: this.picturesOf(field) }));
    const { length } = sources[0].found?.[0].picture ?? [];
    const [image, now, whole] = [0, 1, 2].map(() => new Float32Array(length));
    const plane = sources[0].found?.[0].share.length ?? 1;
    for (const { share, found } of sources) {
      if (!found) return;
      found.forEach(({ picture, share: shares }, s) => {
        const [weight, on] = [share / kept.length, kept.includes(sizes[s])];
        for (let i = 0; i < plane; i++) whole[i] += (share / sizes.length) * shares[i];
        if (!on) return;
        for (let i = 0; i < plane; i++) now[i] += weight * shares[i];
        for (let i = 0; i < length; i++) image[i] += weight * picture[i];
      });
    }
    if (this.keepShare) for (let i = 0; i < length; i++) image[i] *= scaleOfShare(whole[i % plane], now[i % plane]);
    return image;
  }

  /** @param {Float32Array} image */
  scoreOf(image) {
    const { data, truth } = this.state;
    if (!truth?.image || image.some(Number.isNaN)) return "";
    return `${psnrOf(image, truth.image, data.height, data.width, data.white_level).toFixed(2)} dB`;
  }

  /**
   * "−0.35 dB without 11×11": what switching off did to a panel's score; "" where nothing is off or known.
   * @param {KernelMethod} method
   */
  lossText(method) {
    const panel = this.state.data.panels[method.panel];
    const now = parseFloat(this.variantOf(panel)?.score ?? "");
    const before = parseFloat(this.state.wholeVariantOf(panel)?.score ?? "") || panel.scores?.psnr;
    if (Number.isNaN(now) || before == null) return "";
    return `${plus(now - before, 2)} dB`;
  }
}
