// Long work in slices: others have their turn meanwhile.

const SLICE_MS = 12; // of computing, before others have their turn

/** What was asked is given up for something newer. */
export class Outdated extends Error {}

/**
 * What a generator returns, computed a little at a time; `step` is told what it yields, after messages that had come were read,
 * and may throw to end it.
 * @template Y, T
 * @param {Generator<Y, T>} steps
 * @param {(value: Y) => void} [step]
 * @returns {Promise<T>}
 */
export async function inSlices(steps, step = () => {}) {
  try {
    for (;;) {
      const end = performance.now() + SLICE_MS;
      for (;;) {
        const { done, value } = steps.next();
        if (done) return value;
        if (performance.now() < end) continue;
        await othersTurn();
        step(value);
        break;
      }
    }
  } finally {
    steps.return(/** @type {any} */ (undefined)); // what it holds is released
  }
}

/** Until messages that have come are read. (Timers would wait for 4 ms.) */
export function othersTurn() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve(null);
    };
    port2.postMessage(null);
  });
}
