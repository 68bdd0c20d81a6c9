// Closes the sidebar of a narrow window when a page was chosen in it.

const COVERED = matchMedia("(max-width: 768px)"); // so narrow, Streamlit lays the sidebar over the page

function closeDrawer({ target }) {
  if (!COVERED.matches || !target.closest("[data-testid=stSidebarNavLink]")) return;
  // After Streamlit has taken the click.
  setTimeout(() => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click());
}

// Streamlit calls this for every run of the script; the page before may have left its listener, which is the same.
export default function () {
  document.addEventListener("click", closeDrawer);
  return () => document.removeEventListener("click", closeDrawer);
}
