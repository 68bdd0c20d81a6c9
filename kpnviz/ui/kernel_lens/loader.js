// Fetches what the server offers at an address, and what a burst gives with other assumed noise.

/** @import { AssumedGiven } from "../../lens/scripts/types" */

const RESTED_MS = 700; // a burst that stays so long on the page is worth it
const AGAIN_MS = 2000; // after a failure; twice as long after the next one
const TRIES = 4;
const TOO_LARGE = 413;

class FetchError extends Error {
  /**
   * @param {number} status
   * @param {string} address
   */
  constructor(status, address) {
    super(`${status} ${address}`);
    this.status = status;
  }
}

/**
 * The bytes at an address that Python offers (serving/payloads.py).
 * @param {string} address
 * @param {AbortSignal} [signal]
 */
export async function fetchBytes(address, signal) {
  const answer = await fetch(new URL(address, document.baseURI), { signal });
  if (!answer.ok) throw new FetchError(answer.status, address);
  return new Uint8Array(await answer.arrayBuffer());
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 */
function rest(milliseconds, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", () => clearTimeout(timer));
  });
}

/** @type {AssumedGiven} */
let cached = { burst: "", results: {} }; // of one burst: the page may be left and come back to

/** Loads the results of each method for a burst, one after the other, and hands on what it has. */
export class AssumedLoader {
  /** @param {(given: AssumedGiven | null) => void} loaded  called as more comes; null: it cannot be fetched */
  constructor(loaded) {
    this.loaded = loaded;
    this.wanted = "";
    this.stop = new AbortController();
  }

  destroy() {
    this.stop.abort();
    this.wanted = "";
  }

  /**
   * Load what is offered for a burst: of each method the address of its results. null: nothing.
   * @param {{ burst: string, addresses: Record<string, string> } | null} offered
   */
  load(offered) {
    const wanted = offered ? [offered.burst, ...Object.keys(offered.addresses)].join() : "";
    if (wanted === this.wanted) return;
    this.destroy();
    this.wanted = wanted;
    if (!offered) return;
    this.stop = new AbortController();
    if (offered.burst !== cached.burst) cached = { burst: offered.burst, results: {} };
    this.loaded(cached);
    const { signal } = this.stop;
    rest(RESTED_MS, signal).then(() => this.loadAll(offered.addresses, signal));
  }

  /**
   * One after the other: the server makes them so, and a browser has few connections to a server.
   * @param {Record<string, string>} addresses
   * @param {AbortSignal} signal
   */
  async loadAll(addresses, signal) {
    const { results } = cached;
    for (const [method, address] of Object.entries(addresses)) {
      for (let failed = 0; !(method in results);) {
        try {
          results[method] = await fetchBytes(address, signal);
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof FetchError && error.status === TOO_LARGE) results[method] = null;
          else if (++failed < TRIES) await rest(AGAIN_MS * 2 ** (failed - 1), signal);
          else return this.loaded(null); // the lens does without
        }
      }
      if (signal.aborted) return;
      this.loaded(cached);
    }
  }
}
