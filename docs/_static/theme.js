// Frames follow the theme that a reader chooses here. Their pages follow the system's (prefers-color-scheme), and a
// browser tells them nothing else; so the rules for dark are switched on or off in them. From file:// a page may not
// reach into its frames: there they follow the system.
const DARK = /prefers-color-scheme:\s*dark/;

function follow() {
  const chosen = document.body.dataset.theme;
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument;
    if (!page?.documentElement) continue;
    for (const sheet of page.styleSheets)
      for (const rule of sheet.cssRules) {
        if (!(rule instanceof frame.contentWindow.CSSMediaRule)) continue;
        rule.written ??= rule.media.mediaText;
        if (!DARK.test(rule.written)) continue;
        rule.media.mediaText = { dark: "all", light: "not all" }[chosen] ?? rule.written;
      }
    page.documentElement.style.colorScheme = chosen === "auto" ? "" : chosen;
    frame.contentWindow.dispatchEvent(new Event("resize")); // what is painted is painted anew
  }
}

new MutationObserver(follow).observe(document.body, { attributeFilter: ["data-theme"] });
document.addEventListener("load", follow, true);
addEventListener("load", follow);
