// What the browser's history keeps of a page beside its address: how far it is scrolled, and what of it no link may hold.

const RESTING_MS = 150; // after which one has stopped to scroll
const GROWING_MS = 10_000; // in which a page becomes as long as it was

/** own: the photo of one's own that is shown, and the corner of its crop. @typedef {{ top?: number, own?: { id: string, top: number, left: number } | null }} Kept */

export class HistoryEntry {
  /** @param {HTMLElement} place  in which pages are drawn */
  constructor(place) {
    this.place = place;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.returned = () => {};
    history.scrollRestoration = "manual"; // the browser would scroll before a page is drawn
    addEventListener("scroll", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.note(), RESTING_MS);
    });
    addEventListener("pagehide", () => this.note());
  }

  /** @returns {Kept} */
  get kept() {
    return history.state ?? {};
  }

  /** How far the page is scrolled now. */
  note() {
    clearTimeout(this.timer);
    history.replaceState({ ...this.kept, top: scrollY }, "");
  }

  /**
   * @param {"pushState" | "replaceState"} how
   * @param {string} address
   * @param {Kept["own"]} own
   */
  write(how, address, own) {
    if (how === "pushState") this.note();
    try {
      history[how]({ ...(how === "pushState" ? {} : this.kept), own }, "", address);
    } catch {
      // Some browsers do not let a file change its address; it shows the same without.
    }
  }

  /** Scroll to where this entry was left, also where the page is that long only later; a person may scroll meanwhile. */
  goBack() {
    clearTimeout(this.timer); // it is of the entry before
    this.returned();
    const { top = 0 } = this.kept;
    const acts = ["wheel", "touchstart", "pointerdown", "keydown"];
    const grown = new ResizeObserver(() => {
      scrollTo(0, top);
      if (scrollY >= top - 1) this.returned();
    });
    const late = setTimeout(() => this.returned(), GROWING_MS);
    this.returned = () => {
      clearTimeout(late);
      grown.disconnect();
      for (const act of acts) removeEventListener(act, this.returned);
    };
    for (const act of acts) addEventListener(act, this.returned);
    grown.observe(this.place);
  }
}
