// The mean kernels of the region around the pixel, computed beside what the mouse asks for.

/** @import { Field, KernelMethod, Weights } from "./types" */
/** @import { Region } from "./regions.js" */
/** @import { Shown } from "./shown.js" */

import { regionAround, regionMean } from "./regions.js";

export class MeanOfRegion {
  /** @param {Shown} state */
  constructor(state) {
    this.state = state;
    /** @type {WeakMap<KernelMethod, { field: Field, of: string, kernels: Weights[] }>} */
    this.found = new WeakMap(); // of each method the last one
  }

  /**
   * The region of a method around the pixel.
   * @param {KernelMethod} method
   * @returns {Region}
   */
  regionOf(method) {
    const { cursor: [y, x], region } = this.state; // prettier-ignore
    return regionAround(this.state.fieldOf(method), y, x, region);
  }

  /**
   * A method's mean kernels: those of the region, or the last that were known, and whether they are those; null until there
   * are some.
   * @param {KernelMethod} method
   */
  of(method) {
    const { state, found } = this;
    const field = state.fieldOf(method);
    const region = this.regionOf(method);
    const name = `${Object.values(region)} ${state.channel}`;
    const before = found.get(method);
    const fresh = before?.field === field && before.of === name;
    if (!fresh)
      state.background.add(
        `region of ${method.title}`,
        `${name} ${state.assumed.applied} ${state.series.applied} ${state.byHand.nameOfChanges(method)}`,
        () => regionMean(field, region, state.channel),
        (kernels) => {
          found.set(method, { field, of: name, kernels });
          state.changed("cursor");
        },
      );
    return before ? { kernels: before.kernels, fresh } : null;
  }
}
