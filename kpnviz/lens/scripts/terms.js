// What words and marks mean: kpnviz/lens/terms.json, which Python reads, too (kpnviz/lens/terms.py).

import TEXTS from "../terms.json";

/** @type {{ methods: Record<string, string>, words: Record<string, string>, panels: Record<string, string>, marks: Record<string, string> }} */
const { methods, words, panels, marks } = JSON.parse(TEXTS);

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

/**
 * What a word of a method's title or of a sentence means, a sentence; "" for one that is not explained.
 * @param {string} word
 */
export function explainedWord(word) {
  const found = wordsOf(word)[0] ?? (Object.hasOwn(words, word) ? words[word] : "");
  return found && `${found}.`;
}

const ESCAPED = /[.*+?^${}()|[\]\\]/g;
const NAMES = [...Object.keys(methods), ...Object.keys(words)]
  .filter((name) => name !== "L")
  .sort((a, b) => b.length - a.length);
/** Words as they stand in names of methods and in sentences, the longest first. */
const WORD = new RegExp(
  `(?<![\\w-])(?:${NAMES.map((name) => name.replace(ESCAPED, "\\$&")).join("|")}|L\\d+)(?![\\w-])`,
  "g",
);

/**
 * A text cut into words that are explained, each where it first stands, and what is between them.
 * @param {string} text
 * @param {Set<string>} [seen]
 * @returns {{ text: string, tip: string }[]}
 */
export function partsOf(text, seen = new Set()) {
  const parts = [];
  let end = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (seen.has(word)) continue;
    seen.add(word);
    if (index > end) parts.push({ text: text.slice(end, index), tip: "" });
    parts.push({ text: word, tip: explainedWord(word) });
    end = index + word.length;
  }
  return end < text.length ? [...parts, { text: text.slice(end), tip: "" }] : parts;
}

/**
 * The words of methods' titles that are explained, each once; "L5" stands for all sizes.
 * @param {string[]} titles
 */
export function wordsIn(titles) {
  return [...new Set(titles.flatMap((title) => title.replace(/\bL\d+\b/g, "L5").match(WORD) ?? []))];
}
