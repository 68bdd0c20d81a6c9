// The site: one page that shows all others, so that what is loaded and computed stays while a visitor goes from one to another.

/** @import { Offer, State } from "./parameters.js" */
/** @import { Kept } from "./history_entry.js" */

import { fadeEdges } from "../../lens/scripts/edges.js";
import { Tips } from "../../lens/scripts/tips.js";
import { elementNamed, make, sentenceOf } from "./elements.js";
import { ALONE, ROOT } from "./files.js";
import { FirstMinute } from "./first_minute.js";
import { HistoryEntry } from "./history_entry.js";
import { ExplorePage } from "./pages/explore.js";
import { LearnPage } from "./pages/learn.js";
import { NoisePage } from "./pages/noise.js";
import { ResultsPage } from "./pages/results.js";
import { SizesPage } from "./pages/sizes.js";
import { YourKernelsPage } from "./pages/your_kernels.js";
import { YourPhotoPage } from "./pages/your_photo.js";
import { OWN, writeLink } from "./parameters.js";
import { Session } from "./session.js";

/**
 * A page: it fills its place when it is made.
 * @typedef {{ changed(): unknown, restored?(same: boolean): unknown, refresh?(): void, destroy(): void }} Page  restored: its
 *   state is that of another entry of the history; same: its burst and methods are those that it shows
 */

/** @type {Record<string, { title: string, make: new (site: Site, place: HTMLElement) => Page }>} */
const PAGES = {
  explore: { title: "Explore", make: ExplorePage },
  noise: { title: "Noise", make: NoisePage },
  sizes: { title: "Sizes", make: SizesPage },
  results: { title: "Results", make: ResultsPage },
  learn: { title: "Learn", make: LearnPage },
  your_burst: { title: "Your photo", make: YourPhotoPage },
  your_kernels: { title: "Your kernels", make: YourKernelsPage },
};

