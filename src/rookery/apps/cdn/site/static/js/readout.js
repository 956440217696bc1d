// How the segments arrive: the band of figures under the screen, and an egg for each segment.
"use strict";

const readout = (() => {
  const KEPT = 48; // eggs shown
  const NEAR = new Set(["HIT", "STALE", "UPDATING", "REVALIDATED"]); // the edge had it
  const SVG = "http://www.w3.org/2000/svg";
  const one = (name) => document.querySelector(`[data-${name}]`);
  let segments = []; // the latest ones, latest last

  const number = (value, digits = 1) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  function bytes(size) {
    return size >= 1e6 ? `${number(size / 1e6)}\u00a0MB` : `${number(size / 1e3, 0)}\u00a0kB`;
  }

  function bits(rate) {
    if (rate >= 1e8) return `${number(rate / 1e6, 0)}\u00a0Mbit/s`;
    return rate >= 1e6 ? `${number(rate / 1e6)}\u00a0Mbit/s` : `${number(rate / 1e3, 0)}\u00a0kbit/s`;
  }

  // What has not changed is left alone: a page that only looks new makes work for screen readers.
  function read(name, value, detail = "\u00a0") {
    const [cell, small] = [one(`read="${name}"`), one(`detail="${name}"`)];
    if (cell.textContent !== value) cell.textContent = value;
    if (small.textContent !== detail) small.textContent = detail;
  }

  function clear() {
    segments = [];
    one("eggs").replaceChildren();
    one("clutch").textContent = "Each segment that arrives lays an egg here.";
    for (const cell of document.querySelectorAll("[data-read]")) read(cell.dataset.read, "–");
  }

  // Takes what hls.js says of a fragment that was loaded, by either of its loaders.
  function lay({ frag, payload, networkDetails: answer }) {
    const header = (name) => answer?.getResponseHeader?.(name) ?? answer?.headers?.get?.(name) ?? "";
    const { loading, total } = frag.stats;
    const size = payload?.byteLength || total;
    const rate = (8 * size) / frag.duration;
    const [cache, edge] = [header("X-Cache") || "not said", header("X-Served-By") || "no name given"];
    segments.push({ cache, edge, time: loading.end - loading.start, rate, size });
    if (segments.length > KEPT) segments.shift();
    read("segment", cache, `${edge}, ${number(loading.end - loading.start, 0)}\u00a0ms, ${bytes(size)}`);
    one("eggs").append(egg(NEAR.has(cache)));
    while (one("eggs").childElementCount > KEPT) one("eggs").firstElementChild.remove();
    one("clutch").textContent = summary();
  }

  function egg(near) {
    const svg = document.createElementNS(SVG, "svg");
    const shape = document.createElementNS(SVG, "ellipse");
    svg.setAttribute("viewBox", "0 0 20 26");
    shape.setAttribute("class", near ? "egg copy" : "egg coding");
    for (const [name, value] of Object.entries({ cx: 10, cy: 13, rx: 8, ry: 11 })) {
      shape.setAttribute(name, value);
    }
    svg.append(shape);
    return svg;
  }

  function summary() {
    const near = segments.filter((each) => NEAR.has(each.cache)).length;
    const edges = new Map();
    for (const each of segments) edges.set(each.edge, (edges.get(each.edge) ?? 0) + 1);
    const shares = [...edges].sort().map(([edge, sent]) => `${edge} sent ${sent}`);
    const whole = segments.length === 1 ? "One segment" : `The last ${segments.length} segments`;
    const behind = segments.length - near;
    return `${whole}: ${near} out of an edge’s cache, ${behind} from behind it. ${shares.join(", ")}.`;
  }

  function ahead(video) {
    for (let at = 0; at < video.buffered.length; at += 1) {
      const [from, to] = [video.buffered.start(at), video.buffered.end(at)];
      if (from <= video.currentTime + 0.1 && video.currentTime <= to) return to - video.currentTime;
    }
    return 0;
  }

  function show(engine, video) {
    if (video.readyState < 1) return;
    const last = segments.at(-1);
    const rate = engine.levels?.[engine.currentLevel]?.bitrate || last?.rate;
    const picture = video.videoWidth > 0;
    const sizes = [picture && `${video.videoWidth}\u00a0×\u00a0${video.videoHeight}`, rate && bits(rate)];
    read("rendition", picture ? `${video.videoHeight}p` : "sound", sizes.filter(Boolean).join(", "));
    if (last && engine.bandwidthEstimate) read("bandwidth", bits(engine.bandwidthEstimate));
    read("buffer", `${number(ahead(video))}\u00a0s`);
    const frames = picture && video.getVideoPlaybackQuality?.();
    if (frames) {
      const { droppedVideoFrames: dropped, totalVideoFrames: total } = frames;
      read("dropped", String(dropped), `of ${total.toLocaleString("en")}`);
    } else {
      read("dropped", "–");
    }
    if (engine.latency && one('read="latency"')) read("latency", `${number(engine.latency)}\u00a0s`);
  }

  return { bits, clear, lay, show };
})();
