// What a person does with the lens: pointers, wheel, keys and controls, turned into calls of Lens.

const MODES = ["picture", "signed", "absolute", "kernels"];
const DOUBLE_CLICK_MS = 350;
const STILL_A_CLICK = 4; // CSS pixels

const distance = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by);

class Input {
  constructor(lens) {
    this.lens = lens;
    this.pointers = new Map(); // those that are down
    // What takes the keys, and the one tab stop of the pictures: the drawn one, without the choices on it.
    this.surface = lens.pictures.surface;
    this.groups = {
      tabs: new Roving(lens.find(".tabs"), "[role=tab]", (tab) => lens.chooseLook(tab.dataset.look)),
      film: new Roving(lens.find(".film"), ".thumb"),
      cells: new Roving(lens.find(".rows"), ".cell"),
    };
    this.touches = matchMedia("(hover: none)");
    this.listen();
  }

  get hint() {
    return this.touches.matches ? "drag to look, tap to pin" : "move to look, click to pin";
  }

  destroy() {
    document.removeEventListener("scroll", this.onScroll, true);
    document.removeEventListener("pointerdown", this.onPress, true);
  }

  listen() {
    const { lens } = this;
    for (const stages of lens.root.querySelectorAll(".stages")) {
      stages.addEventListener("pointerenter", () => this.takeFocus());
      stages.addEventListener("pointerdown", (event) => this.onDown(event));
      stages.addEventListener("pointermove", (event) => this.onMove(event));
      stages.addEventListener("pointerup", (event) => this.onUp(event));
      stages.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
      stages.addEventListener("pointerleave", ({ pointerType }) => pointerType !== "touch" && lens.backToPin());
      stages.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    }
    this.onScroll = () => (this.scrolledAt = performance.now());
    document.addEventListener("scroll", this.onScroll, true);
    lens.root.addEventListener("pointerleave", () => this.borrowed && this.surface.blur());
    lens.root.addEventListener("keydown", (event) => this.onKey(event));
    lens.root.addEventListener("keyup", (event) => this.onKeyUp(event));
    lens.root.addEventListener("focusout", () => lens.setFlicker(false));
    lens.root.addEventListener("input", ({ target }) => this.onControl(target));
    this.onPress = (event) => this.foldMenus(event.composedPath()[0]);
    document.addEventListener("pointerdown", this.onPress, true);
    this.onClick(".rows", "[data-frame]", ({ frame }) => lens.chooseFrame(Number(frame)));
    this.onClick(".rows", "[data-name]", ({ name }, event) => lens.choosePanel(name, event.shiftKey));
    this.onClick(".film", "[data-name]", ({ name }, event) => lens.choosePanel(name, event.shiftKey));
    this.onClick(".tabs", "[data-look]", ({ look }) => lens.chooseLook(look));
    lens.find("[name=assumed]").addEventListener("dblclick", () => lens.assumed.moveTo(0));
    const act = {
      ".pin": () => (lens.pinned ? lens.release() : lens.pin()),
      ".reset": () => lens.resetView(),
      ".save": () => saveFigure(lens.root, `kernels_y${lens.cursor[0]}_x${lens.cursor[1]}.png`),
      ".ask": () => lens.find(".help").showModal(),
      ".close": () => lens.find(".help").close(),
      ".play": () => lens.play(),
      ".back": () => this.stepSum(-1),
      ".on": () => this.stepSum(1),
    };
    for (const [selector, action] of Object.entries(act)) lens.find(selector).addEventListener("click", action);
  }

  // A click on an element that has some data, in a part of the lens; the keyboard stays with the lens.
  onClick(part, selector, action) {
    this.lens.find(part).addEventListener("click", (event) => {
      const element = event.target.closest(selector);
      if (!element) return;
      action(element.dataset, event);
      if (event.detail > 0) this.takeKeys();
    });
  }

