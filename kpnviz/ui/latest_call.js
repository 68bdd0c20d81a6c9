// Calls of Streamlit's components: which one shows its data, and when what it shows is taken away.

/** @type {WeakMap<object, { show: () => void }[]>} */
const calls = new WeakMap();

/**
 * Show what a call brings; the call returns the result, which Streamlit calls to clean up.
 *
 * Streamlit imports a component's script for each of its runs, and then calls it. Where a run is overtaken by the next one
 * while the import is under way, both are called, for one element, in either order, and the older one is cleaned up at once.
 * That must not end what the newer one shows, nor may what the older one brought stay.
 * @param {Element} root
 * @param {() => void} show
 * @param {() => void} cleanUp
 */
export function called(root, show, cleanUp) {
  const alive = calls.get(root) ?? [];
  calls.set(root, alive);
  const mine = { show };
  alive.push(mine);
  show();
  let fresh = true;
  setTimeout(() => {
    fresh = false;
    alive.splice(0, alive.indexOf(mine)); // what came before is replaced
  });
  return () => {
    if (!alive.includes(mine)) return; // replaced already
    alive.splice(alive.indexOf(mine), 1);
    const other = alive.at(-1);
    if (fresh && other) return other.show();
    calls.delete(root);
    cleanUp();
  };
}
