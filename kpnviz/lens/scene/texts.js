// What the guided scene says, and of which burst: scene.json.

import TEXTS from "./scene.json";

/** What to go on with; page: of which it is the name, else it is on the next one. @typedef {{ title: string, what: string, page?: string, of?: "app" | "site" }} Way */
/** @typedef {{ name: string, title: string, text: string, paper: string, left: string, right: string, ways?: Way[] }} StepTexts */

export const SCENE = JSON.parse(TEXTS);

/** @type {StepTexts[]} */
export const TEXT = SCENE.steps;
