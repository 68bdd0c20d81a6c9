// The lens itself: what it shows (state), and what may be done with it.

class Lens extends View {
  constructor(root) {
    super();
    this.root = root;
    root.lens = this; // what the tests read
    this.cursor = [0, 0];
    this.pinned = false;
    this.touched = false; // the cursor is where a person put it
    this.frame = 0;
    this.view = { y: 0, x: 0, zoom: 1 };
    this.mode = "picture";
    this.against = "truth"; // name of the panel that errors are taken against
    this.stops = 0;
    this.linear = false; // else pictures and errors are shown after the sRGB transfer
    this.contrast = 0;
    this.heldMax = null;
    this.sameScale = true;
    this.flicker = false;
    this.wipe = new Wipe(this);
    this.reported = {};
    this.stale = new Set();
    this.latencies = [];
    this.find = (selector) => root.querySelector(selector);
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(root);
    this.input = new Input(this);
  }

  destroy() {
    this.observer.disconnect();
    this.input.destroy();
    clearTimeout(this.reportTimer);
    clearTimeout(this.announceTimer);
  }

  // --- data -------------------------------------------------------------------------------------

  // Called again for every rerun of the script and every change of theme.
  update(bytes, report) {
    this.report = report;
    const [order, payload] = readHeader(bytes);
    const [header, arrays] = readHeader(payload);
    if (header.id !== this.data?.id) this.load(readArrays(header, arrays));
    if (order.number !== this.followed) this.follow(order);
    this.takeTheme();
  }

  // What Python set: the pinned pixel and the options of display.
  follow({ number, pinned, display }) {
    const { height, width, panels } = this.data;
    this.followed = number;
    this.pinned = Boolean(pinned) && pinned[0] < height && pinned[1] < width;
    if (this.pinned) [this.cursor, this.touched] = [pinned, true];
    const { frame, mode, against, stops, linear, view } = display;
    const known = panels.some(({ name }) => name === against);
    Object.assign(this, { mode, stops, linear, against: known ? against : this.fallback });
    this.frame = clamp(frame, 0, this.frames - 1);
    if (view) this.setView(...view);
    else this.resetView();
    clearTimeout(this.reportTimer);
    this.reported = { pinned: this.pinned ? this.cursor : null, display: this.display };
    this.invalidate("pictures", "cursor");
  }

  // Where nothing is known of the truth, errors are differences from the mean.
  get fallback() {
    return this.truth ? "truth" : "mean";
  }

  // What of the display Python is told, for links.
  get display() {
    const { view, frame, mode, against, stops, linear } = this;
    const round = (value) => Math.round(value * 100) / 100;
    return {
      ...{ frame, mode, against, stops, linear },
      view: view.zoom === 1 ? null : [view.y, view.x, view.zoom].map(round),
    };
  }

  load(data) {
    const before = this.data;
    this.data = data;
    this.input.pointers.clear(); // the pictures that they were on are replaced
    const sameSize = before && before.height === data.height && before.width === data.width;
    if (!sameSize) {
      this.view = { y: 0, x: 0, zoom: 1 };
      if (this.pinned) this.release();
    }
    if (!sameSize || !this.touched) this.cursor = data.start;
    this.frames = data.frames.shape[0];
    this.frame = Math.min(this.frame, this.frames - 1);
    this.truth = data.panels.find((panel) => panel.kind === "truth");
    if (!data.panels.some(({ name }) => name === this.against)) this.against = this.fallback;
    this.wipe.choose(data.panels);
    this.kernelMethods = data.methods.filter((method) => method.kernels);
    for (const { kernels } of this.kernelMethods) kernels.K = Math.max(...kernels.sizes);
    this.buildPanels();
    this.buildRows();
    this.offerPanels();
    this.find(".note").textContent = this.note();
    this.layOut();
  }

  frameValues(frame) {
    const { height: H, width: W, frames } = this.data;
    return frames.values.subarray(frame * H * W, (frame + 1) * H * W);
  }

  // What a panel shows now: its own picture, or the next method's while the flicker key is down.
  imageOf(panel) {
    if (panel.kind === "frame") return this.frameValues(this.frame);
    if (!this.flicker || panel.kind !== "method") return panel.image;
    const methods = this.data.panels.filter(({ kind }) => kind === "method");
    return methods[(methods.indexOf(panel) + 1) % methods.length].image;
  }

  // The true shifts [N] of the scene at a pixel: a moving object's where one covers the pixel.
  shiftsAt(y, x) {
    const { moving, shifts, width } = this.data;
    const object = moving ? moving.object_at[y * width + x] : 0;
    return object ? moving.shifts[object - 1] : shifts;
  }

