// The lens itself: what it shows (state), and what may be done with it.

const PLAY_MS = 450; // a frame, while the sum is played; fewer where frames are many
const FOOT_HEIGHT = 30; // CSS pixels of the color scale under the kernels
const USUAL_TYPE = 15; // CSS pixels of the root's letters
const LARGE_TYPE = 1.2; // from here on they are meant for a class
const MOST_TICK_DIGITS = 3; // after the point, where a color scale has five ticks
const PIN_TITLE = "Pin this pixel: it is shown again whenever the mouse leaves the picture (click the picture, Enter)";
const PAGE_HEAD = 64; // of the page's navigation, which covers what is scrolled under it

// What each lens of the page showed last, by its name: where one is put into its place anew, it goes on from there.
const shownLast = (globalThis.kpnvizLenses ??= new Map());

class Lens {
  constructor(root) {
    this.root = root;
    root.lens = this; // what the tests read
    this.find = (selector) => root.querySelector(selector);
    this.cursor = [0, 0];
    this.pinnedAt = null; // the pixel that is shown while nobody points at a picture
    this.touched = false; // the cursor is where a person put it
    this.frame = 0;
    this.view = { y: 0, x: 0, zoom: 1 };
    this.compare = "wipe";
    this.shown = ""; // name of the large picture, at the right where there are two
    this.other = "frame"; // name of the one at the left
    this.look = "kernels"; // what is shown of each frame: a name of VIEWS
    this.mode = "picture";
    this.against = "truth"; // name of the panel that errors are taken against
    this.stops = 0;
    this.linear = false; // else pictures and errors are shown after the sRGB transfer
    this.contrast = 0;
    this.each = false; // a color scale for each kernel, else one for all
    this.heldMax = null;
    this.sameScale = false;
    this.marks = true;
    this.weight = 1; // of lines: twice as thick where letters are large
    this.summed = null; // how many frames the sum has; null: all
    this.window = 2; // of matching: 3^window cells a side
    this.flicker = false;
    this.pictures = new Pictures(this);
    this.rows = new Rows(this);
    this.sizes = new Sizes(this);
    this.ideal = new Ideal(this);
    this.assumed = new Assumed(this);
    this.reported = {};
    this.stale = new Set();
    this.latencies = [];
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(root);
    this.onResize = () => this.layOut();
    window.addEventListener("resize", this.onResize);
    this.input = new Input(this);
  }

  destroy() {
    this.observer.disconnect();
    window.removeEventListener("resize", this.onResize);
    this.input.destroy();
    this.ideal.destroy();
    this.assumed.destroy();
    this.coming?.stop.abort();
    clearTimeout(this.reportTimer);
    clearTimeout(this.announceTimer);
    clearInterval(this.player);
  }

  // --- data -------------------------------------------------------------------------------------

  // Called again for every rerun of the script and every change of theme.
  update(bytes, report) {
    this.report = report;
    const [order, payload] = readHeader(bytes);
    const id = order.parcel?.id;
    if (id && id === this.coming?.id) this.coming.order = order;
    else {
      this.coming?.stop.abort();
      this.coming = null;
      if (id && id !== this.data?.id) this.fetch(order);
      else this.take(order, payload);
    }
    this.takeTheme();
  }

  // Show what Python offers, once it is here; what was there stays until then.
  async fetch(order) {
    this.root.classList.toggle("old", Boolean(this.data)); // the text beside it may speak of the new burst by now
    const coming = (this.coming = { id: order.parcel.id, order, stop: new AbortController() });
    try {
      const payload = await fetchParcel(order.parcel.address, coming.stop.signal);
      if (coming === this.coming) this.take(coming.order, payload);
    } catch (error) {
      if (coming.stop.signal.aborted) return;
      console.warn(`kpnviz: ${error.message}: pictures and kernels will come in messages`);
      this.report("refused", coming.id);
    } finally {
      if (coming === this.coming) this.coming = null;
    }
  }

  take(order, payload) {
    this.root.classList.remove("old");
    if (payload.length) {
      const [header, arrays] = readHeader(payload);
      if (header.id !== this.data?.id) this.load(readArrays(header, arrays));
    }
    if (order.number !== this.followed) this.follow(order);
    this.settle();
  }

