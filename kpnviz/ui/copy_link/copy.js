const SAID_MS = 2000; // how long a button says that it has copied

// The address of the page, in teacher mode or without it.
function linkOf(address, teach) {
  const url = new URL(address);
  if (teach) url.searchParams.set("teach", "1");
  else url.searchParams.delete("teach");
  url.search = url.search.replaceAll("%7E", "~"); // as Python writes it
  return url.href;
}

class Share {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    for (const name of ["plain", "teach"]) {
      const button = this.find(`.${name}`);
      button.addEventListener("click", () => this.copy(button, linkOf(window.location.href, name === "teach")));
    }
    this.find(".close").addEventListener("click", () => this.close());
    this.find(".by-hand").addEventListener("keydown", (event) => {
      event.stopPropagation(); // letters are Streamlit's shortcuts
      if (event.key === "Escape") this.close();
    });
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

const shares = new WeakSet();

// Called again for every run of the script.
export default function ({ parentElement }) {
  const root = parentElement.querySelector(".share");
  if (shares.has(root)) return;
  shares.add(root);
  new Share(root);
}
