// The maps of kernels that there are, and what their legends say.

/**
 * title, unit: of the legend; values: what of the maps is shown; classes: it has a color for each odd number of pixels.
 * @type {Record<string, { title: string, unit: string, classes?: boolean, tip: string }>}
 */
export const MAP_KINDS = {
  size: {
    title: "Size with most weight",
    unit: "",
    classes: true,
    tip: "At each place the kernel size whose sum of |w| is largest",
  },
  reach: {
    title: "Reach of the weight",
    unit: "",
    classes: true,
    tip: "At each place the smallest square around the middle that holds half of the |w| of the kernels that are applied",
  },
  displacement: {
    title: "Displacement",
    unit: "px",
    tip: "Arrows: from each place to the kernel's centroid, the center of |w|; green: where the scene of the pixel truly went",
  },
  share: {
    title: "Share",
    unit: "%",
    tip: "The sum of the weights (negative ones subtract), divided by the number of frames where these are averaged",
  },
  spread: { title: "Spread", unit: "px", tip: "Root mean square distance of |w| from its center" },
  kinds: {
    title: "Kind",
    unit: "",
    classes: true,
    tip: "k-means of the kernels of all places: those of a kind are more like its mean than like the others'",
  },
  entropy: { title: "Entropy", unit: "bits", tip: "Of |w| over its sum: 0 for a single weight, 2 log₂ K for a box" },
};
