// Numbers as they are written, and elements as they are made.

const DIGITS = 4; // of intensities

// A true minus sign, and no minus before zero.
const signed = (value, digits = DIGITS) =>
  (Number(value.toFixed(digits)) || 0).toFixed(digits).replace("-", "−");
const plus = (value, digits) => (Number(value.toFixed(digits)) > 0 ? "+" : "") + signed(value, digits);
const offset = (shift) => `(${shift.map((d) => plus(d, Number.isInteger(d) ? 0 : 1)).join(", ")})`; // half pixels

// How many digits after the point the ticks of a color scale have that ends at `high`: two that count.
const tickDigits = (high) => (high >= 10 ? 1 : Math.max(2, 1 - Math.floor(Math.log10(high))));

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

function makeButton(className, title, ...children) {
  const button = make("button", className, ...children);
  button.type = "button";
  button.title = title;
  return button;
}
