// A line of buttons that is swiped where it is longer than its place: its ends fade where there is more.

const FADE = "2.2rem";

/** @param {HTMLElement} line  whose contents are scrolled sideways */
export function fadeEdges(line) {
  const fade = () => {
    const { scrollLeft, scrollWidth, clientWidth } = line;
    const [before, after] = [scrollLeft > 1, scrollLeft < scrollWidth - clientWidth - 1];
    line.classList.toggle("more-after", after);
    line.style.maskImage =
      before || after
        ? `linear-gradient(to right, ${before ? "transparent" : "black"}, black ${FADE} calc(100% - ${FADE}), ${after ? "transparent" : "black"})`
        : "";
  };
  line.addEventListener("scroll", fade, { passive: true });
  new ResizeObserver(fade).observe(line);
  fade();
  return fade;
}
