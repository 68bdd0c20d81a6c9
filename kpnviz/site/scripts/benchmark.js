// Times a network in Node: kpnviz/site/benchmark.py puts what it needs in front of this and runs it.

import { readConfig, readTensors } from "./checkpoint.js";
import { Engine } from "./engine.js";
import { estimate } from "./estimate.js";
import { finish, networkOf } from "./network.js";

const { readFile, process, job } = /** @type {any} */ (globalThis);

/**
 * What `work` returns, and the processor's seconds that it took.
 * @template T
 * @param {() => T | Promise<T>} work
 * @returns {Promise<[T, number]>}
 */
async function timed(work) {
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return [result, (user + system) / 1e6];
}

const module = await WebAssembly.compile(readFile(job.build));
const [network, prepared] = await timed(async () =>
  networkOf(await Engine.create(module), readConfig(job.config), readTensors(new Uint8Array(readFile(job.weights)))),
);
const frames = new Float32Array(new Uint8Array(readFile(job.frames)).buffer);
let seconds = Infinity;
for (let k = 0; k < job.repeats; k++) {
  const [, taken] = await timed(() => finish(estimate(network, { ...job.burst, frames })));
  seconds = Math.min(seconds, taken);
}
process.stdout.write(JSON.stringify({ prepared, seconds, bytes: network.engine.most }));