export class Site {
  /** @param {Offer} offer */
  constructor(offer) {
    this.session = new Session(offer);
    this.place = elementNamed("page");
    this.entry = new HistoryEntry(this.place);
    this.openings = 0; // of addresses
    this.opening = false; // what the page before still says is not of this entry
    /** @type {Page | null} */
    this.page = null;
    this.name = "explore"; // of the page
    this.scene = new FirstMinute(elementNamed("scene"), this);
    const brand = elementNamed("brand");
    if (offer.scene) brand.onclick = () => this.scene.open("pushState");
    else brand.onclick = () => this.go("explore");
    this.links = new Map(
      Object.entries(PAGES).map(([name, { title }]) => {
        const link = make("a", { textContent: title });
        link.onclick = (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
          event.preventDefault();
          this.go(name);
        };
        return [name, link];
      }),
    );
    elementNamed("navigation").append(...this.links.values());
    fadeEdges(elementNamed("navigation"));
    new Tips(/** @type {HTMLElement} */ (this.place.parentElement));
    this.forClass = make("button", {
      type: "button",
      textContent: "For class",
      title: "For a projector: larger type, the controls folded away; arrow keys step through examples and lessons",
    });
    this.forClass.onclick = () => this.teach(!this.session.state.teach);
    elementNamed("tools").append(this.forClass);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.page?.refresh?.());
    addEventListener("popstate", () => this.open());
    addEventListener("hashchange", () => ALONE && pageAt(location) !== this.name && this.open());
  }

  /**
   * A sentence at the top of the page, on what is wrong; "": nothing is.
   * @param {string} text
   * @param {boolean} [beside]  what is said there stays
   */
  complain(text, beside = false) {
    const place = elementNamed("problem");
    if (text || !beside) place.className = "";
    const said = beside ? place.textContent : "";
    place.textContent = said.includes(text) ? said : [said, text].filter(Boolean).join(" ");
  }

  /**
   * A sentence in the same place on what is to be known, where nothing is wrong.
   * @param {string} text
   * @param {boolean} [beside]  what is wrong stays
   */
  remark(text, beside = false) {
    const wrong = beside && elementNamed("problem").textContent !== "";
    this.complain(text, beside);
    elementNamed("problem").className = wrong ? "" : "calm";
  }

  /** Say that the app's page Kernels, to which a link may lead, is not here. */
  noteOnKernels() {
    const link = make("a", { href: this.session.offer.installation, textContent: "how it is installed" });
    elementNamed("problem").replaceChildren(
      "The page Kernels is part of the app, which runs on your own computer (",
      link,
      "). Here its burst and its kernels are shown in Explore.",
    );
    elementNamed("problem").className = "calm";
  }

  /**
   * The address of a page with what it shows in the state.
   * @param {string} page
   * @param {State} [state]
   */
  addressOf(page, state = this.session.state) {
    const query = writeLink(state, this.session.offer, page);
    return ALONE ? `?${query}#${page}` : `${ROOT}${page === "explore" ? "" : `${page}/`}?${query}`;
  }

  /** The state goes into the address, so that the page can be shared and loaded again: in a new entry where a person changed it. */
  keep() {
    this.write(this.entry.acted ? "pushState" : "replaceState");
    for (const [name, link] of this.links) {
      link.href = this.addressOf(name);
      if (name === this.name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.documentElement.classList.toggle("class", this.session.state.teach);
    this.forClass.setAttribute("aria-pressed", String(this.session.state.teach));
  }

  /** @param {"pushState" | "replaceState"} how */
  write(how) {
    const { session } = this;
    const { photo, top, left } = session.state;
    /** @type {Kept["own"]} */
    const own = photo === OWN && session.own ? { id: session.own.id, top, left } : null;
    if (!this.opening) this.entry.write(how, this.addressOf(this.name), own);
  }

  /** Show what the address says, and what the history keeps beside it. */
  async open() {
    const turn = ++this.openings;
    const { own, at, scene = false } = this.entry.kept;
    const photos = String(this.session.photoNames);
    this.opening = true;
    const found = !own || (await this.session.recall(own.id));
    if (turn !== this.openings) return; // a person has gone on
    if (!scene) this.scene.scene.end(false);
    this.opening = false;
    const { session, page } = this;
    const plain = !location.search && !at;
    const here = new URL(at ?? location.href, ALONE ? "file:///" : location.href); // what could not be written into the address
    const asked = pageAt(here);
    const name = Object.hasOwn(PAGES, asked) ? asked : "explore";
    // The app's page Kernels shows a view of the same lens, whose names in a link begin so.
    const search = asked === "kernels" ? here.search.replace(/([?&])in_/g, "$1") : here.search;
    const [before, teach] = [session.source, session.state.teach];
    const problem = session.open(search, page && asked === name ? name : null);
    if (own && found) Object.assign(session.state, { photo: OWN, top: own.top, left: own.left });
    this.entry.goBack();
    const stays =
      page?.restored && name === this.name && teach === session.state.teach && photos === String(session.photoNames);
    if (!stays) this.show(name);
    this.complain(problem);
    if (!found)
      this.complain(
        "The photo that you brought is no longer kept in this browser; bring it again on the page Your photo.",
        true,
      );
    if (asked === "kernels" && !problem && found) this.noteOnKernels();
    if (scene && session.offer.scene) this.scene.open(null);
    else if (plain && asked === "explore" && this.scene.isNew) this.scene.open("replaceState");
    else if (stays) page?.restored?.(before === session.source);
    else this.page?.changed();
  }

  /** In front of a class, or not. @param {boolean} teach */
  teach(teach) {
    this.session.state.teach = teach;
    this.show(this.name);
    this.page?.changed();
  }

  /**
   * Go to a page, with the state as it is.
   * @param {string} name
   */
  go(name) {
    this.openings++;
    this.opening = false;
    this.entry.returned();
    this.name = name;
    this.write("pushState");
    this.complain("");
    this.show(name);
    this.page?.changed();
    scrollTo(0, 0);
  }

  /**
   * Go to a page, with another state: in front of a class it stays so.
   * @param {string} name
   * @param {State} state
   */
  showState(name, state) {
    const { teach, noise, sizes, results, lesson } = this.session.state; // they are of other pages
    this.session.state = { ...state, teach, noise, sizes, results, lesson };
    this.go(name);
  }

  /** @param {string} name */
  show(name) {
    this.name = name;
    this.page?.destroy(); // which sees whether it is left, or only drawn anew
    const { title, make: Kind } = PAGES[name];
    document.title = `${title} · kpnviz`;
    const link = this.links.get(name);
    const bar = link?.parentElement; // on a telephone it is scrolled along
    if (link && bar) bar.scrollLeft = link.offsetLeft - bar.offsetLeft - 40;
    try {
      this.page = new Kind(this, this.place);
    } catch (error) {
      this.complain(sentenceOf(error));
    }
    this.keep();
  }
}

/** The page that an address names. @param {{ href: string, hash: string }} address */
function pageAt({ href, hash }) {
  if (ALONE) return hash.slice(1) || "explore";
  const path = href.split(/[?#]/)[0];
  return (path.startsWith(ROOT) ? path.slice(ROOT.length) : "").replace(/\/?(index\.html)?$/, "") || "explore";
}

new Site(JSON.parse(elementNamed("offer").textContent ?? "")).open();
