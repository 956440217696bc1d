// The page for watching. What is on comes from the media's index, the counts from the catalogue, and either
// may be missing: then the rest goes on. The live channel mends itself, because nobody sits beside a screen.
"use strict";

(() => {
  const page = document.querySelector("[data-watch]");
  if (!page) return;

  const AGAIN = 3000; // ms from a failure to the next attempt
  const COUNTED = 1200; // ms until an edge asks the catalogue anew: what it was told, it tells others for a second
  const PAUSED = 5000; // ms without a new picture, after which the live channel is said to pause
  const SILENT = 20000; // ms without any word of the live channel, after which it is joined anew
  const FRESH = 3; // playlists with something new that did not help: the channel is joined anew then, too
  const LAG = 20; // seconds behind live, after which going on from a pause jumps ahead
  const KINDS = { video: "Film", audio: "Music", live: "Live" };
  const { media, live, catalogue } = page.dataset;
  const one = (name) => document.querySelector(`[data-${name}]`);
  const all = (name) => [...document.querySelectorAll(`[data-${name}]`)];
  const video = one("video");
  const quality = one("quality");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  const plays = new Map(); // a title's id to how often it was played, as far as the catalogue said
  let chosen = null; // the title on the screen; the live channel is one too
  let session = null; // one start of a title: the play to record
  let engine = null; // hls.js, while it plays
  let wanted = false; // whether the visitor wants it to play: a broken stream pauses without being asked to
  let audioOnly = ""; // the playlist of the title's sound alone, where it has one
  let position = 0; // seconds into the title: what is opened anew goes on there
  let retry = 0; // the timer of the next attempt
  let repairs = 0; // of the decoder, since the title was opened
  let seen = {}; // what the watch over the live channel saw last

  // Words

  const times = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  function clock(seconds) {
    const whole = Math.round(seconds);
    const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    if (!parts[0]) parts.shift();
    return parts.map((part, at) => (at ? String(part).padStart(2, "0") : part)).join(":");
  }

  function say(text, again = null) {
    if (one("message").textContent !== text) one("message").textContent = text;
    one("again").hidden = !again;
    one("again").onclick = again;
  }

  function fill(element, text) {
    element.textContent = text;
    element.hidden = !text;
  }

  async function ask(path, options = {}) {
    const response = await fetch(path, { signal: AbortSignal.timeout(15000), ...options });
    const { ok, status } = response;
    if (!ok) throw Object.assign(new Error(`status ${status}`), { status });
    return response;
  }

  // The catalogue: without it there are no counts, and nothing else is missing

  async function count() {
    if (!catalogue) return;
    try {
      const answer = await (await ask(`${catalogue}titles`, { cache: "no-store" })).json();
      const titles = Array.isArray(answer) ? answer : answer.titles;
      for (const title of titles) plays.set(title.id, title.plays ?? 0);
      const sums = await (await ask(`${catalogue}counts`, { cache: "no-store" })).json();
      const shown = [times(sums.plays, "play"), times(sums.viewers, "viewer"), times(sums.titles, "title")];
      fill(one("counts"), `The catalogue counts ${shown[0]}, ${shown[1]}, ${shown[2]}.`);
    } catch {
      plays.clear();
      fill(one("counts"), "");
    }
    showPlays();
  }

  function showPlays() {
    const words = (id) => (plays.has(id) ? times(plays.get(id), "play") : "");
    for (const tile of all("id")) fill(tile.querySelector("[data-slot=plays]"), words(tile.dataset.id));
    fill(one("plays"), words(chosen?.id));
  }

  // The identifier stays the same over all attempts, so a play whose answer was lost is not counted twice.
  async function record(play, left = 8) {
    const path = `${catalogue}titles/${encodeURIComponent(play.title)}/plays`;
    const body = JSON.stringify({ id: play.id, seconds: null });
    try {
      await ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      setTimeout(count, COUNTED);
    } catch (error) {
      const refused = error.status >= 400 && error.status < 500 && error.status !== 429;
      if (left && !refused) setTimeout(() => record(play, left - 1), AGAIN);
    }
  }

  // The screen

  function choose(title, play) {
    if (title === chosen && engine) return void resume();
    close();
    [chosen, wanted, audioOnly, position] = [title, play, "", 0];
    session = { id: crypto.randomUUID(), title: title.id, started: false };
    fill(one("kind"), KINDS[title.kind]);
    one("kind").classList.toggle("on", title.kind === "live");
    one("name").textContent = title.name;
    fill(one("note"), title.note ?? "");
    one("empty").hidden = true;
    one("menu").hidden = true;
    quality.replaceChildren();
    video.poster = title.poster;
    video.setAttribute("aria-label", `Player: ${title.name}`);
    one("start").setAttribute("aria-label", `Play ${title.name}`);
    one("start").hidden = play;
    for (const tile of all("id")) tile.setAttribute("aria-current", String(tile.dataset.id === title.id));
    one("tune")?.setAttribute("aria-current", String(title.kind === "live"));
    for (const cell of all("only")) cell.hidden = cell.dataset.only !== title.kind;
    say("");
    showPlays();
    readout.clear();
    if (play) open();
  }

  function watch(title) {
    choose(title, true);
    one("start").hidden = true;
    video.focus({ preventScroll: true });
    page.scrollIntoView({ behavior: calm.matches ? "auto" : "smooth", block: "nearest" });
  }

  function resume() {
    wanted = true;
    video.play().catch(() => {}); // a browser that wants a press of the button first has its own to press
  }

  function close() {
    clearTimeout(retry);
    engine?.destroy();
    engine = null;
    const now = performance.now();
    seen = { time: -1, at: now, heard: now, number: -1, fresh: 0 };
  }

  function open(at = -1) {
    close();
    video.controls = true;
    if (window.Hls?.isSupported()) stream(at);
    else if (video.canPlayType("application/vnd.apple.mpegurl")) hand(at);
    else return say("This browser can play no HLS streams. A current Firefox, Chrome, Edge or Safari can.");
    if (wanted) resume();
    if ("mediaSession" in navigator) {
      navigator.mediaSession.metadata = new MediaMetadata({ title: chosen.name });
    }
  }

  function stream(at) {
    const waits = { maxTimeToFirstByteMs: 6000, maxLoadTimeMs: 60000 };
    const again = { maxNumRetry: 60, retryDelayMs: 500, maxRetryDelayMs: 4000 };
    const patient = { default: { ...waits, timeoutRetry: again, errorRetry: again } };
    const hls = new Hls({
      startPosition: at,
      backBufferLength: 30,
      fragLoadPolicy: patient,
      playlistLoadPolicy: patient,
      liveSyncDurationCount: 3,
      liveMaxLatencyDurationCount: 10,
      maxLiveSyncPlaybackRate: 1.05,
    });
    engine = hls;
    hls.on(Hls.Events.MANIFEST_LOADED, (_, data) => offer(hls, data));
    hls.on(Hls.Events.LEVEL_LOADED, (_, data) => hls === engine && follow(data.details));
    hls.on(Hls.Events.FRAG_LOADED, (_, data) => hls === engine && readout.lay(data));
    hls.on(Hls.Events.ERROR, (_, data) => hls === engine && data.fatal && mend(hls, data));
    hls.loadSource(audioOnly || chosen.master);
    hls.attachMedia(video);
  }

  // Where the browser plays HLS by itself and gives no script a hand in it: there is no menu then.
  function hand(at) {
    engine = {
      destroy() {
        video.removeAttribute("src");
        video.load();
      },
    };
    video.src = chosen.master;
    if (at > 0) video.addEventListener("loadedmetadata", () => (video.currentTime = at), { once: true });
  }

  // Qualities

  // hls.js plays no variant without a picture where others have one: the sound alone is found in what the
  // master playlist lists, which is handed out when the levels to play have been chosen from it.
  function offer(hls, data) {
    if (audioOnly || chosen.kind === "live") return;
    const mute = (level) => level.audioCodec && !level.videoCodec && !level.attrs.RESOLUTION;
    const sound = data.levels.find(mute) ?? data.audioTracks?.[0];
    const alone = hls.levels.some((level) => level.height) && sound?.url;
    const picked = Number(quality.value || -1);
    const options = [new Option("automatic", "-1"), ...hls.levels.map((level, at) => label(level, at))];
    if (alone) options.push(new Option("sound only", alone));
    quality.replaceChildren(...options);
    one("menu").hidden = options.length < 3;
    if (picked < 0 || !hls.levels[picked]) return;
    quality.value = String(picked);
    hls.nextLevel = picked;
  }

  function label(level, at) {
    const known = (chosen.renditions ?? []).find((each) => each.bandwidth === level.bitrate);
    const name = known?.name ?? (level.height ? `${level.height}p` : "sound");
    const size = level.width ? `${level.width} × ${level.height}, ` : "";
    return new Option(`${name}: ${size}${readout.bits(level.bitrate)}`, String(at));
  }

  function pick() {
    const alone = Number.isNaN(Number(quality.value));
    if (!alone && !audioOnly) return void (engine.nextLevel = Number(quality.value));
    audioOnly = alone ? quality.value : "";
    open(position);
  }

  // What goes wrong

  function mend(hls, data) {
    const { MEDIA_ERROR, NETWORK_ERROR } = Hls.ErrorTypes;
    if (chosen.kind === "live") return wait("The live channel has paused. It goes on by itself.");
    if (data.type === MEDIA_ERROR && repairs < 2) {
      repairs += 1;
      hls.recoverMediaError();
      return void (wanted && resume());
    }
    if (data.type !== NETWORK_ERROR) return fail(`This browser could not decode “${chosen.name}”.`);
    const status = data.response?.code;
    if (status === 404 || status === 403) return fail(`“${chosen.name}” is missing from the media bucket.`);
    wait(`“${chosen.name}” does not arrive at the moment. The player keeps asking for it.`);
  }

  function fail(text) {
    close();
    say(text, () => {
      wanted = true;
      open(place());
    });
  }

  // What is in the buffer plays on meanwhile: a stream is opened anew only where it never was open.
  function wait(text) {
    say(text);
    clearTimeout(retry);
    const begun = engine?.levels?.length && engine.media?.readyState > 0;
    retry = setTimeout(() => (begun ? engine.startLoad() : open(place())), AGAIN);
  }

  const place = () => (chosen.kind === "live" ? -1 : position || -1);

  // Each playlist of the live channel. An encoder that began anew may count its segments from the start.
  function follow(details) {
    seen.heard = performance.now();
    if (chosen.kind !== "live") return;
    if (details.endSN < seen.number) return void setTimeout(open);
    if (details.endSN > seen.number) seen.fresh += 1;
    seen.number = details.endSN;
  }

  function guard(now) {
    if (chosen?.kind !== "live" || !wanted || !engine) return;
    if (video.currentTime !== seen.time) {
      if (seen.time >= 0 && video.readyState > 2) say("");
      return void Object.assign(seen, { time: video.currentTime, at: now, fresh: 0 });
    }
    if (now - seen.at < PAUSED) return;
    say("The live channel has paused. It goes on by itself.");
    const silent = now - Math.max(seen.heard, seen.at) > SILENT;
    if (seen.fresh >= FRESH || silent) open();
  }

  function show() {
    guard(performance.now());
    if (engine) readout.show(engine, video);
  }

  // What is on

  function shelve(title) {
    const item = one("tile").content.cloneNode(true);
    const slot = (name) => item.querySelector(`[data-slot=${name}]`);
    const button = item.querySelector("button");
    button.dataset.id = title.id;
    slot("name").textContent = title.name;
    fill(slot("note"), title.note ?? "");
    slot("length").textContent = clock(title.seconds);
    slot("poster").addEventListener("error", (event) => event.target.remove());
    slot("poster").src = title.poster;
    button.addEventListener("click", () => watch(title));
    return item;
  }

  async function find() {
    const base = new URL(media, location);
    try {
      const answer = await (await ask(`${media}index.json`)).json();
      const path = (name) => new URL(name, base).pathname;
      return answer.titles.map((each) => ({ ...each, master: path(each.master), poster: path(each.poster) }));
    } catch (error) {
      if (error.status === 404) return [];
      const why = error.status ? `the edge answered with ${error.message}` : "no edge answered";
      say(`The list of films could not be fetched: ${why}.`, start);
      return null;
    }
  }

  function channel() {
    const poster = one("tune").querySelector("img");
    const note = one("tune").querySelector(".note").textContent;
    const title = { id: "", name: "The live channel", kind: "live", note, master: live };
    return { ...title, poster: poster.currentSrc || poster.src };
  }

  async function start() {
    say("");
    if (!chosen) one("name").textContent = "Looking for what is on";
    const titles = await find();
    for (const shelf of all("shelf")) {
      const fitting = (titles ?? []).filter((title) => title.kind === shelf.dataset.shelf);
      shelf.querySelector("ul").replaceChildren(...fitting.map(shelve));
      shelf.hidden = !fitting.length;
    }
    const [words, action] = [one("message").textContent, one("again").onclick];
    const first = titles?.find((title) => title.kind === "video") ?? titles?.[0] ?? channels[0];
    if (first && !chosen) choose(first, false);
    if (!first) one("name").textContent = "Nothing is on";
    if (titles === null) say(words, action);
    else if (!titles.length) say("No films and no music have been published yet.", start);
    await count();
  }

  const channels = live ? [channel()] : [];
  one("tune")?.addEventListener("click", () => watch(channels[0]));
  one("start").addEventListener("click", () => watch(chosen));
  quality.addEventListener("change", pick);
  video.addEventListener("timeupdate", () => {
    if (engine && video.readyState > 1) position = video.currentTime;
  });
  video.addEventListener("pause", () => {
    if (engine && !video.ended) wanted = false;
  });
  video.addEventListener("play", () => {
    wanted = true;
    if (engine?.latency > LAG && engine.liveSyncPosition) video.currentTime = engine.liveSyncPosition;
  });
  video.addEventListener("playing", () => {
    say("");
    if (session.started || chosen.kind === "live") return;
    session.started = true;
    if (catalogue) record(session);
  });
  // hls.js sees to its own errors; this is for the browser's own player.
  video.addEventListener("error", () => {
    if (engine && !engine.levels) wait(`“${chosen.name}” does not arrive. The player keeps asking for it.`);
  });
  setInterval(show, 500);
  start();
})();
