// The ideal kernels of the pixel at which the mouse rests, and the errors to be expected of them and of the network's.

/** @import { Shown } from "./shown.js" */

import { expectedError, idealKernels, windowAround } from "./ideal.js";
import { applyKernels } from "./kernels.js";

const REST_MS = 70; // the mouse has come to rest

export class IdealAtRest {
  /** @param {Shown} state */
  constructor(state) {
    this.state = state;
    this.reset();
  }

  reset() {
    clearTimeout(this.timer);
    /** @type {(ReturnType<typeof applyKernels> & { error: number, network: number }) | null} */
    this.found = null; // error, network: expected errors, linear intensity
    this.about = "";
  }

  /** What ideal kernels are asked for now. */
  get wanted() {
    const { data, cursor, assumed, chosenMethod } = this.state;
    return `${data.id} ${chosenMethod?.title} ${cursor} ${assumed.applied}`;
  }

  get isStale() {
    return this.about !== this.wanted;
  }

  /** At every paint of the view: computes once the mouse rests. */
  follow() {
    clearTimeout(this.timer);
    if (this.isStale) this.timer = setTimeout(() => this.solve(), REST_MS);
  }

  solve() {
    const { cursor: [y, x], chosenMethod: method, data, truth, assumed, changed } = this.state; // prettier-ignore
    if (!method || !truth?.image || !data.clean || !data.noise) return;
    const { K, count } = method.kernels;
    const { shape: [, H, W], values } = data.clean; // prettier-ignore
    const around = windowAround({ values, shape: [count, H, W] }, truth.image, data.noise, K, y, x);
    const kernels = idealKernels(around);
    this.found = {
      ...applyKernels(data.frames, kernels, K, y, x),
      error: expectedError(around, kernels),
      network: expectedError(around, assumed.fieldOf(method).at(y, x)),
    };
    this.about = this.wanted;
    changed("cursor");
  }
}
