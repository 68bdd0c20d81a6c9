// What is shown of each frame at a pixel: a view gives rows, and for every row what its cells and its name hold.
//
// rows(lens)          what the rows are, each with a title, the number of cells, and its method or null
// contents(lens, row) of one row: cells [{draw(canvas, size), bar, text, tip, dim}] and lines [text, ...] under its name
// note(lens)          what there is to know, a sentence or two

const SAME = 2e-3; // sums of kernels in 16 bits differ from the picture by less

const strongest = (weights) => weights.reduce((max, weight) => Math.max(max, Math.abs(weight)), 0);
const percent = (share) => `${signed(100 * share, 0)} %`;

const methodRows = (lens) =>
  lens.data.methods.map((method) => {
    const waiting = !lens.data.panels[method.panel].image; // still at work: the row keeps the place of its kernels
    return { method, title: method.title, waiting, count: method.kernels?.factors.shape[0] ?? (waiting ? lens.frames : 0) };
  });

// What all views of kernels have in common: the share of a frame, and the numbers beside a method's name.
function shareCell(lens, i, { share, adds }) {
  const shift = lens.shifts?.[i];
  const moved = i === 0 ? ", the reference" : shift ? `, moved by ${offset(shift)} px` : "";
  return {
    bar: share,
    text: percent(share),
    tip: `Frame ${i}${moved}: share ${signed(100 * share, 1)} %, adds ${plus(adds, 4)} to the pixel`,
  };
}

// What the picture has there: with a tick where the sum, as it is written, is the same.
function pictureLine(sum, picture) {
  const agrees = Math.abs(sum - picture) < SAME * Math.max(1, Math.abs(picture));
  const text = `picture ${signed(picture)}`;
  return {
    text: !agrees ? text : signed(sum) === signed(picture) ? `${text} ✓` : `≈ ${text}`,
    tip: "The picture's linear value at this pixel. ✓: the sum is the same in all digits shown; ≈: as near as kernels in 16 bits allow",
    kind: agrees ? "agrees" : "",
  };
}

function sumLines({ cells, sum, picture }) {
  const shares = cells.reduce((total, { share }) => total + share, 0);
  return [
    { text: `= ${signed(sum)}`, tip: "The sum over the frames of patch times kernel, divided by N, taken here", kind: "total" },
    pictureLine(sum, picture),
    {
      text: `shares sum to ${percent(shares)}`,
      tip:
        "What all shares add up to: the weight of all kernels of this pixel over N, and what the network would make of a " +
        "flat area of 1. It need not be 100 %: more brightens, less darkens.",
    },
  ];
}

