// What the scripts hand to each other. Axes: N frames, C channels (1: gray, 3: R, G, B), F factors, H W pixels, K side of a kernel.

import type { KernelField } from "./field.js";
import type { KeptField } from "./kept_field.js";
import type { MixedField } from "./mixed_field.js";

/** (y, x) */
export type Pixel = [number, number];
/** (dy, dx) in pixels. */
export type Shift = [number, number];
/** A kernel, row by row: K*K weights. */
export type Weights = Float64Array;
/** What gives the kernels of a method. */
export type Field = KernelField | MixedField | KeptField;
/** The same with all its sizes. */
export type WholeField = KernelField | MixedField;

export interface Floats {
  values: Float32Array | Float64Array;
  shape: number[];
}

/** Numbers as they travel. float16 as its bits. */
export interface Values {
  values: Uint16Array | Float32Array | Int8Array;
  shape: number[];
}

/** The kernel of one size at a pixel, size x size; u and v: the vertical and horizontal factor whose product it is, or null. */
export interface SizePart {
  size: number;
  weights: Weights;
  u: Float64Array | null;
  v: Float64Array | null;
}

/** How kernels are changed by hand. */
export interface Changes {
  /** The sizes that are fused. */
  kept: number[];
  /** Kernels are scaled so that at every pixel the shares of all frames sum to what they did. */
  keepShare: boolean;
  /** Frames whose kernels are 0. */
  dropped: number[];
  /** Negative weights of the fused kernel are 0. */
  nonnegative: boolean;
}

/** How frames go on beyond their edges; with "valid" nothing is asked for there, as the picture is smaller. */
export type Padding = "reflect" | "zero" | "replicate" | "valid";

/** How kernels are applied, and of which picture: its pixel (0, 0) is at (inset, inset) of the frames. */
export interface Rule {
  K: number;
  padding: Padding;
  reduce: "mean" | "sum";
  /** Of what the frames contribute: their number for a mean, 1 for a sum. */
  divisor: number;
  count: number;
  channels: number;
  height: number;
  width: number;
  inset: number;
}

/** The variance of a linear value y is read_std² + shot_gain·y. */
export interface Noise {
  read_std: number;
  shot_gain: number;
}

/** A picture of the film. */
export interface Panel {
  kind: "frame" | "mean" | "method" | "truth";
  name: string;
  title: string;
  /** [C, H, W] of the frames' size, linear; NaN beyond a picture that is smaller; null while its method is still at work. */
  image: Float32Array | null;
  scores: Scores | null;
}

export interface Scores {
  psnr: number | null;
  ssim: number | null;
}

/** One estimate of a series. */
export interface Step {
  image: Float32Array;
  scores: Scores | null;
  kernels: KernelField | null;
}

export interface Method {
  title: string;
  /** Index into the panels. */
  panel: number;
  /** null: it has a picture alone, or is still at work. */
  kernels: KernelField | null;
  /** Of a series its estimates, the last of which is shown first; else null. */
  steps: Step[] | null;
}

export type KernelMethod = Method & { kernels: KernelField };

/** Which class of kernel sizes is best where: kpnviz/analysis/best_size.py. */
export interface SizeClasses {
  titles: string[];
  /** Of each method; null: it has several sizes. */
  classes: (number | null)[];
  /** [M, H, W], dB */
  local: Float32Array;
  /** [H, W]: 0 a tie, else 1 + the class. */
  index: Uint8Array | null;
  sigma: number;
  tie: number;
}

/** A burst and its estimates: kpnviz/lens/payload.py. It is frozen: nothing that shows it writes into it. */
export interface Payload {
  id: string;
  burst: string;
  height: number;
  width: number;
  white_level: number;
  /** Of each channel. */
  noise: Noise[] | null;
  /** [N, C, H, W] */
  frames: Floats;
  clean: Floats | null;
  shifts: Shift[] | null;
  moving: { object_at: Uint8Array; shifts: Shift[][] } | null;
  /** [N, H / 2, W / 2, 2], true shifts at every second pixel, where the camera turns. */
  motion: Floats | null;
  panels: Panel[];
  methods: Method[];
  start: Pixel;
  sizes: SizeClasses | null;
  /** What our networks match: the channels' weighted sum, which has this noise; null: none of them is here. */
  matching: { weights: number[]; noise: Noise } | null;
  /** What the scrubber goes over: the name of a parameter, and its values. */
  series: { name: string; numbers: number[] } | null;
}

