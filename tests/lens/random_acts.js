// Random acts on the lens' state, in Node: what is shown is what is applied, and no text holds what is no number or word.
// kpnviz.lens.linker makes one file of it and the lens; node FILE FOLDER SEED ACTS reads FOLDER/NAME.bin, the payloads.

import { changedPicture } from "../../kpnviz/lens/scripts/changed_picture.js";
import { readPayload } from "../../kpnviz/lens/scripts/payload.js";
import { INKS, PALETTES } from "../../kpnviz/lens/scripts/palette.js";
import { State } from "../../kpnviz/lens/scripts/state.js";
import { looksOf, VIEWS } from "../../kpnviz/lens/scripts/views.js";

const { fs } = globalThis; // test_random_acts.py puts it there
const [, , folder, first, acts] = process.argv;
let seed = Number(first);
const random = () => (seed = (seed * 1664525 + 1013904223) >>> 0) / 2 ** 32;
const pick = (all) => all[Math.floor(random() * all.length)];
const int = (low, high) => low + Math.floor(random() * (high - low + 1));
const bytesOf = (name) => new Uint8Array(fs.readFileSync(`${folder}/${name}`));
const payloads = fs
  .readdirSync(folder)
  .filter((name) => name.startsWith("payload"))
  .sort()
  .map((name) => readPayload(bytesOf(name)));
const assumed = Object.fromEntries(["kpn", "mkpn"].map((name) => [name, bytesOf(`assumed_${name}.bin`)]));
const state = new State({ changed() {}, chosen() {}, rearranged() {}, looksOf });
const film = { scoreOf: (panel) => state.variantOf(panel)?.score ?? "" };
const painter = {
  state,
  palette: PALETTES.light,
  ink: { ...INKS.light, text: "#000", paper: "#fff", shift: "#0f0", weight: 1 },
  rows: { side: 60 },
  weight: 1,
  pictures: { film },
};

/** What networks would give that do not see the frame move: their kernels on the frames as they are now. */
async function predict(name, frames) {
  await new Promise((done) => setTimeout(done, 2));
  if (random() < 0.2) throw new Error("there is no memory");
  const method = state.data.methods.find(({ panel }) => state.data.panels[panel].name === name);
  if (!method?.kernels) return { image: state.data.panels[method?.panel ?? 0].image, factors: null };
  const steps = changedPicture([{ field: method.kernels, share: 1 }], frames, {
    kept: method.kernels.sizes,
    keepShare: true,
    dropped: [],
    nonnegative: false,
  });
  let step = steps.next();
  while (!step.done) step = steps.next();
  return { image: step.value, factors: method.kernels.parts.factors };
}

const ACTS = {
  load: () => state.load(pick(payloads)),
  given: () =>
    state.assumed.set({
      burst: state.data.burst,
      results: pick([{}, { kpn: assumed.kpn }, assumed, { kpn: assumed.kpn, mkpn: null }]),
    }),
  assume: () => state.assume(pick([-2, -1.3, 0, 0.7, 2])),
  move: () => state.moveTo(int(-3, 40), int(-3, 40)),
  step: () => state.step(int(-2, 2), int(-10, 10)),
  pin: () => state.pin(),
  release: () => state.release(),
  frame: () => state.chooseFrame(int(-1, 9)),
  all: () => state.chooseAllFrames(),
  panel: () => state.choosePanel(pick(state.data.panels).name, random() < 0.5),
  compare: () => state.chooseCompare(pick(["wipe", "pair", "one"])),
  look: () => state.chooseLook(pick(state.looks)),
  mode: () => Object.assign(state, { mode: pick(state.modes) }),
  size: () =>
    state.kernelMethods
      .slice(-1)
      .forEach(({ panel, kernels }) =>
        state.toggleSize(state.data.panels[panel].name, pick([...kernels.sizes, undefined])),
      ),
  drop: () => state.toggleFrame(int(0, state.frames - 1)),
  shift: () => state.frames > 1 && state.moveFrame(int(0, 9), int(-20, 20), int(-20, 20)),
  undo: () => state.undo(),
  negative: () => Object.assign(state.byHand, { nonnegative: !state.byHand.nonnegative }),
  keep: () => Object.assign(state.byHand, { keepShare: !state.byHand.keepShare }),
  region: () => Object.assign(state, { region: pick([0, 9, 33]), kindCount: int(2, 8) }),
  channel: () => state.chooseChannel(int(0, 2)),
  sum: () => state.stepSum(pick([-1, 1])),
  zoom: () => state.zoomAt(pick([0.3, 1.5, 4]), int(0, 400), int(0, 400)),
  hold: () => state.holdScale(random() < 0.5),
  anew: () => Object.assign(state.anew, { asked: !state.anew.asked }),
  predictor: () =>
    state.anew.set(
      random() < 0.3 ? null : { burst: state.data.burst, networks: ["kpn", "mkpn", "kpn-direct"], predict },
    ),
  follow: () =>
    state.follow(pick([null, [int(0, 40), int(0, 40)]]), {
      ...state.display,
      frame: int(0, 9),
      look: pick(Object.keys(VIEWS)),
      shown: pick(["", "mkpn", "x", "frame"]),
    }),
};

const BAD = /\b(null|NaN|undefined|Infinity|\[object Object\])\b/;
const problems = new Set();
const told = [];
const note = (what) => problems.add(`${what} (after ${told.slice(-4).join(", ")})`);
const said = (text) => typeof text === "string" && BAD.test(text) && note(text);

/** What the lens would paint and write now. */
function check() {
  state.evaluate();
  for (const panel of state.data.panels) {
    if (!panel.image) continue;
    said(state.variantOf(panel)?.score);
    if (!Array.from(state.imageOf(panel)).every(Number.isFinite))
      note(`the picture ${panel.name} holds what is no number`);
  }
  state.found.forEach(({ sums, pictures, allowed, covered }, m) => {
    const { panel, title } = state.kernelMethods[m];
    if (state.variantOf(state.data.panels[panel])?.score === "…") return; // being computed
    sums.forEach((sum, c) => {
      if (covered && !(Math.abs(sum - pictures[c]) <= allowed + 2e-3 * Math.max(1, Math.abs(sum))))
        note(`${title}: kernels make ${sum}, the picture shows ${pictures[c]}`);
    });
  });
  const view = VIEWS[state.look];
  const rows = view.rows(state);
  for (const plan of rows) {
    [plan.title, plan.missing].forEach(said);
    if (!plan.count || plan.waiting) continue;
    const { cells, lines } = view.contents(painter, { ...plan, found: plan.method && state.foundOf(plan.method) });
    for (const { text, tip, more, bar = 0 } of cells) [text, tip, more, `${bar}`].forEach(said);
    for (const line of lines) if (line) [line.text, line.tip].forEach(said);
  }
  if (rows.some(({ count }) => count)) said(view.note(painter));
}

state.load(payloads[0]);
state.resize([400, 400], 400);
for (let k = 0; k < Number(acts); k++) {
  const name = pick(Object.keys(ACTS));
  told.push(name);
  try {
    ACTS[name]();
    await new Promise((done) => setTimeout(done, random() < 0.08 ? 150 : 0)); // what is computed in the background comes
    check();
  } catch (error) {
    note(error.stack.split("\n").slice(0, 3).join(" "));
  }
}
console.log(JSON.stringify([...problems]));
process.exit(0);
