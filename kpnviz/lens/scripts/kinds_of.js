// The kinds of a method's kernels, computed beside what the mouse asks for.

/** @import { Field, KernelMethod } from "./types" */
/** @import { KernelKinds } from "./kinds.js" */
/** @import { Shown } from "./shown.js" */

import { kernelKinds } from "./kinds.js";

export const KIND_COUNTS = [2, 3, 4, 5, 6, 7, 8];

export class KindsOf {
  /** @param {Shown} state */
  constructor(state) {
    this.state = state;
    /** @type {WeakMap<Field, Map<string, KernelKinds>>} */
    this.found = new WeakMap();
  }

  /**
   * The frames whose kernels are sorted: the chosen one, or all together.
   * @param {number} count
   */
  framesOf(count) {
    const { allFrames, frame } = this.state;
    return allFrames ? Array.from({ length: count }, (_, i) => i) : [Math.min(frame, count - 1)];
  }

  /**
   * Those of a method, once they are computed.
   * @param {KernelMethod} method
   */
  of(method) {
    const { state, found } = this;
    const field = state.fieldOf(method);
    const frames = this.framesOf(field.count);
    const name = `${frames} ${state.kindCount} ${state.channel}`;
    const known = found.get(field) ?? new Map();
    found.set(field, known);
    if (!known.has(name))
      state.background.add(
        `kinds of ${method.title}`,
        `${name} ${state.assumed.applied} ${state.series.applied} ${state.byHand.nameOfChanges(method)}`,
        () => kernelKinds(field, frames, state.kindCount, state.channel),
        (made) => {
          known.set(name, made);
          state.changed("pictures", "cursor");
        },
      );
    return /** @type {KernelKinds | undefined} */ (known.get(name));
  }

  /**
   * The kind of a pixel of a method's picture, or null.
   * @param {KernelMethod} method
   * @param {number} y
   * @param {number} x
   */
  at(method, y, x) {
    const found = this.of(method);
    const field = this.state.fieldOf(method);
    if (!found || !field.covers(y, x)) return null;
    const { half, rule: { inset } } = field; // prettier-ignore
    const [i, j] = [y - inset, x - inset].map((at) => (half ? at >> 1 : at));
    return found.index[i * found.w + j];
  }
}
