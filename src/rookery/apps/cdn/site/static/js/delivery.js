// The panel that asks an edge. It goes past the browser's cache (no-store), so each answer is the edge's own.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const KEPT = 12;
  const panel = document.querySelector("[data-probe]");
  if (!panel) return;

  const target = panel.querySelector("select");
  const verdict = panel.querySelector("[data-verdict]");
  const log = panel.querySelector("[data-log]");
  const cells = [...panel.querySelectorAll("[data-header]")];
  const etags = new Map();
  const past = [];

  function wanted(kind, path) {
    const headers = new Headers();
    if (kind === "range") headers.set("Range", "bytes=0-99");
    if (kind === "changed" && etags.has(path)) headers.set("If-None-Match", etags.get(path));
    return { cache: "no-store", headers };
  }

  function meaning(response, bytes) {
    if (response.status === 304) return "not changed, so nothing was sent";
    if (response.status === 206) return `a part, ${bytes} bytes`;
    return `${bytes.toLocaleString("en")} bytes`;
  }

  function bar(entry, slowest) {
    const item = document.createElement("li");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 100 10");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("width", String(Math.max(1, (100 * entry.time) / slowest)));
    rect.setAttribute("height", "10");
    rect.setAttribute("class", entry.cache === "MISS" || entry.cache === "EXPIRED" ? "far" : "near");
    svg.append(rect);
    const words = document.createElement("span");
    words.textContent = `${entry.time.toFixed(1)} ms  ${entry.status}  ${entry.cache}  ${entry.edge}`;
    item.append(svg, words);
    return item;
  }

  function show(response, bytes, time) {
    for (const cell of cells) cell.textContent = response.headers.get(cell.dataset.header) ?? "not sent";
    const cache = response.headers.get("x-cache") ?? "–";
    const edge = response.headers.get("x-served-by") ?? "–";
    verdict.textContent = `${response.status} in ${time.toFixed(1)} ms: ${meaning(response, bytes)}.`;
    past.push({ time, status: response.status, cache, edge });
    if (past.length > KEPT) past.shift();
    const slowest = Math.max(...past.map((entry) => entry.time));
    log.replaceChildren(...past.map((entry) => bar(entry, slowest)));
  }

  async function ask(kind) {
    const path = target.value;
    const start = performance.now();
    try {
      const response = await fetch(path, wanted(kind, path));
      const body = await response.arrayBuffer();
      if (response.headers.has("etag")) etags.set(path, response.headers.get("etag"));
      show(response, body.byteLength, performance.now() - start);
    } catch (error) {
      verdict.textContent = `No answer: ${error.message}. Neither this edge nor another could be reached.`;
    }
  }

  panel.addEventListener("click", (event) => {
    const button = event.target.closest("[data-ask]");
    if (button) ask(button.dataset.ask);
  });
  panel.hidden = false;
  ask("plain");
})();
