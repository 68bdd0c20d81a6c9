// Long work in slices: the mouse does not wait for it.

const SLICE_MS = 8; // less than half a frame of the screen

/**
 * @typedef {object} Job
 * @property {unknown} about
 * @property {Generator<void, any, void>} steps
 * @property {(result: any) => void} done
 */

/** One job after the other, in slices between which the browser does what a person asks for. */
export class Background {
  constructor() {
    /** @type {Map<unknown, Job>} */
    this.jobs = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** Nothing of it is wanted any more. */
  clear() {
    this.jobs.clear();
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /**
   * Do a job, in place of one with the same key; where that is `about` the same, it goes on.
   * @template T
   * @param {unknown} key
   * @param {unknown} about
   * @param {() => Generator<void, T, void>} begin
   * @param {(result: T) => void} done
   */
  add(key, about, begin, done) {
    if (this.jobs.has(key) && this.jobs.get(key)?.about === about) return;
    this.jobs.set(key, { about, steps: begin(), done });
    this.timer ??= setTimeout(() => this.work());
  }

  work() {
    this.timer = undefined;
    const until = performance.now() + SLICE_MS;
    for (const [key, { steps, done }] of this.jobs) {
      let step = steps.next();
      while (!step.done && performance.now() < until) step = steps.next();
      if (!step.done) break;
      this.jobs.delete(key);
      done(step.value);
      if (performance.now() >= until) break;
    }
    if (this.jobs.size) this.timer ??= setTimeout(() => this.work());
  }
}
