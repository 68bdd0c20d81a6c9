const SAID_MS = 2000; // how long a button says that it has copied

// The address of the page with these names of its query, in teacher mode or without it.
function linkOf(address, names, teach) {
  const url = new URL(address);
  for (const name of [...url.searchParams.keys()])
    if (name !== "v" && !names.includes(name)) url.searchParams.delete(name);
  if (teach) url.searchParams.set("teach", "1");
  url.search = url.search.replaceAll("%7E", "~"); // as Python writes it
  return url.href;
}

class Share {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    for (const name of ["plain", "teach"]) {
      const button = this.find(`.${name}`);
      button.addEventListener("click", () =>
        this.copy(button, linkOf(window.location.href, this.names, name === "teach")),
      );
    }
    this.find(".close").addEventListener("click", () => this.close());
    this.find(".by-hand").addEventListener("keydown", (event) => {
      event.stopPropagation(); // letters are Streamlit's shortcuts
      if (event.key === "Escape") this.close();
    });
  }

  update({ names, what }) {
    this.names = names;
    this.find(".plain").title = `Copies the link to ${what}`;
    this.find(".teach").title = `Copies the link to ${what}, in teacher mode: larger type, the controls folded away`;
  }

  async copy(button, link) {
    this.close();
    try {
      await navigator.clipboard.writeText(link); // there is no clipboard where the page came by http
    } catch {
      this.showByHand(link);
      return;
    }
    button.dataset.label ??= button.textContent;
    button.textContent = "Copied ✓";
    button.classList.add("copied");
    this.find(".live").textContent = "The link is copied.";
    clearTimeout(button.timer);
    button.timer = setTimeout(() => {
      button.textContent = button.dataset.label;
      button.classList.remove("copied");
      this.find(".live").textContent = "";
    }, SAID_MS);
  }

  showByHand(link) {
    const input = this.find("input");
    this.find(".by-hand").hidden = false;
    input.value = link;
    input.focus();
    input.select();
  }

  close() {
    this.find(".by-hand").hidden = true;
  }
}

const shares = new WeakMap();

// Called again for every run of the script.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".share");
  if (!shares.has(root)) shares.set(root, new Share(root));
  shares.get(root).update(data);
}
