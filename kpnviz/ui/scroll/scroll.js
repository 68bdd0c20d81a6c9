// Scrolls the page to its top when the number of what it shows changes.

/** @param {{ data: { shown: number }, parentElement: Element & { kpnvizShown?: number } }} component */
export default function ({ data, parentElement }) {
  const before = parentElement.kpnvizShown;
  parentElement.kpnvizShown = data.shown;
  if (before !== undefined && before !== data.shown) document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0);
}
