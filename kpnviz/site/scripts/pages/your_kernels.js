// Your kernels: those of any network, from a file, in the lens. The file stays on the visitor's machine.

/** @import { Site } from "../site.js" */
/** @import { Display, Pixel } from "../../../lens/scripts/types" */

import { mount } from "../../../lens/scripts/mount.js";
import { LIMITS } from "../constants.js";
import { dropZone } from "../drop_zone.js";
import { make, sentenceOf } from "../elements.js";
import { MOST_BYTES, visible } from "../npz.js";
import { Outdated } from "../slices.js";

/** The file that was opened, while the site is open. @type {{ name: string, titles: string[], payload: Uint8Array, note: string } | null} */
let opened = null;

/** The file that was chosen, until it is opened or refused. @type {File | null} */
let reading = null;

export class YourKernelsPage {
  /**
   * @param {Site} site
   * @param {HTMLElement} place
   */
  constructor(site, place) {
    this.site = site;
    this.turn = 0;
    /** @type {ReturnType<typeof mount> | null} */
    this.lens = null;
    this.host = make("div", { id: "lens" });
    this.status = make("p", { id: "status" });
    this.status.setAttribute("role", "status");
    const { kernel_keys } = site.session.offer;
    place.replaceChildren(
      make(
        "header",
        {},
        make("h1", {}, "What does your network do?"),
        make(
          "p",
          { className: "introduction" },
          make("b", {}, "Drop the kernels of any network"),
          " that predicts some, with the frames that they are applied to: they open in the lens. They are read in this page, and go nowhere.",
        ),
      ),
      dropZone("Drop an NPZ of frames and kernels here, or choose one", ".npz", (file) => this.take(file)),
      make(
        "p",
        { className: "caption" },
        `Up to ${LIMITS.frames} frames, kernels up to ${LIMITS.kernel}×${LIMITS.kernel}, up to ${MOST_BYTES / 2 ** 20} MiB, packed and unpacked.`,
      ),
      this.status,
      this.host,
      make(
        "section",
        { className: "text" },
        make("h2", {}, "How to write such a file"),
        make(
          "p",
          {},
          make("code", {}, 'kpnviz.save_kernels("kernels.npz", burst, [estimate])'),
          " writes it, after a check that these kernels make that picture of these frames; so does ",
          make("code", {}, "numpy.savez"),
          " with the keys below.",
        ),
      ),
      make(
        "details",
        {},
        make("summary", { textContent: "The keys, for a file that is written without kpnviz" }),
        make("pre", { textContent: kernel_keys, tabIndex: 0 }),
      ),
    );
  }

  changed() {
    this.site.keep();
    if (reading)
      this.take(reading); // it was given up, where the scene made its burst or the page was drawn anew
    else if (opened) this.show();
    else this.example();
  }

  /** Until there is a file. */
  async example() {
    const turn = ++this.turn;
    this.status.textContent = "Loading an example …";
    try {
      const found = await this.site.session.kernelExample(() => turn === this.turn);
      if (turn !== this.turn) return;
      opened = { name: "An example, until you drop a file", ...found };
      this.show();
    } catch (error) {
      if (turn !== this.turn || error instanceof Outdated) return;
      this.status.textContent = "";
      this.site.complain(sentenceOf(error), true); // beside why a file was refused
    }
  }

  destroy() {
    this.turn++;
    if (this.site.name !== "your_kernels") reading = null;
    this.site.session.background.stop();
    this.lens?.destroy();
  }

  refresh() {
    this.lens?.refresh();
  }

  /** @param {File} file */
  async take(file) {
    const turn = ++this.turn;
    const name = visible(file.name) || "the file";
    reading = file;
    this.site.complain("");
    this.status.textContent = `Reading ${name} …`;
    try {
      const found = await this.site.session.background.ask(
        { work: "kernels", file },
        new Map(),
        (told) => (this.status.textContent = told),
      );
      if (turn !== this.turn) return;
      reading = null;
      opened = { name, ...found };
      this.show();
    } catch (error) {
      if (turn !== this.turn || error instanceof Outdated) return;
      reading = null;
      this.site.complain(sentenceOf(error));
      if (opened)
        this.nameOpened(); // it is still in the lens
      else this.example();
    }
  }

  /** What is in the lens. */
  nameOpened() {
    this.status.textContent = opened ? `${opened.name}: ${opened.titles.join(", ")}` : "";
  }

  show() {
    if (!opened) return;
    const { payload, note } = opened;
    this.nameOpened();
    if (note) this.site.remark(note, true);
    this.lens?.destroy();
    const host = make("div", { id: "lens" });
    this.host.replaceWith(host);
    this.host = host;
    this.lens = mount(host.attachShadow({ mode: "open" }), {
      payload,
      order: {
        pinned: /** @type {Pixel | null} */ (null),
        display: /** @type {Display} */ (this.site.session.offer.display),
      },
    });
  }
}
