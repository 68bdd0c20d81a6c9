// The whole picture, before and after, under an edge that is dragged. Its tiles are fetched as one looks (OpenSeadragon).

import { called } from "../latest_call.js";

/**
 * What Python sends: kpnviz/ui/whole_picture/__init__.py.
 * @typedef {object} Data
 * @property {string} address  of the tiles (serving/tiles.py)
 * @property {string} script  address of OpenSeadragon
 * @property {number} side  pixels of a tile
 * @property {number} levels
 * @property {number} height
 * @property {number} width
 * @property {[string, string]} names  before, after
 * @property {[number, number, number]} part  top, left and side of what the lens shows
 */

const STEP = 2; // % of the stage that an arrow key moves the edge
const MOST_ZOOM = 32; // pixels of the screen to one of the picture

/** @type {Promise<any> | null} */
let library = null;

/** @param {string} address */
function openSeadragon(address) {
  library ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = new URL(address, document.baseURI).href;
    script.onload = () => done(/** @type {any} */ (globalThis).OpenSeadragon);
    script.onerror = () => {
      library = null; // the next time it may come
      failed(new Error(address));
    };
    document.head.append(script);
  });
  return library;
}

class WholePicture {
  /** @param {HTMLElement} root */
  constructor(root) {
    const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
    this.root = root;
    this.stage = find(".stage");
    this.edge = find(".edge");
    this.part = find(".part");
    this.zoom = find(".zoom");
    this.problem = find(".problem");
    this.light = /** @type {HTMLInputElement} */ (find(".light input"));
    this.light.addEventListener("input", () => this.relight());
    /** @type {(y: number, x: number) => void} */
    this.report = () => {};
    /** @type {Data | null} */
    this.data = null;
    this.clipped = 0; // column at which the picture after begins
    this.at = 50; // %: where the edge stands
    this.address = "";
    /** @type {any} */
    this.viewer = null;
    /** @type {any} */
    this.after = null; // the picture that is seen right of the edge
    this.edge.addEventListener("pointerdown", (event) => this.edge.setPointerCapture(event.pointerId));
    this.edge.addEventListener("pointermove", (event) => this.onDrag(event));
    this.edge.addEventListener("keydown", (event) => this.onKey(event));
    find(".bar").addEventListener("click", ({ target }) => this.act(/** @type {HTMLElement} */ (target).dataset.do));
    this.moveEdge(this.at);
  }

  destroy() {
    this.address = "";
    this.viewer?.destroy();
  }

  /**
   * Called again for every run of the script and every change of the theme.
   * @param {Data} data
   * @param {(y: number, x: number) => void} report
   */
  update(data, report) {
    [this.data, this.report] = [data, report];
    for (const [i, place] of ["before", "after"].entries())
      /** @type {HTMLElement} */ (this.root.querySelector(`.${place}`)).textContent = data.names[i];
    if (data.address === this.address) return this.framePart();
    this.address = data.address;
    this.open(data);
  }

