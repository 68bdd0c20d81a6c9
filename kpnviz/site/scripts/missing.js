// Networks that cannot be had: a page shows the others, and names these in a sentence.

import { sentenceOf } from "./elements.js";
import { Outdated } from "./slices.js";

export class Missing {
  /** @type {Map<string, { title: string, error: unknown }>} */
  networks = new Map();

  clear() {
    this.networks.clear();
  }

  /** @param {string} name */
  has(name) {
    return this.networks.has(name);
  }

  /**
   * What comes of work with a network; null where that cannot be had, or cannot do it. Outdated is passed on.
   * @template T
   * @param {{ name: string, title: string }} network
   * @param {() => Promise<T>} work
   * @returns {Promise<T | null>}
   */
  async without({ name, title }, work) {
    if (this.has(name)) return null;
    try {
      return await work();
    } catch (error) {
      if (error instanceof Outdated) throw error;
      this.networks.set(name, { title, error });
      return null;
    }
  }

  /**
   * Which are missing, and why the first is; "" if none.
   * @param {string} [where]
   */
  sentence(where = "") {
    const all = [...this.networks.values()];
    if (!all.length) return "";
    const titles = all.map(({ title }) => title);
    const last = titles.pop();
    return `${titles.length ? `${titles.join(", ")} and ${last} are` : `${last} is`} not shown${where}: ${sentenceOf(all[0].error)}`;
  }
}
