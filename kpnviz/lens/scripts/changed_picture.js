// The picture that changed kernels make (ChangedKernels.apply in kpnviz/analysis/counterfactuals.py).

/** @import { Changes, Floats } from "./types" */
/** @import { KernelField } from "./field.js" */

import { scaleOfShare } from "./kept_field.js";
import { padded } from "./kernels.js";
import { readRow } from "./size_pictures.js";

/**
 * The kernels of one frame and channel at a row of pixels, the mean of the sizes that are kept: `taps` [K * K, width]. Adds to
 * `wanted` [width] the sums of the weights of all sizes.
 * @param {KernelField} field
 * @param {number} share  of it, where kernels are mixed of two fields
 * @param {number} frame
 * @param {Float64Array} factors  [F, width]
 * @param {number[]} kept
 * @param {Float64Array} taps
 * @param {Float64Array} wanted
 */
function addTaps(
  { K, F, sizes, count, rule: { width }, parts: { separable, basis } },
  share,
  frame,
  factors,
  kept,
  taps,
  wanted,
) {
  if (basis) {
    for (let f = 0; f < F; f++)
      for (let i = 0; i < K * K; i++) {
        const value = share * basis.values[(f * count + frame) * K * K + i];
        for (let x = 0; x < width; x++) {
          const weight = value * factors[f * width + x];
          taps[i * width + x] += weight;
          wanted[x] += weight;
        }
      }
    return;
  }
  let first = 0;
  for (const size of sizes) {
    const margin = (K - size) / 2;
    const [own, all] = [kept.includes(size) ? share / kept.length : 0, share / sizes.length];
    for (let a = 0; a < size; a++)
      for (let b = 0; b < size; b++) {
        const tap = ((a + margin) * K + b + margin) * width;
        const [one, other] = [(first + (separable ? a : a * size + b)) * width, (first + size + b) * width];
        for (let x = 0; x < width; x++) {
          const weight = separable ? factors[one + x] * factors[other + x] : factors[one + x];
          taps[tap + x] += own * weight;
          wanted[x] += all * weight;
        }
      }
    first += separable ? 2 * size : size * size;
  }
}

/**
 * The picture [C, H, W] that kernels make of frames [N, C, H, W] after changes; NaN beyond it. A step is a row.
 * @param {{ field: KernelField, share: number }[]} sources  what the kernels are mixed of
 * @param {Floats} frames
 * @param {Changes} changes
 * @returns {Generator<void, Float32Array, void>}
 */
export function* changedPicture(sources, { values, shape: [, C, H, W] }, { kept, keepShare, dropped, nonnegative }) {
  const [{ field }] = sources;
  const { K, count, channels, rule: { inset, height, width, padding, divisor } } = field; // prettier-ignore
  const reach = (K - 1) / 2;
  const picture = new Float32Array(C * H * W).fill(inset ? NaN : 0);
  const across = width + 2 * reach;
  const columns = Int32Array.from({ length: across }, (_, x) => padded(x + inset - reach, W, padding));
  const line = new Float64Array(across); // of one frame and channel: what lies under a row of the kernels
  const rows = sources.map((source) => new Float64Array(source.field.F * width));
  const taps = new Float64Array(K * K * width);
  const totals = new Float64Array(C * width);
  const [wanted, share] = [0, 1].map(() => new Float64Array(channels * width));
  for (let y = 0; y < height; y++) {
    for (const sums of [totals, wanted, share]) sums.fill(0);
    for (let frame = 0; frame < count; frame++)
      for (let c = 0; c < C; c++) {
        const set = channels > 1 ? c : 0;
        if (c === 0 || channels > 1) {
          taps.fill(0);
          sources.forEach((source, s) => {
            readRow(source.field, frame, c, y, rows[s]);
            addTaps(
              source.field,
              source.share,
              frame,
              rows[s],
              kept,
              taps,
              wanted.subarray(set * width, (set + 1) * width),
            );
          });
          if (nonnegative) for (let i = 0; i < taps.length; i++) taps[i] = Math.max(taps[i], 0);
          if (!dropped.includes(frame))
            for (let i = 0; i < K * K; i++)
              for (let x = 0; x < width; x++) share[set * width + x] += taps[i * width + x];
        }
        if (dropped.includes(frame)) continue;
        for (let a = 0; a < K; a++) {
          const row = padded(y + inset + a - reach, H, padding);
          if (row < 0) continue;
          const from = ((frame * C + c) * H + row) * W;
          for (let x = 0; x < across; x++) line[x] = columns[x] < 0 ? 0 : values[from + columns[x]];
          for (let b = 0; b < K; b++) {
            const tap = (a * K + b) * width;
            for (let x = 0; x < width; x++) totals[c * width + x] += taps[tap + x] * line[x + b];
          }
        }
      }
    for (let c = 0; c < C; c++)
      for (let x = 0; x < width; x++) {
        const set = (channels > 1 ? c : 0) * width + x;
        const scale = keepShare ? scaleOfShare(wanted[set] / divisor, share[set] / divisor) : 1;
        picture[(c * H + y + inset) * W + x + inset] = (scale * totals[c * width + x]) / divisor;
      }
    yield;
  }
  return picture;
}
