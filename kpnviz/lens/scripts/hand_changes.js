// What a person changed by hand: kernel sizes switched off, frames left out or moved, negative weights. (The pictures that the
// kernels make then: by_hand.js.)

/** @import { Changes, Field, Floats, KernelMethod, Method, Shift, WholeField } from "./types" */
/** @import { Shown } from "./shown.js" */

import { KeptField } from "./kept_field.js";
import { withMovedFrame } from "./moved_frame.js";

export class HandChanges {
  /** @param {Shown} state */
  constructor(state) {
    this.state = state;
    /** @type {Map<string, Set<number>>} */
    this.off = new Map(); // by the method's name
    this.keepShare = true; // kernels are scaled so that shares sum to what they did
    /** @type {number[]} */
    this.dropped = []; // frames whose kernels are 0
    this.nonnegative = false; // negative weights are 0
    /** @type {{ frame: number, shift: Shift }} */
    this.moved = { frame: 1, shift: [0, 0] }; // a frame that moved after kernels were predicted
    /** @type {{ of: string, frames: Floats } | null} */
    this.stack = null; // the frames, one of them moved
    /** @type {Map<Method, { of: string, whole: Field, field: Field }>} */
    this.fields = new Map();
  }

  /** Another payload is shown. What was switched off stays so where there still is such a size. */
  load() {
    const { frames } = this.state;
    this.dropped = this.dropped.filter((frame) => frame < frames);
    if (this.moved.frame >= frames) this.moved = { frame: 1, shift: [0, 0] };
    this.stack = null;
    this.fields.clear();
    this.state.background.clear();
  }

  /** @param {KernelMethod} method */
  nameOf(method) {
    return this.state.data.panels[method.panel].name;
  }

  /**
   * The sizes of a method that count.
   * @param {KernelMethod} method
   * @returns {number[]}
   */
  of(method) {
    const off = this.off.get(this.nameOf(method));
    const { sizes } = method.kernels;
    const kept = off ? sizes.filter((size) => !off.has(size)) : sizes;
    return kept.length ? kept : sizes;
  }

  /** @param {KernelMethod} method */
  areAll(method) {
    return this.of(method).length === method.kernels.sizes.length;
  }

  /** Whether a frame is moved. */
  get isMoved() {
    return this.moved.shift.some((d) => d !== 0);
  }

  /** Whether kernels are changed beside their sizes. */
  get areKernelsChanged() {
    return this.dropped.length > 0 || this.nonnegative;
  }

  /** Whether they are, or meet other frames. */
  get isChanged() {
    return this.areKernelsChanged || this.isMoved;
  }

  /** What kernels are applied to: the frames, of which one may be moved. */
  get frames() {
    const { state: { data }, moved: { frame, shift } } = this; // prettier-ignore
    if (!this.isMoved) return data.frames;
    const name = `${data.id} ${frame} ${shift}`;
    if (this.stack?.of !== name) this.stack = { of: name, frames: withMovedFrame(data.frames, frame, shift) };
    return this.stack.frames;
  }

  /**
   * The changes of a method's kernels.
   * @param {KernelMethod} method
   * @returns {Changes}
   */
  changesOf(method) {
    const { keepShare, dropped, nonnegative } = this;
    return { kept: this.of(method), keepShare, dropped, nonnegative };
  }

  /** What tells changes from others. */
  nameOfChanges(/** @type {KernelMethod} */ method) {
    return JSON.stringify([this.changesOf(method), this.moved, this.state.anew.ready]);
  }

  /**
   * Leave a frame out, or take it in again; the last one stays.
   * @param {number} frame
   */
  toggleFrame(frame) {
    const { dropped } = this;
    if (dropped.includes(frame)) this.dropped = dropped.filter((one) => one !== frame);
    else if (dropped.length < this.state.frames - 1) this.dropped = [...dropped, frame].sort((a, b) => a - b);
  }

  /** All as it was predicted. */
  undo() {
    this.off.clear();
    this.dropped = [];
    this.nonnegative = false;
    this.moved = { frame: this.moved.frame, shift: [0, 0] };
  }

  /** Sizes that are off, by method, for a link. */
  get offSizes() {
    return Object.fromEntries(
      [...this.off].filter(([, sizes]) => sizes.size).map(([name, sizes]) => [name, [...sizes].sort((a, b) => a - b)]),
    );
  }

  /** @param {Record<string, number[]>} off */
  set offSizes(off) {
    this.off = new Map(Object.entries(off).map(([name, sizes]) => [name, new Set(sizes)]));
  }

  /**
   * Switch a size on or off; the last one stays. Without a size: all of them on.
   * @param {KernelMethod} method
   * @param {number} [size]
   */
  toggle(method, size) {
    const kept = this.of(method);
    const off = new Set(method.kernels.sizes.filter((one) => !kept.includes(one)));
    if (size === undefined) off.clear();
    else if (off.has(size)) off.delete(size);
    else if (kept.length > 1) off.add(size);
    this.off.set(this.nameOf(method), off);
  }

  /**
   * A method's kernels with all changes.
   * @param {KernelMethod} method
   * @param {WholeField} whole
   * @returns {Field}
   */
  fieldOf(method, whole) {
    const { dropped, nonnegative } = this;
    if (this.areAll(method) && !dropped.length && !nonnegative) return whole;
    const changes = this.changesOf(method);
    const name = JSON.stringify(changes);
    const before = this.fields.get(method);
    if (before?.whole === whole && before.of === name) return before.field;
    const field = new KeptField(whole, changes);
    this.fields.set(method, { of: name, whole, field });
    return field;
  }
}
