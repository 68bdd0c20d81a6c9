// What the guided scene says, and of which burst: scene.json.

import TEXTS from "./scene.json";

/** @typedef {{ name: string, title: string, text: string, paper: string, left: string, right: string, ways?: string[][] }} StepTexts */

export const SCENE = JSON.parse(TEXTS);

/** @type {StepTexts[]} */
export const TEXT = SCENE.steps;
