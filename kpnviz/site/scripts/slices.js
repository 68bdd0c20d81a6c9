// Long work in slices: the page answers meanwhile.

const SLICE_MS = 12; // of computing, before others have their turn

/**
 * What a generator returns, computed a little at a time; `step` is told what it yields, and may throw to end it.
 * @template Y, T
 * @param {Generator<Y, T>} steps
 * @param {(value: Y) => void} [step]
 * @returns {Promise<T>}
 */
export async function inSlices(steps, step = () => {}) {
  for (;;) {
    const end = performance.now() + SLICE_MS;
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      if (performance.now() < end) continue;
      step(value);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
}
