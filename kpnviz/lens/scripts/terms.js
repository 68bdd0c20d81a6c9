// What words and marks mean: kpnviz/lens/terms.json, which Python reads, too (kpnviz/lens/terms.py).

import TEXTS from "../terms.json";

/** @type {{ methods: Record<string, string>, panels: Record<string, string>, marks: Record<string, string> }} */
const { methods, panels, marks } = JSON.parse(TEXTS);

export const MARKS = marks;
export const PANELS = panels;

/**
 * The words of a method's title that are explained, a sentence each: "KPN L5 blind" has three.
 * @param {string} title
 */
export function wordsOf(title) {
  if (title in methods) return [methods[title]];
  return title.split(" ").flatMap((word) => {
    const size = /^L(\d+)$/.exec(word)?.[1];
    if (size) return [methods.L.replace("{name}", word).replaceAll("{size}", size)];
    return word !== "L" && Object.hasOwn(methods, word) ? [methods[word]] : [];
  });
}
