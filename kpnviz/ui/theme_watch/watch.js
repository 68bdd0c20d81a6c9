// Streamlit calls this for every run of the script and for every change of the theme.

let told = null; // what Python was last told; it is told once

export default function ({ data, parentElement, setTriggerValue }) {
  const element = parentElement.host ?? parentElement;
  const [r, g, b] = getComputedStyle(element)
    .color.match(/[\d.]+/g)
    .map(Number);
  const dark = r + g + b > 384; // light text
  if (dark === data.dark) told = null;
  else if (dark !== told) setTriggerValue("dark", (told = dark));
}
