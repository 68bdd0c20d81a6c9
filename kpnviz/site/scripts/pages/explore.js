// Explore: one burst, a few networks, and the kernels of the pixel under the mouse.

/** @import { Site } from "../site.js" */
/** @import { Display } from "../../../lens/scripts/types" */

import { fromHtml, make } from "../elements.js";
import { exampleShown, numberShown } from "../examples.js";
import { Outdated } from "../slices.js";
import { filled } from "../texts.js";
import { LensPage } from "./lens_page.js";

const REST_MS = 600; // after which other assumed noise is computed

export class ExplorePage extends LensPage {
  /**
   * @param {Site} site
   * @param {HTMLElement} place
   */
  constructor(site, place) {
    super(site, place, { page: "explore", methods: true, examples: true });
    this.introduce();
  }

  /** What is to be seen: of a number that a text states, or of an example, if its burst is on the page. */
  introduce() {
    const { offer, state } = this.session;
    const example = exampleShown(state, offer);
    const number = numberShown(state, offer);
    if (number)
      this.introduction.replaceChildren(fromHtml(filled(this.says.number, { text: number.text, says: number.says })));
    else if (example) this.introduction.replaceChildren(make("b", {}, `${example.title}. `), example.look);
    else this.introduction.replaceChildren(fromHtml(this.says.introduction));
  }

  get display() {
    return this.session.state.display;
  }

  /** @param {Display} display */
  keepDisplay(display) {
    this.session.state.display = display;
  }

  destroy() {
    clearTimeout(this.timer);
    super.destroy();
  }

  async changed() {
    clearTimeout(this.timer);
    this.introduce();
    await super.changed();
  }

  /** @param {number} turn */
  async finished(turn) {
    const assume = () =>
      this.assume(turn).catch((error) => {
        if (!(error instanceof Outdated)) this.fail(error);
      });
    this.timer = setTimeout(assume, REST_MS);
  }
}
