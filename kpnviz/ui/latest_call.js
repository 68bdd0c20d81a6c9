// When the elements of Streamlit's components are cleaned up.

/** @type {WeakMap<object, number>} */
const calls = new WeakMap();

/**
 * The clean-up of a call of a component, for its element: it does nothing once a newer call had the same element.
 *
 * Streamlit imports a component's script for each of its runs, and then calls it. Where a run is overtaken by the next one
 * while the import is under way, both call it, one right after the other, and then the first call is cleaned up: that must not
 * end what the second one shows.
 * @param {Element} root
 * @param {() => void} cleanUp
 */
export function ofLatestCall(root, cleanUp) {
  const call = (calls.get(root) ?? 0) + 1;
  calls.set(root, call);
  return () => {
    if (calls.get(root) === call) cleanUp();
  };
}
