// The lens as a picture to take away: what is on the page, drawn again on one canvas.

/** @import { Context } from "./types" */

import { contextOf } from "./paint.js";

const LEFT_OUT =
  ".hint, .pin, .tools, .tabs, .options, label:not(.show, .against, .of-frame, .of-channel, .series), dialog, .note, .rule, .live, .handle, .roll-bar, .tip, [hidden]";
const FIGURE_MARGIN = 16; // CSS pixels

/**
 * A canvas with the pictures, kernels, scales and numbers of a lens, at `scale` pixels a CSS pixel.
 * @param {HTMLElement} root
 */
function drawFigure(root, scale = 2) {
  const origin = root.getBoundingClientRect();
  const bottoms = [...root.querySelectorAll(".film, .foot, .rows")].map((part) => part.getBoundingClientRect().bottom);
  const height = Math.max(...bottoms) - origin.top;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round((origin.width + 2 * FIGURE_MARGIN) * scale);
  canvas.height = Math.round((height + 2 * FIGURE_MARGIN) * scale);
  const context = contextOf(canvas);
  context.scale(scale, scale);
  context.fillStyle = getComputedStyle(root).getPropertyValue("--paper");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.translate(FIGURE_MARGIN - origin.left, FIGURE_MARGIN - origin.top);
  context.imageSmoothingEnabled = false;
  drawElement(context, root);
  return canvas;
}

/**
 * @param {Context} context
 * @param {Element} element
 */
function drawElement(context, element) {
  const style = getComputedStyle(element);
  if (element.matches(LEFT_OUT) || style.display === "none") return;
  const { left, top, width, height } = element.getBoundingClientRect();
  if (element instanceof HTMLCanvasElement) {
    context.globalAlpha = Number(style.opacity);
    context.drawImage(element, left, top, width, height);
    context.globalAlpha = 1;
    return;
  }
  if (element instanceof HTMLSelectElement) {
    context.font = `${style.fontSize} ${style.fontFamily}`;
    context.fillStyle = style.color;
    context.textBaseline = "middle";
    return context.fillText(element.selectedOptions[0]?.text ?? "", left, top + height / 2);
  }
  if (element instanceof SVGElement) return drawIcon(context, element, style, left, top, width);
  if (element instanceof HTMLElement && element.matches(".ramp")) {
    const colors = (element.dataset.colors ?? "").split(" ");
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
    if (node instanceof Text) drawText(context, node, style);
    else if (node instanceof Element) drawElement(context, node);
  }
  context.restore();
}

/**
 * Word by word: a text may be in several lines.
 * @param {Context} context
 * @param {Text} node
 * @param {CSSStyleDeclaration} style
 */
function drawText(context, node, style) {
  context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  context.fillStyle = style.color;
  context.textBaseline = "middle";
  const range = document.createRange();
  for (const { 0: word, index } of node.data.matchAll(/\S+/g)) {
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    const box = range.getBoundingClientRect();
    context.fillText(word, box.left, box.top + box.height / 2);
  }
}

/**
 * The marks of the legend: paths and circles in a view box of 12 units.
 * @param {Context} context
 * @param {SVGElement} svg
 * @param {CSSStyleDeclaration} style
 * @param {number} left
 * @param {number} top
 * @param {number} width
 */
function drawIcon(context, svg, style, left, top, width) {
  const mark = svg.firstElementChild;
  if (!mark) return;
  const path = new Path2D(mark.getAttribute("d") ?? undefined);
  if (mark.tagName === "circle") path.arc(6, 6, Number(mark.getAttribute("r")), 0, 2 * Math.PI);
  context.save();
  context.translate(left, top);
  context.scale(width / 12, width / 12);
  context.strokeStyle = style.stroke;
  context.lineWidth = parseFloat(style.strokeWidth);
  context.stroke(path);
  if (style.fill !== "none") {
    context.fillStyle = style.fill;
    context.fill(path);
  }
  context.restore();
}

/**
 * Let the browser save the lens as a PNG file.
 * @param {HTMLElement} root
 * @param {string} name
 */
export function saveFigure(root, name) {
  drawFigure(root).toBlob((blob) => {
    if (!blob) return;
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(blob);
    anchor.download = name;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
  }, "image/png");
}
