// Fetches what a burst gives with other assumed noise, and leaves it where the lens finds it.

const RESTED_MS = 700; // a burst that stays so long on the page is worth it
const AGAIN_MS = 2000; // after a failure; twice as long after the next one
const TRIES = 4;
const TOO_LARGE = 413;

// What was brought, of one burst: {burst, methods, brought: Map(method -> payload)}. The lens reads it.
const shelf = (globalThis.kpnvizAssumed ??= { burst: null, methods: [], brought: new Map() });

function tell() {
  document.dispatchEvent(new CustomEvent("kpnviz-assumed"));
}

function rest(milliseconds, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", () => clearTimeout(timer));
  });
}

// One after the other: the server makes them so, and a browser has few connections to a server.
async function bringAll(parcels, signal) {
  for (const [method, address] of Object.entries(parcels)) {
    for (let failed = 0; !shelf.brought.has(method); ) {
      try {
        const payload = await fetchParcel(address, signal);
        shelf.brought.set(method, readArrays(...readHeader(payload)));
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === TOO_LARGE) shelf.brought.set(method, null);
        else if (++failed < TRIES) await rest(AGAIN_MS * 2 ** (failed - 1), signal);
        else {
          shelf.burst = null; // the lens does without
          return tell();
        }
      }
    }
    tell();
  }
}

let last = null; // what is being brought: its names, and how it is stopped

function leave() {
  last?.stop.abort();
  last = null;
}

export default function ({ data }) {
  const [{ burst, parcels }] = readHeader(data);
  const methods = Object.keys(parcels);
  const names = [burst, ...methods].join();
  if (names === last?.names) return leave;
  leave();
  last = { names, stop: new AbortController() };
  if (burst !== shelf.burst) Object.assign(shelf, { burst, brought: new Map() });
  shelf.methods = methods;
  tell();
  const { signal } = last.stop;
  rest(RESTED_MS, signal).then(() => bringAll(parcels, signal));
  return leave;
}