  takeKeys() {
    this.surface.focus({ preventScroll: true, focusVisible: false });
  }

  stepSum(by) {
    const { lens } = this;
    lens.stopPlaying();
    lens.sumTo((lens.summed ?? lens.frames) + by);
  }

  // A menu is open until one presses elsewhere, anywhere on the page, or Escape. Returns those that were folded.
  foldMenus(target = null) {
    const open = [...this.lens.root.querySelectorAll("details[open]")].filter((menu) => !menu.contains(target));
    for (const menu of open) menu.open = false;
    return open;
  }

  // Keys work as soon as the mouse is on a picture, unless the keyboard is in use elsewhere.
  takeFocus() {
    if (document.activeElement !== document.body) return;
    this.takeKeys();
    this.borrowed = true; // until the mouse leaves: a click keeps it
  }

  onControl({ name, value, checked }) {
    const { lens } = this;
    if (name === "compare") return lens.chooseCompare(value);
    if (name === "frame") return lens.chooseFrame(Number(value));
    if (name === "assumed") return lens.assumed.moveTo(Number(value));
    if (name === "shown" || name === "other") return lens.choosePanel(value, name === "other");
    if (name === "mode" || name === "against") lens[name] = value;
    if (name === "stops" || name === "contrast" || name === "window") lens[name] = Number(value);
    if (name === "linear") lens.linear = !checked;
    if (name === "each" || name === "marks") lens[name] = checked;
    if (name === "same") lens.sameScale = checked;
    if (name === "hold") lens.heldMax = checked ? lens.autoMax : null;
    lens.redraw();
    if (name === "marks") lens.rows.legend();
  }

  // Where a pointer is on the stage under it (or the one that it went down on): CSS pixels.
  position(event, stage = event.target.closest(".stage")) {
    if (!stage) return null;
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  // The event's own time: what waited in the queue counts too.
  follow(at, event) {
    const { lens } = this;
    lens.moveTo(...lens.pixelAt(at), event.timeStamp);
  }

  onDown(event) {
    const { lens } = this;
    const at = this.position(event);
    this.borrowed = false;
    if (!at || event.button !== 0) return;
    const stage = event.target.closest(".stage");
    stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { stage, at, from: at, view: lens.view, moved: false });
    if (this.pointers.size > 1) for (const pointer of this.pointers.values()) pointer.moved = true;
  }

  onMove(event) {
    const { lens } = this;
    const pointer = this.pointers.get(event.pointerId);
    const at = this.position(event, pointer?.stage);
    if (!at) return;
    if (!pointer) return this.follow(at, event);
    const before = pointer.at;
    pointer.at = at;
    if (this.pointers.size === 2) return this.pinch(event.pointerId, before);
    if (distance(at, pointer.from) > STILL_A_CLICK) pointer.moved = true;
    if (!pointer.moved) return;
    if (event.pointerType === "touch" || lens.view.zoom === 1) {
      pointer.looking = true;
      return this.follow(at, event);
    }
    const { view, from } = pointer;
    lens.setView(view.y - (at[1] - from[1]) / lens.scale, view.x - (at[0] - from[0]) / lens.scale, view.zoom);
  }

  // Two fingers: the one that moved against the one that rests.
  pinch(id, before) {
    const { lens } = this;
    const moving = this.pointers.get(id);
    const resting = [...this.pointers.values()].find((pointer) => pointer !== moving);
    const apart = (at) => Math.max(20, distance(at, resting.at));
    lens.zoomAt(apart(moving.at) / apart(before), ...resting.at);
  }

