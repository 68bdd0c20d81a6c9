// A series: what a method makes of a burst over a parameter, such as the steps of its training (kpnviz.Series).

/** @import { KernelMethod, Panel, Payload, Step } from "./types" */
/** @import { KernelField } from "./field.js" */

import { clamp } from "./layout.js";
import { scoreText } from "./text.js";

export class Series {
  /** @param {() => void} changed  called when pictures and kernels are others */
  constructor(changed) {
    this.changed = changed;
    /** @type {number | null} */
    this.step = null; // index into the numbers; null: the last
    /** @type {Payload | null} */
    this.data = null;
  }

  /**
   * Another payload is shown.
   * @param {Payload} data
   */
  load(data) {
    this.data = data;
    this.moveTo(this.step);
  }

  /** How many there are; 0: no series is shown. */
  get length() {
    return this.data?.series?.numbers.length ?? 0;
  }

  /** Index of what is on the screen. */
  get applied() {
    return this.step ?? this.length - 1;
  }

  /** @param {number | null} step */
  moveTo(step) {
    const { length } = this;
    this.step = step === null || !length ? null : clamp(Math.round(step), 0, length - 1);
    if (length) this.changed();
  }

  /**
   * The picture of a panel and its score, where it is one of a series.
   * @param {Panel} panel
   * @returns {{ image: Float32Array, score: string } | undefined}
   */
  of(panel) {
    const { data } = this;
    const step = this.stepOf(data?.methods.find((method) => data.panels[method.panel] === panel)?.steps);
    return step && { image: step.image, score: scoreText(step.scores) };
  }

  /**
   * A method's kernels, where it is a series.
   * @param {KernelMethod} method
   * @returns {KernelField | undefined}
   */
  fieldOf({ steps }) {
    return this.stepOf(steps)?.kernels ?? undefined;
  }

  /** @param {Step[] | null | undefined} steps */
  stepOf(steps) {
    return steps?.[this.applied];
  }
}
