// Back and forward lead to where a person was. This stands in the page before Streamlit's script, which uses history below.
//
// Streamlit pushes an address for each run of the script whose page or query is not that of the address. Where a person has
// gone back or forward meanwhile, the run is of an entry already left: pushed, it would take the way forward away, and
// written in place of an entry, it would change what that one holds. And what a page adds by itself to the query
// when it opens is no step of a person's: one act, one entry.
{
  let entry = ""; // the address that a person went back or forward to, until they do something there
  let acted = false; // whether they did something since the last push
  const write = history.replaceState;

  addEventListener("popstate", () => {
    entry = location.href;
    if (!document.querySelector("[data-testid=stElementContainer]")) location.reload(); // Streamlit knows no pages yet, and would stay
  });

  /** @param {PointerEvent | KeyboardEvent | WheelEvent} event */
  const act = (event) => {
    // Alt and an arrow, or the buttons at a mouse's side, are how one goes back and forward.
    if (!event.isTrusted || event.altKey || /** @type {PointerEvent} */ (event).button > 2) return;
    [entry, acted] = ["", true];
  };
  for (const kind of /** @type {const} */ (["pointerdown", "keydown", "wheel"]))
    addEventListener(kind, act, { capture: true, passive: true });

  for (const name of /** @type {const} */ (["pushState", "replaceState"])) {
    const original = history[name];
    history[name] = (state, unused, address) => {
      if (entry && address && new URL(address, document.baseURI).href !== entry) return;
      (name === "pushState" && acted ? original : write).call(history, state, unused, address);
      if (name === "pushState") acted = false;
    };
  }
}