  // What Python set: the pinned pixel and the options of display. What a person chose since is newer.
  follow({ number, lens, pinned, display }) {
    const { height, width } = this.data;
    const last = shownLast.get(lens);
    if (lens && last?.number === number) ({ pinned, display } = last);
    [this.followed, this.name] = [number, lens];
    this.pinnedAt = pinned && pinned[0] < height && pinned[1] < width ? pinned : null;
    if (this.pinned) [this.cursor, this.touched] = [pinned, true];
    const { frame, view, assumed, ...rest } = display;
    Object.assign(this, rest);
    this.assumed.power = assumed;
    this.assumed.take();
    this.choosePanels();
    this.frame = clamp(frame, 0, this.frames - 1);
    if (view) this.setView(...view);
    else this.resetView();
    clearTimeout(this.reportTimer);
    this.reported = { pinned: this.pinnedAt, display: this.display };
    this.remember();
    this.layOut();
    this.invalidate("bitmaps", "pictures", "cursor");
  }

  // What is chosen stays where there still is such; else the last method beside the reference.
  choosePanels() {
    const has = (name) => this.data.panels.some((panel) => panel.name === name); // or it is to come
    // Where nothing is known of the truth, errors are differences from the mean.
    if (!has(this.against)) this.against = this.truth ? "truth" : "mean";
    // While all are to come there is none to choose: the first that comes is shown then.
    const method = this.kernelMethods.at(-1) ?? (this.waiting ? undefined : this.data.methods.at(-1));
    if (!has(this.shown)) this.shown = method ? this.data.panels[method.panel].name : "";
    if (!has(this.other)) this.other = "frame";
    if (!this.rows.looks.includes(this.look)) this.look = this.rows.looks[0];
    if (!this.modes.includes(this.mode)) this.mode = "picture";
  }

