// The ideal kernels of the pixel at which the mouse rests, and the errors to be expected of them and of the network's.

/** @import { Shown } from "./shown.js" */

import { expectedError, idealKernels, windowAround } from "./ideal.js";
import { applyKernels, channelOf } from "./kernels.js";

const REST_MS = 70; // the mouse has come to rest

export class IdealAtRest {
  /** @param {Shown} state */
  constructor(state) {
    this.state = state;
    this.reset();
  }

  reset() {
    clearTimeout(this.timer);
    /** @type {(ReturnType<typeof applyKernels> & { error: number, network: number, truth: number }) | null} */
    this.found = null; // error, network: expected errors, linear intensity
    this.about = "";
  }

  /** What ideal kernels are asked for now. */
  get wanted() {
    const { data, cursor, assumed, series, channel, chosenMethod, byHand } = this.state;
    const changes = chosenMethod && byHand.nameOfChanges(chosenMethod);
    return `${data.id} ${chosenMethod?.title} ${cursor} ${assumed.applied} ${series.applied} ${channel} ${changes}`;
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
    const { cursor: [y, x], chosenMethod: method, data, truth, changed } = this.state; // prettier-ignore
    if (!method || !truth?.image || !data.clean || !data.noise) return;
    const [H, W] = data.clean.shape.slice(2);
    const c = Math.min(this.state.channel, this.state.channels - 1);
    const field = this.state.fieldOf(method);
    const { count, rule } = field;
    const clean = channelOf(data.clean, c, count);
    const around = windowAround(clean, truth.image.subarray(c * H * W, (c + 1) * H * W), data.noise[c], rule, y, x);
    const kernels = idealKernels(around);
    this.found = {
      ...applyKernels(channelOf(data.frames, c, count), [kernels], rule, y, x),
      error: expectedError(around, kernels),
      network: expectedError(around, field.at(y, x, c)),
      truth: truth.image[(c * H + y) * W + x],
    };
    this.about = this.wanted;
    changed("cursor");
  }
}
