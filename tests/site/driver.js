// Runs what a test asks for on the site's own modules, in Node: node driver.js FOLDER. In FOLDER/jobs.json is a list of
// [name of a function below, its arguments]; what they give comes out as JSON, typed arrays as files of FOLDER.

import { readFileSync, writeFileSync } from "node:fs";
import { bestSize, localPsnr, squaredError } from "../../kpnviz/site/scripts/best_size.js";
import { drawShifts, synthesize } from "../../kpnviz/site/scripts/burst.js";
import { readConfig, readTensors } from "../../kpnviz/site/scripts/checkpoint.js";
import { Engine } from "../../kpnviz/site/scripts/engine.js";
import { estimate } from "../../kpnviz/site/scripts/estimate.js";
import { answerOf } from "../../kpnviz/site/scripts/fields.js";
import { interestingPixel } from "../../kpnviz/site/scripts/first_look.js";
import { numberShown, stateOfExample } from "../../kpnviz/site/scripts/examples.js";
import { exampleArrays, exampleRecipe } from "../../kpnviz/site/scripts/kernel_example.js";
import { kernelFile } from "../../kpnviz/site/scripts/kernel_file.js";
import { sharesOf } from "../../kpnviz/site/scripts/lesson_figures.js";
import { finish, networkOf } from "../../kpnviz/site/scripts/network.js";
import { forestsOf } from "../../kpnviz/site/scripts/forest.js";
import { matrixRecipe } from "../../kpnviz/site/scripts/gain_matrix.js";
import { ofClasses, pixelClasses } from "../../kpnviz/site/scripts/pixel_classes.js";
import { readNpz } from "../../kpnviz/site/scripts/npz.js";
import { noiseForGain } from "../../kpnviz/site/scripts/noise.js";
import { pack, packAssumed } from "../../kpnviz/site/scripts/pack.js";
import { firstSizes, readLink, writeLink } from "../../kpnviz/site/scripts/parameters.js";
import { decodingTable, hasColor, linearPicture } from "../../kpnviz/site/scripts/pictures.js";
import { Pool } from "../../kpnviz/site/scripts/pool.js";
import { Generator } from "../../kpnviz/site/scripts/random.js";
import { scoresOf } from "../../kpnviz/site/scripts/scores.js";

const [, , folder] = process.argv;
const bytes = (path) => new Uint8Array(readFileSync(path));
const floats = (name) => new Float32Array(bytes(`${folder}/${name}`).slice().buffer);
const networks = new Map();

async function network(build, checkpoint) {
  const key = `${build} ${checkpoint}`;
  if (!networks.has(key)) {
    const engine = await Engine.create(await WebAssembly.compile(bytes(build)));
    const { config } = JSON.parse(readFileSync(checkpoint.replace("safetensors", "json"), "utf8"));
    networks.set(key, networkOf(engine, readConfig(config), readTensors(bytes(checkpoint))));
  }
  return networks.get(key);
}

function photos(names) {
  const found = new Map(names.map(({ name, file, H, W }) => [name, linearPicture(bytes(`${folder}/${file}`), H, W)]));
  return (name) => found.get(name);
}

