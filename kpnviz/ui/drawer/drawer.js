// Closes the sidebar of a narrow window when a page was chosen in it.

const COVERED = matchMedia("(max-width: 768px)"); // so narrow, Streamlit lays the sidebar over the page

function closeDrawer({ target }) {
  if (!COVERED.matches || !target.closest("[data-testid=stSidebarNavLink]")) return;
  // After Streamlit has taken the click.
  setTimeout(() => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click());
}

// Streamlit calls this for every run of the script and on every page: one listener serves all, as long as the tab is open.
export default function () {
  if (globalThis.kpnvizDrawer) return;
  globalThis.kpnvizDrawer = true;
  document.addEventListener("click", closeDrawer);
}
