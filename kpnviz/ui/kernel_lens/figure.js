// The lens as a picture to take away: what is on the page, drawn again on one canvas.

const LEFT_OUT = ".hint, .pin, .tools, .tabs, .options, label:not(.show, .against, .of-frame), dialog, .note, .rule, .live, .handle, [hidden]";
const FIGURE_MARGIN = 16; // CSS pixels

// A canvas with the pictures, kernels, scales and numbers of a lens, at `scale` pixels a CSS pixel.
function drawFigure(root, scale = 2) {
  const origin = root.getBoundingClientRect();
  const bottoms = [...root.querySelectorAll(".film, .foot, .rows")].map((part) => part.getBoundingClientRect().bottom);
  const height = Math.max(...bottoms) - origin.top;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round((origin.width + 2 * FIGURE_MARGIN) * scale);
  canvas.height = Math.round((height + 2 * FIGURE_MARGIN) * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.fillStyle = getComputedStyle(root).getPropertyValue("--paper");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.translate(FIGURE_MARGIN - origin.left, FIGURE_MARGIN - origin.top);
  context.imageSmoothingEnabled = false;
  drawElement(context, root);
  return canvas;
}

function drawElement(context, element) {
  const style = getComputedStyle(element);
  if (element.matches(LEFT_OUT) || style.display === "none") return;
  const { left, top, width, height } = element.getBoundingClientRect();
  if (element.tagName === "CANVAS") {
    context.globalAlpha = Number(style.opacity);
    context.drawImage(element, left, top, width, height);
    context.globalAlpha = 1;
    return;
  }
  if (element.tagName === "SELECT") {
    context.font = `${style.fontSize} ${style.fontFamily}`;
    context.fillStyle = style.color;
    context.textBaseline = "middle";
    return context.fillText(element.selectedOptions[0]?.text ?? "", left, top + height / 2);
  }
  if (element.tagName === "svg") return drawIcon(context, element, style, left, top, width);
  if (element.matches(".ramp")) {
    const colors = element.dataset.colors.split(" ");
    const gradient = context.createLinearGradient(left, 0, left + width, 0);
    colors.forEach((color, i) => gradient.addColorStop(i / (colors.length - 1), color));
    context.fillStyle = gradient;
    return context.fillRect(left, top, width, height);
  }
  if (element.matches(".bar-box, .bar-box i, .progress, .progress i, .chip, .label b, .swatch")) {
    context.fillStyle = style.backgroundColor;
    context.fillRect(left, top, width, height);
  }
  context.save();
  if (element.matches(".rows, .stage, .chip")) {
    context.beginPath(); // what is scrolled or cut off on the page is so here
    context.rect(left, top, width, height);
    context.clip();
  }
  for (const node of element.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) drawText(context, node, style);
    else if (node.nodeType === Node.ELEMENT_NODE) drawElement(context, node);
  }
  context.restore();
}

// Word by word: a text may be in several lines.
function drawText(context, node, style) {
  context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  context.fillStyle = style.color;
  context.textBaseline = "middle";
  const range = document.createRange();
  for (const { 0: word, index } of node.textContent.matchAll(/\S+/g)) {
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    const box = range.getBoundingClientRect();
    context.fillText(word, box.left, box.top + box.height / 2);
  }
}

// The marks of the legend: paths and circles in a view box of 12 units.
function drawIcon(context, svg, style, left, top, width) {
  const mark = svg.firstElementChild;
  const path = new Path2D(mark.getAttribute("d") ?? undefined);
  if (mark.tagName === "circle") path.arc(6, 6, Number(mark.getAttribute("r")), 0, 2 * Math.PI);
  context.save();
  context.translate(left, top);
  context.scale(width / 12, width / 12);
  context.strokeStyle = style.stroke;
  context.lineWidth = parseFloat(style.strokeWidth);
  context.stroke(path);
  context.restore();
}

function saveFigure(root, name) {
  drawFigure(root).toBlob((blob) => {
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(blob);
    anchor.download = name;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
  }, "image/png");
}
