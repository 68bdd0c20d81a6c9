// Other assumed noise: what Python computed for some scales, and all that lies between them.

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
    this.power = 0; // the assumed noise is 2^power times the true one
    this.onBrought = () => this.take();
    document.addEventListener("kpnviz-assumed", this.onBrought);
  }

  destroy() {
    document.removeEventListener("kpnviz-assumed", this.onBrought);
  }

  // What has been brought of the burst on the page.
  get shelf() {
    const shelf = globalThis.kpnvizAssumed;
    return shelf && shelf.burst === this.lens.data?.burst ? shelf : null;
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

  // The pictures at this power.
  mix() {
    const { lens } = this;
    const { height, width, white_level: white, methods, panels } = lens.data;
    for (const method of methods) {
      const panel = panels[method.panel];
      panel.mixed = panel.assumedScore = null;
      if (this.power === 0 || !method.scales) continue;
      const { low, high, share } = scaleBeside(method.scales, this.power);
      const [a, b] = [method.images[low], method.images[high]];
      panel.mixed = Float32Array.from(a, (value, i) => value * (1 - share) + b[i] * share);
      if (lens.truth) panel.assumedScore = `${psnrOf(panel.mixed, lens.truth.image, height, width, white).toFixed(2)} dB`;
    }
    lens.invalidate("bitmaps", "pictures", "cursor");
  }

  // A method's kernels [N] at a pixel, at this power.
  kernelsAt(method, y, x) {
    return this.between(method, (kernels) => effectiveKernels(kernels, y, x));
  }

  // What `of` makes of a method's field, [N] of weights, at this power.
  between(method, of) {
    if (this.power === 0 || !method.fields) return of(method.kernels);
    const { low, high, share } = scaleBeside(method.scales, this.power);
    if (share === 0 || share === 1) return of(method.fields[share ? high : low]);
    return mixedKernels(of(method.fields[low]), of(method.fields[high]), share);
  }

  // The slider: there while somebody brings what it needs, and moved once something has come.
  write() {
    const { lens, shelf } = this;
    const ready = lens.data.methods.some(({ scales }) => scales);
    const slider = lens.find("[name=assumed]");
    lens.find(".assumed").hidden = !shelf || !lens.data.methods.length;
    slider.disabled = !ready;
    slider.value = this.power;
    const all = shelf && shelf.methods.every((name) => shelf.brought.has(name));
    const factor = 2 ** this.power;
    lens.find("[name=assumed-factor]").textContent = !ready && !all
      ? "being computed …"
      : !ready
        ? "too large: choose a smaller crop"
        : this.power === 0
          ? "×1, the true one"
          : factor > 1
            ? `×${factor.toFixed(factor % 1 ? 2 : 0)}`
            : `×1/${(1 / factor).toFixed((1 / factor) % 1 ? 2 : 0)}`;
  }
}