/** What one method makes of other assumed noise: pack_assumed in kpnviz/lens/payload.py. */
export interface AssumedResults {
  /** Multiples of the true noise, growing, without 1. */
  scales: number[];
  images: Float32Array[];
  factors: Values[];
}

/** What is known of a burst with other assumed noise: of each method its payload; null where it is too large. */
export interface AssumedGiven {
  burst: string;
  results: Record<string, Uint8Array | null>;
}

/** What a network makes of frames: a picture [C, H, W], and factors [N, F, h, w] of its kernels (null: it predicts pixels). */
export interface Prediction {
  image: Float32Array;
  factors: Values | null;
}

/** What predicts in the browser for frames that are changed by hand. What is asked of a network replaces what it was asked before. */
export interface Predictor {
  /** That it is for, as the payload names it. */
  burst: string;
  networks: string[];
  /** Of frames that have this noise, told `scale` times as much. */
  predict: (network: string, frames: Floats, noise: Noise, scale: number) => Promise<Prediction>;
}

/** How the lens shows a burst: DISPLAY in kpnviz/lens/payload.py says what each means. */
export interface Display {
  frame: number;
  mode: string;
  against: string;
  stops: number;
  linear: boolean;
  view: number[] | null;
  compare: string;
  shown: string;
  other: string;
  look: string;
  assumed: number;
  channel: number;
  step: number | null;
  all?: boolean;
  region?: number;
  kinds?: number;
  off?: Record<string, number[]>;
  keep?: boolean;
  dropped?: number[];
  nonnegative?: boolean;
  moved?: number[] | null;
  anew?: boolean;
}

/** What a host sets: the pinned pixel, and how the burst is shown. */
export interface Order {
  pinned: Pixel | null;
  display: Display;
}

/** What one frame gives to a pixel. adds: to each channel; empty where it was not asked for. */
export interface Cell {
  weights: Weights;
  centroid: Shift | null;
  share: number;
  adds: number[];
}

/**
 * What kernels do at a pixel. sums: what they make of each channel; pictures: the values there of the picture that they are
 * said to make; allowed: how far both may differ, as kernels are rounded.
 */
export interface Found {
  K: number;
  cells: Cell[];
  sums: number[];
  pictures: number[];
  allowed: number;
  covered: boolean;
  field: Field;
}

/** What stands in a cell of a row. */
export interface CellContent {
  draw: (canvas: HTMLCanvasElement, size: number) => void;
  text: string;
  tip: string;
  bar?: number;
  reach?: { share: number; color: string };
  more?: string;
  strong?: boolean;
  dim?: boolean;
  /** Whether it is on, where cells are no frames. */
  pressed?: boolean;
}

/** A cell that is no frame: its name, and what a click on it finds. */
export interface NamedCell {
  label: string;
  data: DOMStringMap;
}

export interface Line {
  text: string;
  tip?: string;
  kind?: string;
}

export interface RowContent {
  cells: CellContent[];
  /** The color of the row on a map. */
  swatch?: string;
  lines: (Line | null)[];
  progress?: number;
}

/** One row of a view: a method's kernels, or what else has a cell a frame. panels: of each cell, where cells are methods. */
export interface RowPlan {
  title: string;
  count: number;
  method: Method | null;
  kind?: string;
  waiting?: boolean;
  panels?: Panel[];
  cells?: NamedCell[];
  /** Of a row that is one kernel size: its index. */
  part?: number;
  /** In place of cells: what the view needs and does not have. */
  missing?: string;
}

export interface Palette {
  colors: Uint32Array;
  css: string[];
  at: (t: number) => number;
}

/** Colors of lines and letters, and how thick lines are. */
export interface Ink {
  text: string;
  paper: string;
  line: string;
  faint: string;
  shift: string;
  weight: number;
}

export type Context = CanvasRenderingContext2D;

/** Colors and letters of the page around the lens, as CSS has them. What is left out is inherited. */
export interface Theme {
  text?: string;
  background?: string;
  primary?: string;
  font?: string;
}