  // Per method: the kernels at a pixel, and all that is written beside them.
  kernelsAt(y, x) {
    const { height: H, width: W, frames, panels } = this.data;
    return this.kernelMethods.map((method) => {
      const { K } = method.kernels;
      const kernels = effectiveKernels(method.kernels, y, x);
      const N = kernels.length;
      const cells = kernels.map((weights, i) => ({
        weights,
        share: kernelStats(weights, K).mass / N,
        centroid: kernelStats(weights, K).centroid,
        adds: correlate(frames.values, i * H * W, H, W, weights, K, y, x) / N,
      }));
      const sum = cells.reduce((total, { adds }) => total + adds, 0);
      return { K, cells, sum, picture: panels[method.panel].image[y * W + x] };
    });
  }

  // --- what may be done with it (input.js says by which keys and gestures) ------------------------

  // since: when the person moved; the time from then to the new kernels on the screen is measured.
  moveTo(y, x, since = performance.now()) {
    const next = [clamp(y, 0, this.data.height - 1), clamp(x, 0, this.data.width - 1)];
    this.touched = true;
    if (next[0] === this.cursor[0] && next[1] === this.cursor[1]) return;
    this.cursor = next;
    this.movedAt ||= since;
    this.invalidate("cursor");
  }

  pin() {
    this.pinned = true;
    this.reportSoon();
    this.invalidate("cursor");
    this.announce();
  }

  release() {
    this.pinned = false;
    this.reportSoon();
    this.invalidate("cursor");
  }

  // Python hears of a pinned pixel and of the display once they rest: not of both clicks of a double-click, nor of
  // every arrow key.
  reportSoon(delay = 220) {
    clearTimeout(this.reportTimer);
    this.reportTimer = setTimeout(() => {
      const now = { pinned: this.pinned ? this.cursor : null, display: this.display };
      for (const [name, value] of Object.entries(now)) {
        if (JSON.stringify(value) === JSON.stringify(this.reported[name])) continue;
        this.reported[name] = value;
        this.report(name, name === "pinned" ? { at: value } : value);
      }
    }, delay);
  }

  // The display changed by a person's hand.
  redraw() {
    this.invalidate("pictures", "cursor");
    this.reportSoon(600);
  }

  chooseFrame(frame) {
    if (frame >= this.frames) return;
    this.frame = frame;
    this.redraw();
  }

  setFlicker(on) {
    if (this.flicker === on) return;
    this.flicker = on;
    this.invalidate("pictures", "cursor");
  }

  setView(y, x, zoom) {
    const { height: H, width: W } = this.data;
    this.view = { zoom, y: clamp(y, 0, H - H / zoom), x: clamp(x, 0, W - W / zoom) };
    this.redraw();
  }

  resetView() {
    this.setView(0, 0, 1);
  }

  // Zoom by a factor around a point of a panel, in CSS pixels; the point stays where it is.
  zoomAt(factor, px, py) {
    const { y, x, zoom } = this.view;
    const { height, width } = this.data;
    const next = clamp(zoom * factor, 1, Math.max(1, Math.min(height, width) / 4));
    const change = 1 / this.scale - 1 / ((this.panelSize[0] * next) / width);
    this.setView(y + py * change, x + px * change, next);
  }

  // The pixel (y, x) at a point of a panel, in CSS pixels.
  pixelAt([px, py]) {
    return [Math.floor(this.view.y + py / this.scale), Math.floor(this.view.x + px / this.scale)];
  }

  // Move by keys; a pinned pixel stays pinned, and the view follows it out of sight.
  step(dy, dx) {
    this.moveTo(this.cursor[0] + dy, this.cursor[1] + dx);
    const [y, x] = this.cursor;
    const { view, data } = this;
    const [rows, columns] = [data.height / view.zoom, data.width / view.zoom];
    if (y < view.y || y >= view.y + rows || x < view.x || x >= view.x + columns)
      this.setView(y - rows / 2, x - columns / 2, view.zoom);
    if (this.pinned) this.reportSoon();
    clearTimeout(this.announceTimer);
    this.announceTimer = setTimeout(() => this.announce(), 250);
  }
}

const lenses = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".lens");
  if (!lenses.has(root)) lenses.set(root, new Lens(root));
  const lens = lenses.get(root);
  lens.update(data, setTriggerValue);
  return () => {
    lens.destroy();
    lenses.delete(root);
  };
}
