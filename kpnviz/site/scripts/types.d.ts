// What the scripts of the site hand to each other. Axes: N frames, C channels (1: gray, 3: R, G, B), F factors, H W pixels.

/** (dy, dx) in pixels. */
export type Shift = [number, number];

/** The variance of a linear value y is read_std² + shot_gain·y. */
export interface Noise {
  read_std: number;
  shot_gain: number;
}

/** A picture in linear light, white = 1: [C, H, W]. */
export interface Picture {
  values: Float32Array;
  C: number;
  H: number;
  W: number;
}

/** A weight of a checkpoint. */
export interface Tensor {
  shape: number[];
  values: Float32Array;
}

export interface TrunkConfig {
  encoder: number[];
  decoder: number[];
  convs: number;
  leak: number;
}

/** kpnviz.models.kpn.ModelConfig */
export interface Config {
  sizes: number[];
  separable: boolean;
  frames: number;
  noise_map: boolean;
  direct: boolean;
  trunk: TrunkConfig;
  matching: boolean;
  windows: number;
}

/** Of a checkpoint: what lies beside its weights. */
export interface Card {
  name: string;
  config: Record<string, unknown>;
  sha256: string;
}

/** kpnviz.burst.MovingObject, with its photo. */
export interface MovingObject {
  photo: string;
  center: [number, number];
  diameter: number;
  velocity: Shift;
  outline: [number, number][];
  softness: number;
}

/** kpnviz.burst.Misalignment */
export interface Misalignment {
  small: number;
  large: number;
  rate: number;
  subpixel: boolean;
}

/** kpnviz.camera_motion.CameraMotion */
export interface Camera {
  rotation: number;
  tilt: number;
  shutter: number;
  parallax: number;
}

/** kpnviz.burst.BurstRecipe. crop: top, left, height, width. */
export interface Recipe {
  photo: string;
  crop: [number, number, number, number] | null;
  noise: Noise;
  frames: number;
  misalignment: Misalignment;
  shifts: Shift[] | null;
  moving: MovingObject[];
  white_level: number;
  reduction: number;
  seed: number;
  color: boolean;
  camera: Camera | null;
}

/** N noisy frames [N, C, H, W], and what is known of them. */
export interface Burst {
  recipe: Recipe;
  N: number;
  C: number;
  H: number;
  W: number;
  frames: Float32Array;
  clean: Float32Array;
  noise: Noise;
  white_level: number;
  /** null: the camera turned; then `motion` is where each pixel of frame 0 went, [N, H, W, 2]. */
  shifts: Shift[] | null;
  motion: Float32Array | null;
  moving: { object_at: Uint8Array; shifts: Shift[][] } | null;
  /** What is known of it where it was made: the plain mean [C, H, W], the clean frames as the lens has them, scores, and where the cursor stands at first. */
  mean?: Float32Array;
  /** clean, as float16. */
  halves?: Uint16Array;
  scores?: { frame: Scores; mean: Scores };
  look?: [number, number];
}

/** Kernels at half resolution, as float16: [N, F, h, w]. */
export interface Factors {
  values: Uint16Array;
  shape: [number, number, number, number];
}

/** PSNR in dB and SSIM; null where there is none. */
export interface Scores {
  psnr: number | null;
  ssim: number | null;
}

/** What a network answers to an assumed noise: medians over the picture of frame 0's kernels, and PSNR in dB. */
export interface Answer {
  spread: number;
  share: number;
  psnr: number;
}

/** What may be measured of an estimate where it is computed: the fields of Estimate; psnr: that alone. */
export type Measure = "scores" | "errors" | "answer" | "psnr";

/** What a network is asked of a burst; clean: the truth alone, [C, H, W]. */
export type Asked = Pick<Burst, "frames" | "clean" | "noise" | "white_level" | "N" | "C" | "H" | "W">;

/** What a network makes of a burst: a picture [C, H, W], and the kernels that made it (null: it predicts pixels). */
export interface Estimate {
  image: Float32Array;
  factors: Factors | null;
  scores?: Scores;
  /** Squared error of the displayed values, [H, W]. */
  error?: Float64Array;
  /** PSNR in dB around each pixel, [H, W]. */
  local?: Float32Array;
  answer?: Answer | null;
  psnr?: number;
}
