// Your photo: a burst is made of it, as of the photos of the site. What a burst of files needs is said.

/** @import { Site } from "../site.js" */

import { dropZone } from "../drop_zone.js";
import { make, sentenceOf } from "../elements.js";
import { OWN } from "../parameters.js";
import { MOST_FILE } from "../photo_file.js";

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
    const { installation } = site.session.offer;
    place.replaceChildren(
      make("header", {}, make("h1", {}, "A burst of your own photo"), make("p", { className: "introduction" }, make("b", {}, "Drop a photo"), ": it takes the place of those of the site, and a noisy burst is made of it. It is read in this page, and goes nowhere.")),
      dropZone("Drop a photo here, or choose one", "image/*", (file) => this.take(file)),
      make("p", { className: "caption" }, `JPEG, PNG of 8 or 16 bits, WebP and what else this browser shows, up to ${MOST_FILE / 2 ** 20} MiB. Large photos are made smaller; colors are brought to sRGB. A link to what you see shows it with a photo of the site: yours stays here.`),
      this.status,
      make("section", { className: "text" },
        make("h2", {}, "Your burst, raw files, training"),
        make("p", {}, "A burst of your own files (photos or camera raws, which are aligned, and whose noise is measured), methods of your own and the training of networks need Python: they are in the app and on the command line. ", make("a", { href: installation, textContent: "How it is installed" }), ".")),
    );
  }

  changed() {
    this.site.keep();
  }

  destroy() {
    this.turn++;
    this.site.session.background.stop();
  }

  /** @param {File} file */
  async take(file) {
    const turn = ++this.turn;
    this.site.complain("");
    this.status.textContent = `Reading ${file.name} …`;
    try {
      const { session } = this.site;
      const { picture, note } = await session.background.ask({ work: "photo", file, reduction: session.offer.reduction });
      if (turn !== this.turn) return;
      session.bring(picture);
      Object.assign(session.state, { photo: OWN, top: 0, left: 0, pixel: null, display: {} });
      this.site.go("explore");
      if (note) this.site.complain(note);
    } catch (error) {
      if (turn !== this.turn) return;
      this.status.textContent = "";
      this.site.complain(sentenceOf(error));
    }
  }
}
