// Drag the crop, or choose another photo. Python hears where a drag or arrow keys end, not of the way.

import { Roving } from "../../lens/scripts/roving.js";
import { called } from "../latest_call.js";

const REST_MS = 350; // after the last arrow key

class Picker {
  constructor(root) {
    this.photo = root.querySelector(".photo");
    this.photo.addEventListener("pointerdown", (event) => this.onDown(event));
    this.photo.addEventListener("pointermove", (event) => this.grip && this.moveTo(event));
    this.photo.addEventListener("pointerup", () => this.drop());
    this.photo.addEventListener("pointercancel", () => this.drop());
    this.photo.addEventListener("keydown", (event) => this.onKey(event));
    this.thumbnails = root.querySelector(".thumbnails");
    this.thumbnails.addEventListener("click", ({ target }) => this.choose(target.dataset.name));
    // As in any group of radio buttons, arrow keys choose.
    this.roving = new Roving(this.thumbnails, "button", ({ dataset: { name } }) => {
      this.check(name);
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.choose(name), REST_MS);
    });
  }

  choose(name) {
    clearTimeout(this.resting);
    this.resting = null;
    if (name && name !== this.data.photo) this.report({ photo: name, top: this.crop[0], left: this.crop[1] });
  }

  // Mark a photo as the chosen one, at which Tab enters the group.
  check(name) {
    for (const button of this.thumbnails.children) button.setAttribute("aria-checked", button.dataset.name === name);
    this.roving.stopAt(this.thumbnails.querySelector("[aria-checked=true]"));
  }

  update(data, report) {
    this.report = report;
    if (!this.data) this.buildThumbnails(data.photos);
    this.data = data;
    this.photo.querySelector("img").src = data.preview;
    this.photo.querySelector("img").alt = data.photo;
    if (!this.resting) this.check(data.photo);
    this.place(data.crop[0], data.crop[1]);
  }

  buildThumbnails(photos) {
    const buttons = photos.map(({ name, url }) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", title: name });
      button.dataset.name = name;
      button.setAttribute("role", "radio");
      button.setAttribute("aria-label", name);
      button.style.backgroundImage = `url(${url})`;
      return button;
    });
    this.thumbnails.replaceChildren(...buttons);
  }

  // Draw the crop at (top, left), or as near to it as the photo allows.
  place(top, left) {
    const { height, width, crop } = this.data;
    const size = crop[2];
    this.crop = [Math.min(Math.max(top, 0), height - size), Math.min(Math.max(left, 0), width - size)];
    Object.assign(this.photo.querySelector(".crop").style, {
      top: `${(100 * this.crop[0]) / height}%`,
      left: `${(100 * this.crop[1]) / width}%`,
      height: `${(100 * size) / height}%`,
      width: `${(100 * size) / width}%`,
    });
  }

  // Pixels of the photo under a pointer, (y, x).
  position(event) {
    const box = this.photo.getBoundingClientRect();
    const scale = this.data.width / box.width;
    return [(event.clientY - box.top) * scale, (event.clientX - box.left) * scale];
  }

  onDown(event) {
    const [y, x] = this.position(event);
    const size = this.data.crop[2];
    const inside = y >= this.crop[0] && y < this.crop[0] + size && x >= this.crop[1] && x < this.crop[1] + size;
    // Held where it was gripped; a press beside the crop fetches it by its middle.
    this.grip = inside ? [y - this.crop[0], x - this.crop[1]] : [size / 2, size / 2];
    this.photo.setPointerCapture(event.pointerId);
    this.moveTo(event);
  }

  moveTo(event) {
    const [y, x] = this.position(event);
    this.place(Math.round(y - this.grip[0]), Math.round(x - this.grip[1]));
  }

  drop() {
    this.grip = null;
    const [top, left] = this.crop;
    if (top !== this.data.crop[0] || left !== this.data.crop[1]) this.report({ photo: this.data.photo, top, left });
  }

  onKey(event) {
    const step = event.shiftKey ? 1 : 8;
    const move = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    this.place(this.crop[0] + move[0], this.crop[1] + move[1]);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.drop(), REST_MS);
  }
}

const pickers = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".picker");
  if (!pickers.has(root)) pickers.set(root, new Picker(root));
  const picker = pickers.get(root);
  return called(
    root,
    () => picker.update(data, (scene) => setStateValue("scene", scene)),
    () => pickers.delete(root),
  );
}
