// The pictures that kernels make as a person changed them (hand_changes.js).

/** @import { Field, KernelMethod, Panel, WholeField } from "./types" */
/** @import { KernelField } from "./field.js" */
/** @import { Shown } from "./shown.js" */
/** @import { OfSize } from "./size_pictures.js" */

import { psnrOf } from "./assumed.js";
import { changedPicture } from "./changed_picture.js";
import { HandChanges } from "./hand_changes.js";
import { scaleOfShare } from "./kept_field.js";
import { sizePictures } from "./size_pictures.js";
import { plus } from "./text.js";

export class ByHand extends HandChanges {
  /** @param {Shown} state */
  constructor(state) {
    super(state);
    /** @type {WeakMap<Field, OfSize[]>} */
    this.pictures = new WeakMap(); // of each size
    /** @type {Map<Panel, { of: string, field: Field, variant: { image: Float32Array, score: string } }>} */
    this.made = new Map();
  }

  load() {
    super.load();
    this.made.clear();
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
   * What a panel shows where something is changed: the picture then, and its score. While that is being computed, the picture
   * as it was without a score.
   * @param {Panel} panel
   * @returns {{ image: Float32Array, score: string } | undefined}
   */
  variantOf(panel) {
    const { state, made } = this;
    if (panel.kind === "mean" && this.isMoved) return this.variantOfMean(panel);
    const anew = state.anew.variantOf(panel);
    const method = state.kernelMethods.find((one) => state.data.panels[one.panel] === panel);
    if (!method || (this.areAll(method) && !(anew ? this.areKernelsChanged : this.isChanged))) return anew;
    const name = this.nameOfChanges(method);
    const whole = state.wholeFieldOf(method);
    const before = made.get(panel);
    if (before?.field === whole && before.of === name) return before.variant;
    const base = (anew ?? state.wholeVariantOf(panel))?.image ?? panel.image;
    if (!base) return;
    const image = this.isChanged ? this.changedImageOf(method, panel, whole, name) : this.imageOf(method);
    if (!image) return { image: base, score: "…" };
    return this.keep(panel, name, whole, image);
  }

  /**
   * @param {Panel} panel
   * @param {string} name
   * @param {WholeField} field
   * @param {Float32Array} image
   */
  keep(panel, name, field, image) {
    const variant = { image, score: this.scoreOf(image) };
    this.made.set(panel, { of: name, field, variant });
    return variant;
  }

  /**
   * The plain mean, with the frame that is moved.
   * @param {Panel} panel
   */
  variantOfMean(panel) {
    const { values, shape: [N] } = this.frames; // prettier-ignore
    const [first] = this.state.kernelMethods;
    const field = first && this.state.wholeFieldOf(first);
    const before = this.made.get(panel);
    if (before?.of === this.stack?.of && before?.field === field) return before.variant;
    const length = values.length / N;
    const image = Float32Array.from({ length }, (_, i) => {
      let sum = 0;
      for (let frame = 0; frame < N; frame++) sum += values[frame * length + i];
      return sum / N;
    });
    return this.keep(panel, this.stack?.of ?? "", field, image);
  }

  /**
   * The picture of kernels that are changed beside their sizes; undefined until it is computed.
   * @param {KernelMethod} method
   * @param {Panel} panel
   * @param {WholeField} whole
   * @param {string} name
   */
  changedImageOf(method, panel, whole, name) {
    const { background, changed } = this.state;
    background.add(
      `changed ${this.nameOf(method)}`,
      name,
      () => changedPicture(this.sourcesOf(method), this.frames, this.changesOf(method)),
      (image) => {
        this.keep(panel, name, whole, image);
        changed("bitmaps", "pictures", "cursor");
      },
    );
    return undefined;
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
