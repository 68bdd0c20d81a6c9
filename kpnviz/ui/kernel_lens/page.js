// The lens on a page of its own, which needs no server: what Streamlit does in the app. It follows the lens' scripts.

// The bytes that an element holds as base64 of gzip.
async function bytesIn(element) {
  const text = atob(element.textContent);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Other assumed noise, where the page holds it, goes where the lens looks for it.
async function bringAssumed(burst) {
  const brought = new Map();
  for (const element of document.querySelectorAll("[data-method]"))
    brought.set(element.dataset.method, readArrays(...readHeader(await bytesIn(element))));
  if (brought.size) globalThis.kpnvizAssumed = { burst, methods: [...brought.keys()], brought };
}

async function openPage() {
  const data = await bytesIn(document.getElementById("payload"));
  const [order, payload] = readHeader(data);
  const [{ id, burst }] = readHeader(payload);
  await bringAssumed(burst);
  const parentElement = document.getElementById("lens").attachShadow({ mode: "open" }); // its styles stay inside
  parentElement.append(document.getElementById("parts").content);

  // What a person chooses is kept in the tab's history: the page shows it again when it is loaded again.
  const before = history.state?.id === id ? history.state : null;
  const now = before ?? { id, pinned: order.pinned, display: order.display };
  const setTriggerValue = (name, value) => {
    now[name] = name === "pinned" ? value.at : value;
    history.replaceState(now, "");
  };
  const show = () => showLens({ data, parentElement, setTriggerValue });
  show();
  if (before) parentElement.querySelector(".lens").lens.follow({ number: order.number, ...before });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show); // the lens takes the theme's colors anew
}

openPage();
