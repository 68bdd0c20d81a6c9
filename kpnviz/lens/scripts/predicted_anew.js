// A frame that is moved by hand, seen by the networks: what they predict for the burst with it, where the host can ask them.

/** @import { KernelMethod, Method, Panel, Predictor } from "./types" */
/** @import { KernelField } from "./field.js" */
/** @import { Shown } from "./shown.js" */

const REST_MS = 120; // a frame that is moved pixel by pixel has come to rest

/** @typedef {{ field: KernelField | null, variant: { image: Float32Array, score: string } }} Answer  of one method */

export class PredictedAnew {
  /** @param {Shown} state */
  constructor(state) {
    this.state = state;
    this.asked = false; // by a person
    /** @type {Predictor | null} */
    this.predictor = null;
    this.about = ""; // what was asked last; "": nothing
    /** @type {Map<Method, Answer> | null} */
    this.found = null; // once all methods have answered: kernels and pictures on the page are those of one burst
    this.problem = "";
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {Predictor | null} predictor */
  set(predictor) {
    this.predictor = predictor;
    this.forget();
  }

  forget() {
    clearTimeout(this.timer);
    this.about = this.problem = "";
    this.found = null;
  }

  /** Whether every method on the page can be asked. */
  get offered() {
    const { predictor, state: { data } } = this; // prettier-ignore
    if (!predictor || predictor.burst !== data.burst || !data.noise || data.series) return false;
    const known = data.methods.every(
      ({ panel }) => data.panels[panel].image && predictor.networks.includes(data.panels[panel].name),
    );
    return known && data.methods.length > 0;
  }

  /** What is to be asked now; "": nothing. */
  get wanted() {
    const { asked, state: { byHand, data, assumed } } = this; // prettier-ignore
    return asked && byHand.isMoved && this.offered ? JSON.stringify([data.id, byHand.moved, assumed.applied]) : "";
  }

  /** Whether kernels and pictures are those of the moved frame. */
  get ready() {
    return this.found !== null && this.about === this.wanted;
  }

  /** What is said beside the choice. */
  get status() {
    if (this.problem) return this.problem;
    return this.wanted && !this.ready ? "predicting …" : "";
  }

  /** At every paint: ask what is not asked yet. The newest question wins. */
  follow() {
    const { wanted } = this;
    if (wanted === this.about) return;
    this.forget();
    this.about = wanted;
    if (wanted) this.timer = setTimeout(() => this.ask(wanted), REST_MS);
  }

  /** @param {string} about */
  async ask(about) {
    const { data: { panels, methods, noise }, byHand, assumed, changed } = this.state; // prettier-ignore
    const { predict } = /** @type {Predictor} */ (this.predictor);
    const { frames } = byHand;
    const [noiseOfAll] = noise ?? [];
    try {
      const answers = await Promise.all(
        methods.map(({ panel }) => predict(panels[panel].name, frames, noiseOfAll, 2 ** assumed.applied)),
      );
      if (about !== this.about) return;
      this.found = new Map(
        methods.map((method, m) => {
          const { image, factors } = answers[m];
          return [
            method,
            {
              field: factors && method.kernels && method.kernels.withFactors(factors),
              variant: { image, score: byHand.scoreOf(image) },
            },
          ];
        }),
      );
    } catch (error) {
      if (about !== this.about) return;
      this.problem = `The networks cannot predict here: ${error instanceof Error ? error.message : error}`;
    }
    changed("bitmaps", "pictures", "cursor");
  }

  /**
   * A method's kernels of the burst with the moved frame; undefined where they are not predicted anew.
   * @param {KernelMethod} method
   */
  fieldOf(method) {
    return this.found && this.ready ? (this.found.get(method)?.field ?? undefined) : undefined;
  }

  /**
   * The picture of a method's panel, and its score.
   * @param {Panel} panel
   */
  variantOf(panel) {
    if (!this.found || !this.ready) return;
    const method = this.state.data.methods.find((one) => this.state.data.panels[one.panel] === panel);
    return method && this.found.get(method)?.variant;
  }
}