const VIEWS = {
  kernels: {
    title: "Kernels",
    rows: methodRows,
    contents(lens, { found }) {
      const { K, cells } = found;
      const boxSize = lens.sameScale ? lens.largest : K;
      return {
        cells: cells.map(({ weights, centroid, ...rest }, i) => ({
          ...shareCell(lens, i, rest),
          draw: (canvas, size) =>
            drawKernel(canvas, size, {
              ...{ weights, K, boxSize, palette: lens.palette, ink: lens.ink, max: lens.endOf(weights) },
              centroid: lens.marks ? centroid : null,
              shift: lens.marks && i > 0 ? lens.shifts?.[i] : null,
            }),
        })),
        lines: sumLines(found),
      };
    },
    note: () =>
      "Under each kernel: its frame, and the frame's share, the signed sum of the weights over N. Their sum need not be " +
      "100 %. The number beside is patch times kernel, added up over the frames: it is the picture's value (to about " +
      "0.001, as kernels travel in 16 bits).",
  },

  frames: {
    title: "On the frames",
    rows: methodRows,
    contents(lens, { found }) {
      const { K, cells } = found;
      const { height: H, width: W, frames, white_level: white } = lens.data;
      const side = (lens.sameScale ? lens.largest : K) + (K < 9 ? 8 : 10);
      const [y, x] = lens.cursor;
      return {
        cells: cells.map(({ weights, ...rest }, i) => ({
          ...shareCell(lens, i, rest),
          draw: (canvas, size) =>
            drawPatch(canvas, size, {
              ...{ weights, K, side, palette: lens.palette, ink: lens.ink, max: lens.endOf(weights) },
              patch: patchAt(frames.values, i * H * W, H, W, side, y, x),
              shown: (value) => lens.pictures.transfer((value * 2 ** lens.stops) / white),
              shift: lens.marks && i > 0 ? lens.shifts?.[i] : null,
            }),
        })),
        lines: sumLines(found),
      };
    },
    note: () =>
      "The noisy frames around the pixel, and over them the kernel, where it is applied. If a network aligns, its weights " +
      "sit on the same thing in every frame.",
  },

  sum: {
    title: "Sum",
    rows: methodRows,
    contents(lens, { found }) {
      const { K, cells, picture } = found;
      const { height: H, width: W, frames } = lens.data;
      const [y, x] = lens.cursor;
      const products = cells.map(({ weights }, i) => {
        const patch = patchAt(frames.values, i * H * W, H, W, K, y, x);
        return weights.map((weight, j) => (weight * patch[j]) / cells.length);
      });
      const common = Math.max(...products.map(strongest));
      const boxSize = lens.sameScale ? lens.largest : K;
      const taken = Math.min(lens.summed ?? cells.length, cells.length);
      const total = cells.slice(0, taken).reduce((sum, { adds }) => sum + adds, 0);
      const among = taken === cells.length ? "all frames" : taken === 0 ? "no frame yet" : taken === 1 ? "frame 0" : `frames 0–${taken - 1}`;
      return {
        cells: cells.map(({ adds, share }, i) => ({
          dim: i >= taken,
          bar: picture === 0 ? 0 : adds / picture,
          text: plus(adds, 4),
          tip: `Frame ${i} adds ${plus(adds, 4)}; its share of the weight is ${percent(share)}`,
          draw: (canvas, size) =>
            drawProduct(canvas, size, {
              ...{ products: products[i], K, boxSize, palette: lens.palette, ink: lens.ink },
              max: (lens.each ? strongest(products[i]) : common) / 2 ** lens.contrast || 1,
            }),
        })),
        lines: [
          { text: `= ${signed(total)}`, tip: `What ${among} add up to`, kind: "total" },
          { text: among },
          pictureLine(total, picture),
        ],
        progress: picture === 0 ? 0 : total / picture,
      };
    },
    note: () =>
      "Each square is a frame's patch times its kernel over N, and the number what it adds to the pixel. Play adds them up, " +
      "frame by frame; comma and full stop step.",
  },

  uses: {
    title: "Uses",
    rows: methodRows,
    contents(lens, { method, found }) {
      const { K } = found;
      const uses = lens.usesOf(method);
      const boxSize = lens.sameScale ? lens.largest : K;
      const parts = uses.map((weights) => weights.reduce((sum, weight) => sum + weight, 0) / uses.length);
      const total = parts.reduce((sum, part) => sum + part, 0);
      const [y, x] = lens.cursor;
      return {
        cells: uses.map((weights, i) => ({
          bar: parts[i],
          text: percent(parts[i]),
          tip: `The weights that the picture gives to pixel y ${y}, x ${x} of frame ${i} add up, over N, to ${signed(100 * parts[i], 1)} %`,
          draw: (canvas, size) =>
            drawKernel(canvas, size, {
              ...{ weights, K, boxSize, palette: lens.palette, ink: lens.ink },
              max: lens.endOf(weights), // the scale of the kernels, so that both compare
              centroid: lens.marks ? kernelStats(weights, K).centroid : null,
              shift: lens.marks && i > 0 ? lens.originOf(i) : null,
            }),
        })),
        lines: [
          { text: `used: ${percent(total)}`, tip: "All that the picture takes from this pixel of all frames; on the average over the picture, what the shares sum to", kind: "total" },
        ],
      };
    },
    note: () =>
      "The reverse: take this pixel of each noisy frame. Which pixels of the picture use it, and how much? Each square is " +
      "a piece of the picture around it, and a color the weight that the pixel there gives it. The ring is where the scene " +
      "that frame shows here lies in the reference: a network that aligns uses it there.",
  },

  matching: {
    title: "Matching",
    available: (lens) => lens.frames > 1 && Boolean(lens.data.noise),
    rows: (lens) => [{ kind: "costs", title: "Matching", count: lens.frames, method: null }, ...methodRows(lens)],
    contents(lens, row) {
      if (row.method) return VIEWS.kernels.contents(lens, row);
      const costs = lens.costs;
      const K = Math.sqrt(costs[0].length);
      const highest = Math.max(1, ...costs.map(strongest));
      return {
        cells: costs.map((weights, i) => {
          const least = weights.reduce((best, cost, j) => (cost < weights[best] ? j : best), 0);
          const at = [Math.floor(least / K) - (K - 1) / 2, (least % K) - (K - 1) / 2];
          return {
            text: i === 0 ? "itself" : offset(at),
            tip: `Frame ${i}: least cost ${signed(weights[least], 2)} at a displacement of ${offset(at)} px`,
            draw: (canvas, size) =>
              drawCosts(canvas, size, {
                ...{ weights, K, max: highest, boxSize: lens.sameScale ? lens.largest : K, ink: lens.ink },
                centroid: lens.marks && i > 0 ? at : null,
                shift: lens.marks && i > 0 ? lens.shifts?.[i] : null,
              }),
          };
        }),
        lines: [
          { text: `window ${2 * 3 ** lens.window} px`, tip: "A cost is the mean over a square of this side; View has others" },
          { text: `bright 0, dark ${highest.toFixed(1)}`, tip: "Colors go by the square root of the cost" },
        ],
      };
    },
    note: () =>
      "What the frames alone say, without any network: how unlike the reference each frame is around this pixel, " +
      "displaced by up to the reach of the kernels. 0, bright, where only noise differs. The cross is the least cost, " +
      "under it its displacement (dy, dx). Below, what each network makes of the frames.",
  },

  ideal: {
    title: "Ideal",
    available: (lens) => Boolean(lens.truth && (lens.waiting || (lens.data.clean && lens.kernelMethods.length))),
    rows: (lens) => {
      if (!lens.chosenMethod) return methodRows(lens);
      const method = lens.chosenMethod;
      const [count, K] = [method.kernels.factors.shape[0], method.kernels.K];
      return [
        { kind: "ideal", title: `Ideal ${K}×${K}`, count, method: null },
        { method, title: method.title, count },
      ];
    },
    contents(lens, row) {
      const { ideal } = lens;
      const found = ideal.isStale ? null : ideal.found;
      const error = (value, whose) => ({
        text: `± ${((100 * value) / lens.data.white_level).toFixed(2)} % expected`,
        tip:
          `The root mean square error to be expected of ${whose} if they were the same at all ` +
          `${IDEAL_WINDOW}×${IDEAL_WINDOW} pixels around this one, in % of white`,
      });
      if (row.method) {
        const content = VIEWS.kernels.contents(lens, row);
        content.lines[2] = found && error(found.network, "these kernels");
        return content;
      }
      if (!ideal.found) return { cells: [], lines: [{ text: "rest on a pixel" }] };
      const { K, cells, sum } = ideal.found;
      return {
        cells: cells.map(({ weights, centroid, ...rest }, i) => ({
          ...shareCell(lens, i, rest),
          dim: !found,
          draw: (canvas, size) =>
            drawKernel(canvas, size, {
              ...{ weights, K, boxSize: K, palette: lens.palette, ink: lens.ink, max: lens.endOf(weights) },
              centroid: lens.marks ? centroid : null,
              shift: lens.marks && i > 0 ? lens.shifts?.[i] : null,
            }),
        })),
        lines: found
          ? [
              { text: `= ${signed(sum)}`, kind: "total", tip: "What these kernels make of the noisy frames" },
              { text: `truth ${signed(lens.truth.image[lens.cursor[0] * lens.data.width + lens.cursor[1]])}` },
              error(found.error, "these kernels, the least that any have,"),
            ]
          : [{ text: "rest on a pixel" }],
      };
    },
    note: (lens) =>
      lens.chosenMethod &&
      `The ${lens.chosenMethod.kernels.K}×${lens.chosenMethod.kernels.K} kernels, separable or not, that would be best if they were the same at ` +
      `all ${IDEAL_WINDOW}×${IDEAL_WINDOW} pixels around this one and one knew the scene: ± is their expected error there, and that of the ` +
      "network's kernels of this pixel, used in the same way. Those of a network change from pixel to pixel, so that its " +
      "picture may be better.",
  },
};