  /** @param {Data} data */
  async open(data) {
    const library = await openSeadragon(data.script).catch(() => null);
    if (data.address !== this.address) return;
    this.problem.hidden = library !== null;
    this.problem.textContent =
      "The viewer of large pictures could not be fetched from the server; reload the page to try again.";
    if (!library) return;
    this.viewer?.destroy();
    const viewer = (this.viewer = library({
      element: this.stage,
      drawer: "canvas",
      showNavigationControl: false,
      animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.4,
      visibilityRatio: 0.5,
      minZoomImageRatio: 0.2,
      maxZoomPixelRatio: MOST_ZOOM,
      imageSmoothingEnabled: true,
      tileRetryMax: 3, // a proxy may have refused it for the moment
      tileRetryDelay: 1500,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: true },
    }));
    this.relight();
    const address = new URL(data.address, document.baseURI).href;
    for (const name of ["before", "after"]) {
      viewer.addTiledImage({
        tileSource: {
          ...{ width: data.width, height: data.height, tileSize: data.side, minLevel: 0, maxLevel: data.levels - 1 },
          getTileUrl: (/** @type {number} */ level, /** @type {number} */ x, /** @type {number} */ y) =>
            `${address}/${name}/${level}/${y}/${x}`,
        },
        success: (/** @type {{ item: any }} */ { item }) => {
          if (name === "after") this.after = item;
          this.clip();
          this.framePart();
        },
      });
    }
    for (const event of ["animation", "open", "resize", "update-viewport"]) viewer.addHandler(event, () => this.clip());
    viewer.addHandler("tile-load-failed", () => {
      this.problem.hidden = false;
      this.problem.textContent = "Parts of the picture could not be fetched. If they stay away, denoise it again.";
    });
    viewer.addHandler("canvas-click", (/** @type {any} */ { quick, position }) => {
      if (quick) this.look(position);
    });
  }

  /**
   * A click: the lens is to show what is there.
   * @param {any} position  on the stage
   */
  look(position) {
    const { x, y } = this.after.viewerElementToImageCoordinates(position);
    const { data } = this;
    if (data && x >= 0 && y >= 0 && x < data.width && y < data.height) this.report(Math.floor(y), Math.floor(x));
  }

  /** @param {PointerEvent} event */
  onDrag(event) {
    if (!this.edge.hasPointerCapture(event.pointerId)) return;
    const box = this.stage.getBoundingClientRect();
    this.moveEdge((100 * (event.clientX - box.left)) / box.width);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const at = { ArrowLeft: this.at - STEP, ArrowRight: this.at + STEP, Home: 0, End: 100 }[event.key];
    if (at === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // OpenSeadragon would move the picture
    this.moveEdge(at);
  }

  /** @param {number} at  % of the stage's width */
  moveEdge(at) {
    this.at = Math.min(Math.max(at, 0), 100);
    this.edge.style.left = `${this.at}%`;
    this.edge.setAttribute("aria-valuenow", `${Math.round(this.at)}`);
    this.clip();
  }

  /** Right of the edge the picture after is seen, left of it the one below, before. */
  clip() {
    if (!this.after || !this.data) return;
    const { OpenSeadragon } = /** @type {any} */ (globalThis);
    const edge = new OpenSeadragon.Point((this.at / 100) * this.stage.clientWidth, 0);
    const left = Math.min(Math.max(this.after.viewerElementToImageCoordinates(edge).x, 0), this.data.width);
    if (left !== this.clipped) {
      this.clipped = left;
      this.after.setClip(new OpenSeadragon.Rect(left, 0, this.data.width - left, this.data.height));
    }
    // Right of the whole picture nothing of it is to be seen; a clip without pixels would be none.
    this.after.setOpacity(left < this.data.width ? 1 : 0);
    const zoom = this.after.viewportToImageZoom(this.viewer.viewport.getZoom(true));
    this.zoom.textContent = `${(100 * zoom).toFixed(zoom < 0.1 ? 1 : 0)} %`;
    // One sees the pixels of a picture that is shown larger than it is.
    this.viewer.drawer.setImageSmoothingEnabled(zoom < 2);
  }

  /** Show it brighter or darker, in linear light. Tiles have 8 bits: what is very dark shows steps. */
  relight() {
    const stops = Number(this.light.value);
    /** @type {HTMLElement} */ (this.root.querySelector(".stops")).textContent =
      `${stops > 0 ? "+" : ""}${stops}`.replace("-", "−");
    for (const channel of this.root.querySelectorAll(".relit feComponentTransfer > *"))
      channel.setAttribute("slope", `${2 ** stops}`);
    if (this.viewer) this.viewer.drawer.canvas.style.filter = stops ? "url(#relit)" : "";
  }

  /** A frame around what the lens shows. */
  framePart() {
    if (!this.after || !this.data) return;
    const [top, left, side] = this.data.part;
    const location = this.after.imageToViewportRectangle(left, top, side, side);
    this.part.hidden = false;
    if (this.viewer.getOverlayById(this.part)) this.viewer.updateOverlay(this.part, location);
    else this.viewer.addOverlay({ element: this.part, location });
  }

  /** @param {string | undefined} what */
  act(what) {
    const viewport = this.viewer?.viewport;
    if (!viewport || !what) return;
    if (what === "whole") viewport.goHome();
    else if (what === "pixels") viewport.zoomTo(this.after.imageToViewportZoom(1));
    else viewport.zoomBy(what === "in" ? 2 : 0.5);
    viewport.applyConstraints();
  }
}

/** @type {WeakMap<Element, WholePicture>} */
const shown = new WeakMap();

/** @param {{ data: Data, parentElement: ParentNode, setTriggerValue: (name: string, value: any) => void }} component */
export default function ({ data, parentElement, setTriggerValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".whole"));
  const picture = shown.get(root) ?? new WholePicture(root);
  shown.set(root, picture);
  return called(
    root,
    () => picture.update(data, (y, x) => setTriggerValue("looked", [y, x])),
    () => {
      picture.destroy();
      shown.delete(root);
    },
  );
}
