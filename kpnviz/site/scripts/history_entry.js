// The browser's history: one entry for each act of a person. What an entry keeps beside its address: how far the page is scrolled,
// and what no link may hold.

const RESTING_MS = 150; // after which one has stopped to scroll
const GROWING_MS = 10_000; // in which a page becomes as long as it was
const PAUSE_MS = 1000; // keys, or turns of a wheel, at one place that follow each other faster are one act
const WRITING_MS = 150; // between changes of an entry's address: browsers drop or refuse more than a hundred in ten seconds

/**
 * at: the address, also where the browser does not let it change. own: the photo of one's own that is shown, and the corner of
 * its crop. scene: the guided scene is open.
 * @typedef {{ at?: string, top?: number, own?: { id: string, top: number, left: number } | null, scene?: boolean }} Kept
 */

export class HistoryEntry {
  /** @param {HTMLElement} place  in which pages are drawn */
  constructor(place) {
    this.place = place;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.returned = () => {};
    this.acted = false; // whether a person did something since the last entry was made
    /** @type {(() => void) | null} */
    this.unwritten = null; // writes this entry as it is to be
    this.writtenAt = -Infinity;
    try {
      history.scrollRestoration = "manual"; // the browser would scroll before a page is drawn
    } catch {
      // A page that is closed off, in a frame, may not.
    }
    addEventListener("scroll", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.note(), RESTING_MS);
    });
    addEventListener("pagehide", () => {
      this.unwritten?.();
      this.note();
    });
    this.listen();
  }

  /** Hear what a person does: a drag is one act, and so are keys that follow each other, as on a slider. */
  listen() {
    let held = false; // a pointer
    /** @type {EventTarget | undefined} */
    let place;
    let last = -Infinity;
    const act = (/** @type {Event} */ event) => {
      const { type, timeStamp } = event;
      const { altKey, ctrlKey, metaKey } = /** @type {KeyboardEvent} */ (event);
      if (type === "keydown" && (altKey || ctrlKey || metaKey)) return; // so one goes back, too
      const [target] = event.composedPath();
      const same =
        type !== "pointerdown" && ((type === "input" && held) || (target === place && timeStamp - last < PAUSE_MS));
      [place, last] = [target, timeStamp];
      if (type === "pointerdown") held = true;
      if (!same) this.acted = true;
    };
    // "input": of what reads a page aloud, which presses no key.
    for (const type of ["pointerdown", "keydown", "wheel", "input"])
      addEventListener(type, act, { capture: true, passive: true });
    for (const type of ["pointerup", "pointercancel"]) addEventListener(type, () => (held = false), { capture: true });
  }

  /** @returns {Kept} */
  get kept() {
    return history.state ?? {};
  }

  /** How far the page is scrolled now. */
  note() {
    clearTimeout(this.timer);
    this.set("replaceState", { ...this.kept, top: scrollY });
  }

  /**
   * What is shown now: another entry, or what this one is to hold. One that holds it already stays.
   * @param {"pushState" | "replaceState"} how
   * @param {string} at
   * @param {Kept["own"]} own
   */
  write(how, at, own) {
    if (how === "pushState") this.unwritten?.(); // the end of what came before is of the entry that is left
    this.unwritten = null;
    if (at === this.kept.at && JSON.stringify(own) === JSON.stringify(this.kept.own)) return;
    if (how === "pushState") {
      this.acted = false;
      this.note();
      this.set(how, { top: scrollY, at, own });
      return;
    }
    const wait = this.writtenAt + WRITING_MS - performance.now();
    const write = () => {
      this.unwritten = null;
      this.set(how, { ...this.kept, at, own });
    };
    if (wait <= 0) return write();
    this.unwritten = write;
    setTimeout(() => this.unwritten === write && write(), wait);
  }

  /**
   * The guided scene opens or ends: in an entry of its own, so that one goes back to it, and from it.
   * @param {"pushState" | "replaceState"} how
   * @param {boolean} scene
   */
  noteScene(how, scene) {
    this.unwritten?.();
    this.set(how, { ...this.kept, scene });
    this.acted = false;
  }

  /**
   * @param {"pushState" | "replaceState"} how
   * @param {Kept} kept
   */
  set(how, kept) {
    this.writtenAt = performance.now();
    try {
      history[how](kept, "", kept.at);
    } catch {
      try {
        history[how](kept, ""); // some browsers do not let a file change its address
      } catch {
        // Too many at a time: the next one is written again.
      }
    }
  }

  /** Scroll to where this entry was left, also where the page is that long only later; a person may scroll meanwhile. */
  goBack() {
    clearTimeout(this.timer); // it is of the entry before
    this.unwritten = null;
    this.acted = false;
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