  // What of the display Python is told, for links.
  get display() {
    const { view, frame, mode, against, stops, linear, compare, shown, other, look, assumed } = this;
    const round = (value) => Math.round(value * 100) / 100;
    return {
      ...{ frame, mode, against, stops, linear, compare, shown, other, look },
      assumed: round(assumed.power),
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
    this.framePanel = data.panels.find(({ kind }) => kind === "frame");
    this.waiting = data.panels.some(({ image }) => !image); // for methods that are still at work
    this.kernelMethods = data.methods.filter((method) => method.kernels);
    for (const { kernels } of this.kernelMethods) kernels.K = Math.max(...kernels.sizes);
    this.largest = Math.max(1, ...this.kernelMethods.map(({ kernels }) => kernels.K));
    this.smooth = null;
    this.ideal.reset();
    this.pictures.build();
    this.sizes.build();
    this.rows.buildTabs();
    this.choosePanels();
    this.rows.build();
    this.assumed.take();
    this.root.classList.toggle("waiting", this.waiting);
    this.root.classList.toggle("without-kernels", !this.kernelMethods.length);
    this.root.classList.toggle("alone", data.alone); // pictures to pick a pixel from
    this.laidOut = "";
    this.layOut();
    this.invalidate("bitmaps", "pictures", "cursor");
  }

  // A panel that has a picture.
  panelNamed(name) {
    return this.data.panels.find((panel) => panel.name === name && panel.image);
  }

  // What stands in for what is to come is the mean, and the frame beside it.
  get shownPanel() {
    return this.panelNamed(this.shown) ?? this.panelNamed("mean");
  }

  get otherPanel() {
    return this.panelNamed(this.other) ?? this.framePanel;
  }

  // What errors are taken against.
  get reference() {
    return this.panelNamed(this.against) ?? this.truth ?? this.panelNamed("mean");
  }

  // The method of the large picture, or the last one that has kernels.
  get chosenMethod() {
    const named = (panel) => this.kernelMethods.find((method) => this.data.panels[method.panel] === panel);
    return named(this.shownPanel) ?? named(this.otherPanel) ?? this.kernelMethods.at(-1);
  }

  // What the large pictures may show.
  get modes() {
    return this.kernelMethods.length || this.waiting ? MODES : MODES.filter((mode) => mode !== "kernels");
  }

  // Methods whose kernels are outlined around the pixel: where all sizes are compared, those of the large pictures.
  get outlined() {
    if (!this.data.sizes) return this.kernelMethods;
    const seen = [this.shownPanel, ...(this.compare === "one" ? [] : [this.otherPanel])];
    return this.kernelMethods.filter(({ panel }) => seen.includes(this.data.panels[panel]));
  }

  get scale() {
    return this.pictures.scale;
  }

  frameValues(frame) {
    const { height: H, width: W, frames } = this.data;
    return frames.values.subarray(frame * H * W, (frame + 1) * H * W);
  }

  imageOf(panel) {
    return panel.kind === "frame" ? this.frameValues(this.frame) : (panel.mixed ?? panel.image);
  }

  // The true shifts [N] of the scene at a pixel: a moving object's where one covers the pixel.
  shiftsAt(y, x) {
    const { moving, shifts, width } = this.data;
    const object = moving ? moving.object_at[y * width + x] : 0;
    return object ? moving.shifts[object - 1] : shifts;
  }

  // Per method: the kernels at a pixel, with the noise that is assumed, and all that is written beside them.
  kernelsAt(y, x) {
    const { width: W, panels } = this.data;
    return this.kernelMethods.map((method) => ({
      ...this.applied(this.assumed.kernelsAt(method, y, x), method.kernels.K, y, x),
      picture: this.imageOf(panels[method.panel])[y * W + x],
    }));
  }

  // What kernels [N] of K*K weights do at a pixel.
  applied(kernels, K, y, x) {
    const { height: H, width: W, frames } = this.data;
    const N = kernels.length;
    const cells = kernels.map((weights, i) => {
      const { mass, centroid } = kernelStats(weights, K);
      return { weights, centroid, share: mass / N, adds: correlate(frames.values, i * H * W, H, W, weights, K, y, x) / N };
    });
    return { K, cells, sum: cells.reduce((total, { adds }) => total + adds, 0) };
  }

  // Of a method, at the cursor; while a paint lasts.
  foundOf(method) {
    return this.found[this.kernelMethods.indexOf(method)];
  }

  // Where a kernel's colors end.
  endOf(weights) {
    const end = this.each ? strongest(weights) : (this.heldMax ?? this.autoMax);
    return end / 2 ** this.contrast || 1;
  }

  // Which pixels of the picture use the pixel at the cursor of each frame [N], and how much.
  usesOf(method) {
    const { height: H, width: W } = this.data;
    const { K, factors } = method.kernels;
    const frames = Array.from({ length: factors.shape[0] }, (_, i) => i);
    return this.assumed.between(method, (kernels) =>
      frames.map((frame) => usesOf(kernels, K, frame, ...this.cursor, H, W)),
    );
  }

  // Where what a frame shows at the cursor lies in the reference, (dy, dx) from there; null where it is hidden or unknown.
  originOf(frame) {
    const { height: H, width: W, moving, shifts } = this.data;
    const [y, x] = this.cursor;
    for (const table of [...(moving?.shifts ?? []), shifts]) {
      if (!table) continue;
      const [dy, dx] = table[frame];
      const [row, column] = [Math.round(y - dy), Math.round(x - dx)];
      const inside = row >= 0 && column >= 0 && row < H && column < W;
      if (inside && this.shiftsAt(row, column) === table) return [-dy, -dx];
    }
    return null;
  }

  // What matching says at the cursor; see VIEWS.matching.
  get costs() {
    this.smooth ??= smoothFrames(this.data.frames, this.data.noise);
    const reach = Math.max(2, (this.largest - 1) / 2);
    return costsAt(this.smooth, ...this.cursor, reach, this.window);
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

  get pinned() {
    return this.pinnedAt !== null;
  }

  // Whether the pixel that is shown is not the pinned one: the mouse is on another.
  get isAway() {
    return this.pinned && this.pinnedAt.some((at, axis) => at !== this.cursor[axis]);
  }

  // Pin the pixel that is shown; the pinned one is let go.
  pinOrRelease() {
    if (this.pinned && !this.isAway) this.release();
    else this.pin();
  }

  pin() {
    this.pinnedAt = this.cursor;
    this.reportSoon();
    this.invalidate("cursor");
    this.announce();
  }

  release() {
    this.pinnedAt = null;
    this.reportSoon();
    this.invalidate("cursor");
  }

  // Nobody points at a picture any more.
  backToPin() {
    if (this.pinned) this.moveTo(...this.pinnedAt);
  }

  // Python hears of a pinned pixel and of the display once they rest: not of both clicks of a double-click, nor of
  // every arrow key.
  reportSoon(delay = 220) {
    clearTimeout(this.reportTimer);
    this.reportTimer = setTimeout(() => {
      const now = { pinned: this.pinnedAt, display: this.display };
      for (const [name, value] of Object.entries(now)) {
        if (JSON.stringify(value) === JSON.stringify(this.reported[name])) continue;
        this.reported[name] = value;
        this.report(name, name === "pinned" ? { at: value } : value);
      }
      this.remember();
    }, delay);
  }

  remember() {
    if (this.name) shownLast.set(this.name, { number: this.followed, ...this.reported });
  }

  // The display changed by a person's hand.
  redraw(...parts) {
    this.invalidate(...(parts.length ? parts : ["bitmaps", "pictures", "cursor"]));
    this.reportSoon(600);
  }

  // The frame that Frame shows; it comes onto the stage, if it is not there.
  chooseFrame(frame) {
    if (frame < 0 || frame >= this.frames) return;
    this.frame = frame;
    if (!this.data.sizes && this.shown !== "frame" && (this.other !== "frame" || this.compare === "one"))
      this[this.compare === "one" ? "shown" : "other"] = "frame";
    this.redraw();
  }

  // A picture for the stage: at the right, or the only one; with `left` at the left of two.
  choosePanel(name, left = false) {
    const role = left && this.compare !== "one" ? "other" : "shown";
    const opposite = role === "shown" ? "other" : "shown";
    if (this[opposite] === name) this[opposite] = this[role];
    this[role] = name;
    this.redraw("pictures", "cursor");
  }

  chooseCompare(compare) {
    this.compare = compare;
    this.layOut();
    this.redraw();
  }

  chooseLook(look) {
    this.look = look;
    this.stopPlaying();
    this.summed = null;
    this.redraw("cursor");
  }

  // How many frames the sum has.
  sumTo(count) {
    this.summed = clamp(count, 0, this.frames);
    this.invalidate("cursor");
  }

  play() {
    if (this.player) return this.stopPlaying();
    this.sumTo(0);
    this.player = setInterval(() => {
      this.sumTo(this.summed + 1);
      if (this.summed === this.frames) this.stopPlaying();
    }, Math.min(PLAY_MS, (12 * PLAY_MS) / this.frames));
    this.writeControls();
  }

  stopPlaying() {
    clearInterval(this.player);
    this.player = null;
    this.writeControls();
  }

  setFlicker(on) {
    if (this.flicker === on) return;
    this.flicker = on;
    this.invalidate("pictures");
  }

  setView(y, x, zoom) {
    const { height: H, width: W } = this.data;
    this.view = { zoom, y: clamp(y, 0, H - H / zoom), x: clamp(x, 0, W - W / zoom) };
    this.redraw("pictures", "cursor");
  }

  resetView() {
    this.setView(0, 0, 1);
  }

  // Zoom by a factor around a point of a picture, in CSS pixels; the point stays where it is.
  zoomAt(factor, px, py) {
    const { y, x, zoom } = this.view;
    const { height, width } = this.data;
    const next = clamp(zoom * factor, 1, Math.max(1, Math.min(height, width) / 4));
    const change = 1 / this.scale - 1 / ((this.pictures.size[0] * next) / width);
    this.setView(y + py * change, x + px * change, next);
  }

  // The pixel (y, x) at a point of a picture, in CSS pixels.
  pixelAt([px, py]) {
    return [Math.floor(this.view.y + py / this.scale), Math.floor(this.view.x + px / this.scale)];
  }

  // Move by keys: the pinned pixel, where there is one. The view follows it out of sight.
  step(dy, dx) {
    const from = this.pinnedAt ?? this.cursor;
    this.moveTo(from[0] + dy, from[1] + dx);
    if (this.pinned) this.pinnedAt = this.cursor;
    const [y, x] = this.cursor;
    const { view, data } = this;
    const [rows, columns] = [data.height / view.zoom, data.width / view.zoom];
    if (y < view.y || y >= view.y + rows || x < view.x || x >= view.x + columns)
      this.setView(y - rows / 2, x - columns / 2, view.zoom);
    if (this.pinned) this.reportSoon();
    clearTimeout(this.announceTimer);
    this.announceTimer = setTimeout(() => this.announce(), 250);
  }

  // --- layout and theme -------------------------------------------------------------------------

  // All that is seen at once should fit the window. Sizes are measured when something moves, not on every mouse move.
  layOut() {
    if (!this.data) return;
    const width = this.find(".desk").clientWidth;
    if (!width) return;
    const slider = this.find(".assumed").hidden;
    const type = parseFloat(getComputedStyle(document.documentElement).fontSize) / USUAL_TYPE;
    const identity = `${width} ${window.innerHeight} ${this.top} ${this.compare} ${this.rows.built} ${slider} ${type}`;
    if (identity === this.laidOut) return;
    this.laidOut = identity;
    this.weight = type > LARGE_TYPE ? 2 : 1;
    this.root.classList.toggle("teach", this.weight > 1);
    const seen = window.innerHeight - this.top - 8;
    if (this.data.sizes) {
      for (let pass = 0; pass < 2; pass++) this.sizes.layOut(width, seen, type); // bars may have wrapped in the first
      return this.invalidate("bitmaps", "pictures", "cursor");
    }
    const bottom = (selector) => this.find(selector).getBoundingClientRect().bottom - this.root.getBoundingClientRect().top;
    const around = () => this.find(".looking").offsetHeight - this.find(".stages").offsetHeight;
    for (let pass = 0; pass < 2; pass++) this.pictures.layOut(width, seen - around(), type); // the film has a height now
    const { beside } = this.pictures;
    this.root.classList.toggle("beside", beside);
    const inside = beside ? width - this.pictures.width - DESK_GAP : width;
    const box = this.find(".rows");
    const above = box.getBoundingClientRect().top - this.root.getBoundingClientRect().top;
    const height = Math.round(Math.max(seen, bottom(".film")) - above - FOOT_HEIGHT * type);
    this.rows.layOut(inside, beside ? height : Infinity, type);
    box.style.maxHeight = beside ? `${height}px` : "";
    this.invalidate("bitmaps", "pictures", "cursor");
  }

  // What is above the lens may still be moving into place after it is there.
  settle() {
    for (const delay of [0, 120, 500, 1500]) setTimeout(() => this.layOut(), delay);
  }

  // CSS pixels above the lens, with the page scrolled to its top; a lens further down is scrolled to.
  get top() {
    let top = this.root.getBoundingClientRect().top;
    for (let node = this.root; node; node = node.parentNode ?? node.host) top += node.scrollTop ?? 0;
    return Math.round(top > window.innerHeight / 2 ? PAGE_HEAD : top);
  }

  takeTheme() {
    const style = getComputedStyle(this.root);
    const color = (name) => style.getPropertyValue(name).trim();
    const [r, g, b] = style.color.match(/[\d.]+/g).map(Number);
    const dark = r + g + b > 384; // light text
    this.root.classList.toggle("dark", dark);
    this.palette = PALETTES[dark ? "dark" : "light"];
    this.ink = {
      text: style.color,
      paper: color("--st-background-color") || (dark ? "#000" : "#fff"),
      ...INKS[dark ? "dark" : "light"],
      shift: color("--shift"),
    };
    const { css } = this.palette;
    this.paintRamp(".weights", css);
    this.invalidate("bitmaps", "pictures", "cursor");
  }

  // --- painting ---------------------------------------------------------------------------------

  invalidate(...parts) {
    for (const part of parts) this.stale.add(part);
    this.pending ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.pending = 0;
    if (!this.data || !this.ink || !this.pictures.size[0]) return;
    const stale = this.stale;
    this.stale = new Set();
    if (stale.has("bitmaps")) {
      this.pictures.paintBitmaps();
      this.sizes.paintBitmaps();
    }
    if (stale.has("bitmaps") || stale.has("pictures")) {
      this.pictures.paint();
      this.sizes.paint();
      this.writeControls();
    }
    this.ink.weight = this.weight;
    this.paintCursor();
    if (this.movedAt) this.measure(this.movedAt);
    this.movedAt = 0;
  }

  // From the event that moved the pixel until the frame that shows it has been laid out and painted.
  measure(begun) {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      this.latencies.push(performance.now() - begun);
      if (this.latencies.length > 600) this.latencies.shift();
    };
    port2.postMessage(null);
  }

  // Milliseconds from hover to paint: the p-quantile of the last 600 moves.
  latency(p = 0.95) {
    const sorted = [...this.latencies].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
  }

  paintCursor() {
    const [y, x] = this.cursor;
    this.shifts = this.shiftsAt(y, x);
    this.found = this.data.sizes ? this.sizes.foundAt(y, x) : this.kernelsAt(y, x);
    this.autoMax = Math.max(0, ...this.found.flatMap(({ cells }) => cells.map(({ weights }) => strongest(weights))));
    if (this.look === "ideal" && this.kernelMethods.length) this.ideal.follow();
    this.pictures.paintCursor(this.shifts);
    this.sizes.paintCursor(this.shifts);
    this.rows.paint();
    this.writeWeights();
    this.find(".pixel").textContent = `y ${y}, x ${x}`;
    this.writePin();
    Object.assign(this.root.dataset, {
      y,
      x,
      pinned: this.pinned,
      frame: this.frame,
      look: this.look,
      zoom: this.view.zoom.toFixed(2),
    });
    this.root.classList.toggle("pinned", this.pinned);
    this.root.classList.toggle("assuming", this.assumed.applied !== 0);
  }

  writePin() {
    const { pinned, pinnedAt, view } = this;
    const button = this.find(".pin");
    button.textContent = pinned ? "Pinned" : "Pin";
    button.title = pinned ? `Let go of the pinned pixel, y ${pinnedAt[0]}, x ${pinnedAt[1]} (click it again, Esc)` : PIN_TITLE;
    button.setAttribute("aria-pressed", pinned);
    this.find(".hint").textContent = pinned || view.zoom > 1 ? "" : this.input.hint;
  }

  writeWeights() {
    const end = (this.heldMax ?? this.autoMax) / 2 ** this.contrast || 1;
    this.find(".weights").hidden = !this.kernelMethods.length || this.look === "sum";
    if (this.each) return this.writeScale(".weights", ["−", "each its own", "+"]);
    // Even steps of the square root. Weights of many digits leave room for the ends alone.
    const between = tickDigits(end) > MOST_TICK_DIGITS ? [0] : [-end / 4, 0, end / 4];
    this.writeScale(".weights", [-end, ...between, end]);
  }

  // Numbers (or texts) under a color bar, evenly spaced.
  writeScale(selector, values) {
    const digits = tickDigits(values.at(-1));
    const ticks = this.find(`${selector} .ticks`);
    while (ticks.children.length < values.length) ticks.append(make("span", ""));
    while (ticks.children.length > values.length) ticks.lastChild.remove();
    values.forEach((value, i) => {
      ticks.children[i].textContent = typeof value === "string" ? value : plus(value, value === 0 ? 0 : digits);
      ticks.children[i].style.left = `${(100 * i) / (values.length - 1)}%`;
    });
  }

  writeControls() {
    const { mode, against, compare, stops, contrast, window } = this;
    for (const [name, value] of Object.entries({ mode, against, compare, stops, contrast, window }))
      this.find(`[name=${name}]`).value = value;
    this.find("[name=linear]").checked = !this.linear;
    this.find("[name=each]").checked = this.each;
    this.find("[name=same]").checked = this.sameScale;
    this.find("[name=marks]").checked = this.marks;
    this.find("[name=hold]").checked = this.heldMax !== null;
    this.find(".play").textContent = this.player ? "Stop" : "Play";
    const factor = 2 ** this.stops;
    this.find("[name=gain]").textContent =
      `×${factor >= 1 ? Math.round(factor * 10) / 10 : factor.toFixed(2)}`;
    const reset = this.find(".reset");
    reset.textContent = `zoom ${this.view.zoom.toFixed(1)}×`;
    reset.hidden = this.view.zoom === 1;
    this.find("option[value=kernels]").hidden = !this.modes.includes("kernels");
    this.find(".carpet").hidden = mode !== "kernels";
    if (mode === "kernels") this.find(".carpet p").textContent = carpetText(this);
    const error = mode === "signed" || mode === "absolute";
    this.find(".error").hidden = !error;
    if (!error) return;
    const { css } = this.palette;
    this.paintRamp(".errors", mode === "signed" ? css : css.slice((css.length - 1) / 2));
    const range = this.pictures.errorRange;
    this.writeScale(".errors", mode === "signed" ? [-range, 0, range] : [0, range / 2, range]);
  }

  paintRamp(selector, colors) {
    const ramp = this.find(`${selector} .ramp`);
    ramp.style.background = `linear-gradient(to right, ${colors})`;
    ramp.dataset.colors = colors.join(" ");
  }

  // For screen readers: after a key or a pin, not for every mouse move.
  announce() {
    const [y, x] = this.cursor;
    const methods = this.kernelsAt(y, x).map(({ cells, picture }, m) => {
      const heaviest = cells.reduce((best, cell, i) => (cell.share > cells[best].share ? i : best), 0);
      const share = Math.round(100 * cells[heaviest].share);
      return `${this.kernelMethods[m].title} ${signed(picture, 3)}, most weight on frame ${heaviest}, ${share} percent`;
    });
    this.find(".live").textContent =
      `Pixel y ${y}, x ${x}${this.pinned ? ", pinned" : ""}. ${methods.join(". ")}.`;
  }
}

const lenses = new WeakMap();

export default function showLens({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".lens");
  if (!lenses.has(root)) lenses.set(root, new Lens(root));
  const lens = lenses.get(root);
  lens.update(data, setTriggerValue);
  return () => {
    lens.destroy();
    lenses.delete(root);
  };
}