const work = {
  async estimate({ build, checkpoint, frames, scale, ...burst }) {
    const net = await network(build, checkpoint);
    let exact = null; // the factors before they are float16
    net.engine.halves = function (planes) {
      const { at, channels, stride, h, w } = planes;
      exact = new Float32Array(channels * h * w);
      for (let c = 0; c < channels; c++) exact.set(this.floats(at + 4 * c * stride, h * w), c * h * w);
      return Engine.prototype.halves.call(this, planes);
    };
    const { image, factors } = finish(estimate(net, { ...burst, frames: floats(frames) }, scale));
    return { image, factors: exact, halves: factors && factors.values, shape: factors && factors.shape };
  },
  timed({ build, checkpoint, frames, repeats, ...burst }) {
    return network(build, checkpoint).then((net) => {
      const given = { ...burst, frames: floats(frames) };
      let least = Infinity;
      for (let k = 0; k < repeats; k++) {
        const before = process.cpuUsage();
        finish(estimate(net, given));
        const { user, system } = process.cpuUsage(before);
        least = Math.min(least, (user + system) / 1e6);
      }
      return { seconds: least, bytes: net.engine.most };
    });
  },
  config: ({ config }) => readConfig(config),
  fitting: async ({ build, config, checkpoint }) =>
    networkOf(
      await Engine.create(await WebAssembly.compile(bytes(build))),
      readConfig(config),
      readTensors(bytes(checkpoint)),
    ) && "fits",
  async memory({ build }) {
    const module = await WebAssembly.compile(bytes(build));
    const { Memory } = WebAssembly;
    const said = [];
    const engine = await Engine.create(module);
    engine.memory.grow = () => {
      throw new RangeError("WebAssembly.Memory.grow(): Maximum memory size exceeded");
    };
    WebAssembly.Memory = class {
      constructor() {
        throw new RangeError("WebAssembly.Memory(): could not allocate memory");
      }
    };
    try {
      for (const work of [() => engine.reserve(1e8), () => Engine.create(module)])
        await Promise.resolve()
          .then(work)
          .catch((error) => said.push(error.message));
    } finally {
      WebAssembly.Memory = Memory;
    }
    return said;
  },
  async compiled({ build, cut }) {
    const said = [];
    const pool = new Pool({ bytesOf: async (path) => (said.push(path), bytes(build).slice(0, cut)) });
    const module = await pool.engine().catch((error) => said.push(error.message));
    return module instanceof WebAssembly.Module ? [...said, "compiled"] : said;
  },
  draw({ entropy, what, count, ...options }) {
    const random = new Generator(entropy);
    const draws = {
      normal: () => random.normal(),
      random: () => random.random(),
      poisson: () => random.poisson(options.rate),
      integer: () => random.integer(options.low, options.high),
    };
    return { values: Float64Array.from({ length: count }, draws[what]) };
  },
  shifts: ({ misalignment, frames, seeds }) => seeds.map((seed) => drawShifts(misalignment, frames, seed)),
  noise: ({ gains }) => gains.map(noiseForGain),
  decoding: ({ bits }) => ({ table: decodingTable(bits) }),
  colors: ({ names }) => names.map(({ file, H, W }) => hasColor(linearPicture(bytes(`${folder}/${file}`), H, W))),
  synthesize({ recipe, names }) {
    const burst = synthesize(recipe, photos(names));
    const { frames, clean, shifts, motion, moving } = burst;
    return {
      frames,
      clean,
      shifts,
      motion,
      look: interestingPixel(burst),
      object_at: moving && moving.object_at,
      moving_shifts: moving && moving.shifts,
    };
  },
  links: ({ links, offer }) =>
    links.map((link) => {
      const [state, problem] = readLink(link, offer);
      const pages = ["explore", "kernels", "noise", "sizes", "results", "learn", "your_burst"];
      return {
        problem,
        again: writeLink(state, offer),
        pages: Object.fromEntries(pages.map((page) => [page, writeLink(state, offer, page)])),
      };
    }),
  numbers: ({ links, offer }) => links.map((link) => numberShown(readLink(link, offer)[0], offer)?.says ?? null),
  firstSizes: ({ offers }) => offers.map(firstSizes),
  tensors: ({ files }) =>
    files.map((file) => {
      try {
        return readTensors(bytes(`${folder}/${file}`)).size;
      } catch (error) {
        return error.message;
      }
    }),
  examples: ({ examples, offer }) =>
    examples.map((example) => writeLink(stateOfExample(example, offer), offer, "explore")),
  bestSize({ images, truth, sizes, H, W }) {
    const burst = { C: 1, H, W, white_level: 1 };
    const { local, index, classes } = bestSize(
      images.map((image) => localPsnr(squaredError(floats(image), floats(truth), burst), H, W)),
      sizes,
      H,
      W,
    );
    return { local, index, classes };
  },
  classes({ truth, errors, C, H, W }) {
    const classes = pixelClasses(floats(truth), { C, H, W, white_level: 1 });
    return {
      classes,
      ...ofClasses(
        classes,
        errors.map((error) => Float64Array.from(floats(error))),
        H,
        W,
      ),
    };
  },
  forests: ({ pairs, chosen, near }) => forestsOf(pairs, chosen, near),
  matrix: ({ recipe, pixels, side }) => pixels.map((pixel) => matrixRecipe(recipe, pixel, side).crop),
  async answer({ build, checkpoint, recipe, names }) {
    const burst = synthesize(recipe, photos(names));
    const net = await network(build, checkpoint);
    const made = finish(estimate(net, burst));
    return { ...finish(answerOf(made, net.config, burst)), shares: sharesOf(made, net.config) };
  },
  example({ names }) {
    const burst = synthesize(exampleRecipe("city"), photos(names));
    const arrays = exampleArrays(burst);
    return {
      kernels: arrays.get("kernels").values,
      frames: burst.frames,
      titles: finish(kernelFile("example", arrays)).titles,
    };
  },
  kernels: async ({ file }) => finish(kernelFile(file, await readNpz(file, bytes(`${folder}/${file}`)))),
  scores: ({ image, truth, H, W }) => scoresOf(floats(image), floats(truth), H, W, 1),
  async packed({ recipe, names, build, checkpoints, start, scales }) {
    const burst = synthesize(recipe, photos(names));
    const shown = [];
    for (const { name, title, checkpoint } of checkpoints) {
      const net = checkpoint && (await network(build, checkpoint));
      shown.push({
        name,
        title,
        config: net ? net.config : { sizes: [1] },
        estimate: net ? finish(estimate(net, burst)) : null,
        net,
      });
    }
    const others = scales.map((scale) => finish(estimate(shown[0].net, burst, scale)));
    const done = shown.filter(({ net }) => net);
    return {
      payload: pack(burst, shown, start, "one"),
      done: pack(burst, done, start, "one"),
      assumed: packAssumed(burst, scales, others, "one"),
    };
  },
};

let files = 0;
function written(value) {
  if (ArrayBuffer.isView(value)) {
    const file = `out${files++}`;
    writeFileSync(`${folder}/${file}`, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    return { file, dtype: value.constructor.name.replace("Array", "").toLowerCase() };
  }
  if (Array.isArray(value)) return value.map(written);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, written(one)]));
  return value;
}

const results = [];
for (const [name, options] of JSON.parse(readFileSync(`${folder}/jobs.json`, "utf8"))) {
  try {
    results.push({ value: written(await work[name](options)) });
  } catch (error) {
    results.push({ error: error.message });
  }
}
writeFileSync(`${folder}/results.json`, JSON.stringify(results));