  onUp(event) {
    const { lens } = this;
    const pointer = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    // A finger takes the pinned pixel along: it leaves the picture as it is lifted, and what it found is to stay.
    if (pointer?.looking && event.pointerType === "touch" && lens.pinned) lens.pin();
    if (!pointer || pointer.moved) return;
    const clicked = lens.pixelAt(pointer.at);
    const { lastClick } = this;
    this.lastClick = null;
    const soon = lastClick && event.timeStamp - lastClick.time < DOUBLE_CLICK_MS;
    if (soon && distance(pointer.at, lastClick.at) <= STILL_A_CLICK) {
      // The second click of a double-click takes back what the first did.
      [lens.pinnedAt, lens.cursor] = [lastClick.pinnedAt, lastClick.cursor];
      lens.reportSoon();
      return lens.resetView();
    }
    this.lastClick = { time: event.timeStamp, at: pointer.at, pinnedAt: lens.pinnedAt, cursor: lens.cursor };
    lens.moveTo(...clicked);
    lens.pinOrRelease();
  }

  onWheel(event) {
    const { lens } = this;
    const at = this.position(event);
    if (!at || event.ctrlKey) return;
    // A wheel that is scrolling the page goes on scrolling it as a picture comes under the mouse.
    const scrolling = performance.now() - (this.scrolledAt ?? -1e9) < 300;
    if (scrolling || (event.deltaY > 0 && lens.view.zoom === 1)) return;
    event.preventDefault();
    lens.zoomAt(2 ** (-clamp(event.deltaY, -200, 200) / 250), ...at);
    this.follow(at, event);
  }

  onKey(event) {
    const { lens } = this;
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return;
    // The app has shortcuts of its own (R reruns it); what is typed here is meant for the lens.
    event.stopPropagation();
    if (event.key === "Escape") {
      const [folded] = this.foldMenus();
      if (folded) return folded.querySelector("summary").focus();
    }
    if (event.target !== lens.root && event.target !== this.surface && event.key !== "?") return;
    const action = this.actionOf(event.key, event.shiftKey ? 10 : 1);
    if (!action) return;
    event.preventDefault();
    action();
  }

  actionOf(key, step) {
    const { lens } = this;
    const arrow = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
    const [y, x] = lens.cursor;
    if (arrow) return () => lens.step(...arrow.map((d) => d * step));
    if (/^[0-9]$/.test(key)) return () => lens.chooseFrame(Number(key));
    const around = [(x + 0.5 - lens.view.x) * lens.scale, (y + 0.5 - lens.view.y) * lens.scale];
    const redraw = () => lens.redraw();
    const next = (values, value) => values[(values.indexOf(value) + 1) % values.length];
    const summing = lens.look === "sum";
    return {
      Enter: () => lens.pinOrRelease(),
      Escape: () => lens.release(),
      "+": () => lens.zoomAt(1.5, ...around),
      "=": () => lens.zoomAt(1.5, ...around),
      "-": () => lens.zoomAt(1 / 1.5, ...around),
      "[": () => lens.chooseFrame(lens.frame - 1),
      "]": () => lens.chooseFrame(lens.frame + 1),
      f: () => lens.setFlicker(true),
      w: () => lens.chooseCompare(lens.compare === "wipe" ? "one" : "wipe"),
      e: () => ((lens.mode = next(lens.modes, lens.mode)), redraw()),
      l: () => ((lens.linear = !lens.linear), redraw()),
      t: () => lens.chooseLook(next(lens.rows.looks, lens.look)),
      c: () => ((lens.each = !lens.each), redraw()),
      k: () => ((lens.sameScale = !lens.sameScale), redraw()),
      m: () => ((lens.marks = !lens.marks), lens.rows.legend(), redraw()),
      h: () => ((lens.heldMax = lens.heldMax === null ? lens.autoMax : null), redraw()),
      ",": summing && (() => this.stepSum(-1)),
      ".": summing && (() => this.stepSum(1)),
      " ": summing && (() => lens.play()),
      "?": () => lens.find(".help").showModal(),
    }[key];
  }

  onKeyUp(event) {
    const { lens } = this;
    event.stopPropagation();
    if (event.key === "f") lens.setFlicker(false);
  }
}
