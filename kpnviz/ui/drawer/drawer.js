// Closes the sidebar of a narrow window when a page was chosen in it, and that of a telephone that was turned on its side.

const COVERED = matchMedia("(max-width: 768px)"); // so narrow, Streamlit lays the sidebar over the page
const ON_ITS_SIDE = matchMedia("(max-height: 500px) and (hover: none)");
const TURNING_MS = 500; // until Streamlit has opened it beside the page

const close = () =>
  document
    .querySelector("[data-testid=stSidebar][data-collapsed=false] [data-testid=stSidebarCollapseButton] button")
    ?.click();

function closeDrawer({ target }) {
  if (!COVERED.matches || !target.closest("[data-testid=stSidebarNavLink]")) return;
  setTimeout(close); // after Streamlit has taken the click
}

// On its side a telephone is wide enough for Streamlit to open the sidebar, which would take a third of the little there is.
function makeRoom() {
  if (ON_ITS_SIDE.matches) setTimeout(close, TURNING_MS);
}

// Streamlit calls this for every run of the script and on every page: one listener serves all, as long as the tab is open.
export default function () {
  if (globalThis.kpnvizDrawer) return;
  globalThis.kpnvizDrawer = true;
  document.addEventListener("click", closeDrawer);
  ON_ITS_SIDE.addEventListener("change", makeRoom);
  makeRoom();
}
