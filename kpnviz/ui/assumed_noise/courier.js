// Asks Python for what a burst gives with other assumed noise, and leaves it where the lens finds it.

const RESTED_MS = 700; // a burst that stays so long on the page is worth it
const ASK_MS = 350; // to the second question; each later one waits twice as long as the one before it, ...
const LONGEST_MS = 2500; // ... but comes before Python thinks that it is not wanted any more

// What was brought, of one burst: {burst, methods, brought: Map(method -> payload)}. The lens reads it.
const shelf = (globalThis.kpnvizAssumed ??= { burst: null, methods: [], brought: new Map() });

let timer = null;

function tell() {
  document.dispatchEvent(new CustomEvent("kpnviz-assumed"));
}

export default function ({ data, setTriggerValue }) {
  const [{ burst, methods, method, failed }, payload] = readHeader(data);
  const another = burst !== shelf.burst;
  if (another) Object.assign(shelf, { burst, brought: new Map() });
  shelf.methods = methods;
  for (const name of failed) shelf.brought.set(name, null);
  if (method) shelf.brought.set(method, readArrays(...readHeader(payload)));
  tell();
  clearTimeout(timer);
  let pause = ASK_MS;
  const ask = () => {
    const have = [...shelf.brought.keys()];
    if (methods.every((name) => have.includes(name))) return;
    setTriggerValue("ask", { burst, have, at: Date.now() });
    timer = setTimeout(ask, pause);
    pause = Math.min(2 * pause, LONGEST_MS);
  };
  timer = setTimeout(ask, another ? RESTED_MS : ASK_MS / 4);
  return () => clearTimeout(timer);
}
