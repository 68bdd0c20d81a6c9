// Where a person drops a file, or chooses one.

import { make } from "./elements.js";

/**
 * A zone for one file. It is told the newest.
 * @param {string} label
 * @param {string} accept
 * @param {(file: File) => void} taken
 */
export function dropZone(label, accept, taken) {
  const input = make("input", { type: "file", accept });
  const zone = make("label", { className: "drop" }, make("span", {}, label), input);
  input.onchange = () => {
    const file = input.files?.[0];
    if (file) taken(file);
    input.value = ""; // the same file may be chosen again
  };
  zone.ondragover = (event) => {
    event.preventDefault();
    zone.classList.add("over");
  };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file) taken(file);
  };
  return zone;
}
