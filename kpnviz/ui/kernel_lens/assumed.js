// Other assumed noise: what Python computed for some scales, and all that lies between them. What is on the screen assumes
// one noise: until every method's results with other noise have come, all of them are shown with the true one.

// Where a power of two lies among scales (growing): the two beside it, and how far it is from the first to the second.
function scaleBeside(scales, power) {
  const powers = scales.map(Math.log2);
  const place = clamp(power, powers[0], powers.at(-1));
  const high = Math.max(1, powers.findIndex((p) => p >= place));
  return { low: high - 1, high, share: (place - powers[high - 1]) / (powers[high] - powers[high - 1]) };
}

const BORDER = 8; // pixels that PSNR leaves out, as in kpnviz/analysis/metrics.py

// PSNR in dB as kpnviz/analysis/metrics.py has it: after the transfer, clipped, without the border.
function psnrOf(image, truth, H, W, white) {
  const [top, left] = [Math.min(BORDER, (H - 1) >> 1), Math.min(BORDER, (W - 1) >> 1)];
  let squares = 0;
  for (let y = top; y < H - top; y++)
    for (let x = left; x < W - left; x++) {
      const i = y * W + x;
      squares += (encode(image[i] / white) - encode(truth[i] / white)) ** 2;
    }
  return -10 * Math.log10(squares / ((H - 2 * top) * (W - 2 * left)));
}

class Assumed {
  constructor(lens) {
    this.lens = lens;
    this.power = 0; // the assumed noise that is asked for is 2^power times the true one
    this.onBrought = () => this.take();
    document.addEventListener("kpnviz-assumed", this.onBrought);
  }

  destroy() {
    document.removeEventListener("kpnviz-assumed", this.onBrought);
  }

  // What has been fetched for the burst on the page.
  get shelf() {
    const shelf = globalThis.kpnvizAssumed;
    return shelf && shelf.burst === this.lens.data?.burst ? shelf : null;
  }

  // Whether every method on the page has its results with other noise.
  get ready() {
    const { methods } = this.lens.data;
    return methods.length > 0 && methods.every(({ scales }) => scales);
  }

  // The power of what is on the screen.
  get applied() {
    return this.ready ? this.power : 0;
  }

  // Give each method the fields and pictures of all scales, its own among them.
  take() {
    const { lens, shelf } = this;
    if (!lens.data) return;
    for (const method of lens.data.methods) {
      const panel = lens.data.panels[method.panel];
      const found = shelf?.brought.get(panel.name);
      if (!found || method.scales || !panel.image) continue;
      const own = found.scales.findIndex((scale) => scale > 1);
      const among = (others, mine) => [...others.slice(0, own), mine, ...others.slice(own)];
      method.scales = among(found.scales, 1);
      method.images = among(found.images, panel.image);
      if (method.kernels)
        method.fields = among(
          found.factors.map((factors) => ({ ...method.kernels, factors })),
          method.kernels,
        );
    }
    this.mix();
    this.write();
    lens.layOut();
  }

  moveTo(power) {
    this.power = power;
    this.mix();
    this.write();
    this.lens.redraw();
  }

  // The pictures with the noise that is assumed.
  mix() {
    const { lens, applied } = this;
    const { height, width, white_level: white, methods, panels } = lens.data;
    for (const method of methods) {
      const panel = panels[method.panel];
      panel.mixed = panel.assumedScore = null;
      if (applied === 0) continue;
      const { low, high, share } = scaleBeside(method.scales, applied);
      const [a, b] = [method.images[low], method.images[high]];
      panel.mixed = Float32Array.from(a, (value, i) => value * (1 - share) + b[i] * share);
      if (lens.truth) panel.assumedScore = `${psnrOf(panel.mixed, lens.truth.image, height, width, white).toFixed(2)} dB`;
    }
    lens.invalidate("bitmaps", "pictures", "cursor");
  }

  // A method's kernels [N] at a pixel, with the noise that is assumed.
  kernelsAt(method, y, x) {
    return this.between(method, (kernels) => effectiveKernels(kernels, y, x));
  }

  // What `of` makes of a method's field, [N] of weights, with the noise that is assumed.
  between(method, of) {
    const { applied } = this;
    if (applied === 0) return of(method.kernels);
    const { low, high, share } = scaleBeside(method.scales, applied);
    if (share === 0 || share === 1) return of(method.fields[share ? high : low]);
    return mixedKernels(of(method.fields[low]), of(method.fields[high]), share);
  }

  // The slider: shown as soon as results are being fetched, and moved once all have come.
  write() {
    const { lens, shelf, ready, applied } = this;
    const slider = lens.find("[name=assumed]");
    lens.find(".assumed").hidden = !shelf || !lens.data.methods.length;
    slider.disabled = !ready;
    slider.value = applied;
    const tooLarge = lens.data.methods.some(({ panel }) => shelf?.brought.get(lens.data.panels[panel].name) === null);
    const wanted = this.power === 0 ? "others are" : `${factorText(this.power)} is`;
    lens.find("[name=assumed-factor]").textContent = ready
      ? factorText(this.power)
      : tooLarge
        ? "×1; others are too large: choose a smaller crop"
        : lens.weight > 1 // in front of a class there is little room
          ? "computing …"
          : `×1; ${wanted} being computed …`;
  }
}

// 2 -> ×4, as a multiple of the true noise.
function factorText(power) {
  if (power === 0) return "×1, the true one";
  const factor = 2 ** Math.abs(power);
  return `×${power > 0 ? "" : "1/"}${factor.toFixed(factor % 1 ? 2 : 0)}`;
}
