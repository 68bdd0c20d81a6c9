// Your photo: a burst is made of it, as of the photos of the site. What a burst of files needs is said.

/** @import { Site } from "../site.js" */

import { dropZone } from "../drop_zone.js";
import { make, sentenceOf } from "../elements.js";
import { forgetPhotos, keepPhoto, newId } from "../own_photo.js";
import { middleOf, OWN } from "../parameters.js";
import { Outdated } from "../slices.js";
import { visible } from "../npz.js";
import { MOST_FILE } from "../photo_file.js";

/** The photo that is being read. @type {File | null} */
let reading = null;

export class YourPhotoPage {
  /**
   * @param {Site} site
   * @param {HTMLElement} place
   */
  constructor(site, place) {
    this.site = site;
    this.turn = 0;
    this.status = make("p", { id: "status" });
    this.status.setAttribute("role", "status");
    this.kept = make("p", { className: "row" });
    const { installation } = site.session.offer;
    place.replaceChildren(
      make(
        "header",
        {},
        make("h1", {}, "A burst of your own photo"),
        make(
          "p",
          { className: "introduction" },
          make("b", {}, "Drop a photo"),
          ": it takes the place of those of the site, and a noisy burst is made of it. It is read in this page, kept in this browser, and goes nowhere.",
        ),
      ),
      dropZone("Drop a photo here, or choose one", "image/*", (file) => this.take(file)),
      make(
        "p",
        { className: "caption" },
        `JPEG, PNG of 8 or 16 bits, WebP and what else this browser shows, up to ${MOST_FILE / 2 ** 20} MiB. Large photos are made smaller; colors are brought to sRGB. A link to what you see shows it with a photo of the site: yours stays here.`,
      ),
      this.status,
      this.kept,
      make(
        "section",
        { className: "text" },
        make("h2", {}, "Your burst, raw files, training"),
        make(
          "p",
          {},
          "A burst of your own files (photos or camera raws, which are aligned, and whose noise is measured), methods of your own and the training of networks need Python: they are in the app and on the command line. ",
          make("a", { href: installation, textContent: "How it is installed" }),
          ".",
        ),
      ),
    );
  }

  changed() {
    this.site.keep();
    this.nameKept();
    if (reading) this.take(reading); // it was given up, where the scene made its burst or the page was drawn anew
  }

  /** The photo that was brought, if one was, and how it is let go. */
  nameKept() {
    const { own } = this.site.session;
    if (!own) return this.kept.replaceChildren();
    const { C, H, W } = own.picture;
    const explore = make("button", {
      type: "button",
      className: "primary",
      textContent: "Open in Explore",
      onclick: () => this.show(),
    });
    const forget = make("button", {
      type: "button",
      textContent: "Remove from this browser",
      onclick: () => this.forget(),
    });
    this.kept.replaceChildren(
      make("span", {}, `${own.name}, ${W}×${H} pixels${C === 1 ? ", gray" : ""}`),
      explore,
      forget,
    );
  }

  /** A burst of it. */
  show() {
    const { own, state, offer } = this.site.session;
    if (own)
      Object.assign(state, {
        photo: OWN,
        ...middleOf(own.picture, state.crop, offer.reduction),
        pixel: null,
        display: {},
      });
    this.site.go("explore");
  }

  async forget() {
    this.site.session.forget();
    this.site.write("replaceState"); // nothing to go back to
    this.site.keep();
    this.nameKept();
    this.site.complain("");
    try {
      await forgetPhotos();
      this.status.textContent = "No photo of yours is kept in this browser any more.";
    } catch {
      this.status.textContent = ""; // it keeps none
    }
  }

  destroy() {
    this.turn++;
    if (this.site.name !== "your_burst") reading = null;
    this.site.session.background.stop();
  }

  /** @param {File} file */
  async take(file) {
    const turn = ++this.turn;
    reading = file;
    this.site.complain("");
    const name = visible(file.name) || "the file";
    this.status.textContent = `Reading ${name} …`;
    try {
      const { session } = this.site;
      const { picture, note } = await session.background.ask({
        work: "photo",
        file,
        reduction: session.offer.reduction,
      });
      if (turn !== this.turn) return;
      reading = null;
      const photo = { id: newId(), name, picture };
      session.bring(photo);
      this.show();
      this.site.remark(note);
      keepPhoto(photo).catch(() =>
        this.site.complain(
          "This browser keeps no files for this page: once it is loaded again, the photo is gone.",
          true,
        ),
      );
    } catch (error) {
      if (turn !== this.turn || error instanceof Outdated) return;
      reading = null;
      this.status.textContent = "";
      this.site.complain(sentenceOf(error));
    }
  }
}
