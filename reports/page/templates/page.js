"use strict";

const AT_FIRST = 6;  // films that are shown, and so decoded, before anybody asks for more

// One transport moves all films of a sample. The longest one leads: its clock is the time. The others are held to it: by a
// slightly other speed where they are off by more than a quarter of a frame, by a jump where that would take long. Whoever has
// to load is waited for by all, at the leader's time. Standing still, all show the same frame, in whose middle their clocks stand.
// One film at a time is heard; it leads those of its length, so that nobody hears its speed change.
class Player {
  constructor(root) {
    this.root = root;
    this.fps = Number(root.dataset.fps);
    this.clip = Number(root.dataset.clip);
    this.rows = [...root.querySelectorAll(".row")];
    this.films = [];
    this.time = 0;  // what was asked for: films may be shorter, or not know their length yet
    this.playing = false;
    this.waiting = false;
    this.heard = root.dataset.baseline;  // whose sound was asked for
    this.silent = false;
    const find = (name) => root.querySelector(name);
    this.button = find(".play");
    this.scrub = find(".scrub");
    this.clock = find(".clock");
    this.marks = find(".marks");
    this.signals = find(".signals");
    this.speeds = find(".speed");
    this.samples = find(".sample");
    find(".transport").hidden = find(".choice").hidden = false;
    this.offerVariants(find(".variants"));
    this.listen();
    this.rows.forEach((row, index) => { row.hidden = index > 0; row.querySelector(".sample-name").hidden = true; });
    this.samples.parentElement.hidden = this.rows.length < 2;
    // Films are decoded once they come near: a page of many tracks opens as fast as one of few.
    const near = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      this.choose(0);
    }, { rootMargin: "600px" });
    near.observe(root);
  }

  offerVariants(fieldset) {
    const names = [...new Set([...this.root.querySelectorAll("figure[data-variant]")].map((figure) => figure.dataset.variant))];
    const baseline = names.find((name) => name === this.root.dataset.baseline) ?? names[0];
    const others = names.filter((name) => name !== baseline && name !== this.root.dataset.true);
    const first = new Set([this.root.dataset.true, baseline, ...others.slice(0, AT_FIRST - 1)]);
    fieldset.hidden = names.length < 2;
    if (names.length > AT_FIRST) {
      this.offerMany(fieldset, "all", () => true);
      this.offerMany(fieldset, "baseline alone", (name) => name === baseline);
    }
    this.boxes = new Map(names.map((name) => {
      const label = document.createElement("label"), box = document.createElement("input");
      Object.assign(box, { type: "checkbox", checked: first.has(name) });
      box.addEventListener("change", () => {
        if (![...this.boxes.values()].some((other) => other.checked)) box.checked = true;  // one stays
        this.show();
      });
      label.append(box, name);
      fieldset.append(label);
      return [name, box];
    }));
  }

  offerMany(fieldset, text, wanted) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: text });
    button.addEventListener("click", () => {
      for (const [name, box] of this.boxes) box.checked = wanted(name);
      this.show();
    });
    fieldset.append(button);
  }

  listen() {
    this.button.addEventListener("click", () => this.toggle());
    this.scrub.addEventListener("input", () => this.go(this.middle(this.frame(Number(this.scrub.value)))));
    this.speeds.addEventListener("change", () => { this.keepSpeed(); this.takeKeys(); });
    this.samples.addEventListener("change", () => { this.choose(this.samples.selectedIndex); this.takeKeys(); });
    this.marks.addEventListener("click", (event) => this.goToClip(this.clipAt(event)));
    this.signals?.addEventListener("click", (event) => this.go(this.middle(this.frame(this.part(this.signals, event) * this.length))));
    this.marks.addEventListener("pointermove", (event) => {
      const clip = this.clipAt(event);
      this.marks.title = `clip ${clip + 1}, from ${(clip * this.clip).toFixed(1)} s`;
    });
    for (const button of this.root.querySelectorAll("[data-key]")) {
      button.addEventListener("click", () => this.press(button.dataset.key));
    }
    this.root.addEventListener("keydown", (event) => this.key(event));
    addEventListener("resize", () => this.drawMarks());
  }

  keepSpeed() { for (const { video } of this.films) video.playbackRate = this.speed; }

  // A list that has the focus has the keys too.
  takeKeys() { this.root.focus({ preventScroll: true }); }

  get speed() { return Number(this.speeds.value); }
  get lead() {
    const longest = this.films.reduce((long, film) => (film.length > long.length ? film : long), this.films[0]), voice = this.voice;
    return voice && voice.length > longest.length - 0.5 / this.fps ? voice : longest;
  }
  get voice() {
    const loud = this.films.filter((film) => film.sound);
    return loud.find((film) => film.variant === this.heard) ?? loud[0];
  }
  get length() { return this.films.length ? this.lead.length : 0; }
  get clips() { return Math.max(1, Math.round(this.length / this.clip)); }
  get lastFrame() { return Math.max(0, Math.round(this.length * this.fps) - 1); }
  get place() { return Math.min(Math.max(this.time, this.middle(0)), this.middle(this.lastFrame)); }
  frame(time) { return Math.floor(time * this.fps + 1e-3); }
  middle(frame) { return (Math.min(Math.max(frame, 0), this.lastFrame) + 0.5) / this.fps; }

  choose(index) {
    this.pause();
    for (const figure of this.root.querySelectorAll(".row:not([hidden]) figure[data-variant]")) this.shut(figure);
    this.rows.forEach((row, place) => { row.hidden = place !== index; });
    this.row = this.rows[index];
    this.show();
  }

  // Films of the ticked variants are opened, those of others closed; what is shown already plays on.
  show() {
    for (const figure of this.row?.querySelectorAll("figure[data-variant]") ?? []) {
      const wanted = this.boxes.get(figure.dataset.variant).checked;
      figure.hidden = !wanted;
      if (wanted === Boolean(figure.film)) continue;
      if (wanted) this.films.push(figure.film = new Film(figure, this)); else this.shut(figure);
    }
    this.tune();
    this.measure();
  }

  hear(film, on = true) {
    if (on) this.heard = film.variant;
    this.silent = !on;
    this.tune();
  }

  // A click on a film that is not heard is for its sound; else it plays or stops all.
  click(film) {
    const other = film.sound && (this.silent || film !== this.voice);
    if (other) this.hear(film);
    if (!other || !this.playing) this.toggle();
  }

  tune() {
    const voice = this.voice, row = String(this.rows.indexOf(this.row));
    for (const film of this.films) film.tune(film === voice && !this.silent);
    this.keepSpeed();  // who leads now may have been held back
    if (!this.signals) return;
    for (const drawn of this.signals.querySelectorAll("[data-row]")) {
      const { row: of, sound } = drawn.dataset;
      drawn.toggleAttribute("hidden", of !== row || (sound !== undefined && sound !== voice?.sound));
    }
    this.signals.classList.toggle("off", this.silent);
    this.signals.title = voice ? `The sound of ${voice.variant}` : "";
  }

  shut(figure) {
    figure.film?.close();
    this.films = this.films.filter((film) => film !== figure.film);
    figure.film = undefined;
  }

  // Which films are there, or how long they are, has changed.
  measure() {
    if (!this.length) return;
    this.scrub.max = this.length;
    this.drawMarks();
    this.tell();
  }

  ready(film) {
    this.measure();
    film.aim(this.place);
  }

  go(time) {
    this.pause();
    if (!this.length) return;
    this.time = time;
    for (const film of this.films) film.aim(time);
    this.tell();
  }

  goToClip(clip) { this.go(this.middle(Math.round(Math.min(Math.max(clip, 0), this.clips - 1) * this.clip * this.fps))); }

  stepClip(by) {
    const clip = Math.floor((this.place + 1e-3) / this.clip), begin = this.middle(Math.round(clip * this.clip * this.fps));
    this.goToClip(by < 0 && this.place > begin + 1e-3 ? clip : clip + by);
  }

  toggle() { if (this.playing) this.halt(); else this.play(); }

  play() {
    if (!this.length) return;
    for (const other of players) if (other !== this && other.playing) other.halt();
    if (this.frame(this.place) >= this.lastFrame) this.go(this.middle(0));
    this.playing = true;
    this.button.textContent = "Pause";
    requestAnimationFrame(() => this.tick());
  }

  pause() {
    this.playing = this.waiting = false;
    this.button.textContent = "Play";
    for (const { video } of this.films) video.pause();
  }

  // Where the leader stood when it was stopped is where all stand.
  halt() { this.go(this.middle(this.frame(this.films.length ? this.lead.video.currentTime : 0))); }

  tick() {
    if (!this.playing) return;
    const lead = this.lead;
    if (!lead) { this.pause(); return; }  // none of them can be played
    if (lead.video.ended) { this.go(this.middle(this.lastFrame)); return; }
    this.time = lead.video.currentTime;
    const live = this.films.filter((film) => film === lead || this.time < film.length - 0.5 / this.fps);
    if (live.some((film) => film.loading)) {
      for (const { video } of this.films) video.pause();
      if (!this.waiting) for (const film of live) film.aim(this.time, 0.5 / this.fps);
      this.waiting = true;
    } else {
      this.waiting = false;
      for (const film of live) film.run();
      if (!Film.tellsFrames) for (const film of live) film.follow();
    }
    this.tell();
    requestAnimationFrame(() => this.tick());
  }

  tell() {
    const frame = this.frame(this.place), clip = Math.min(Math.floor((this.place + 1e-3) / this.clip), this.clips - 1);
    this.scrub.value = this.place;
    this.clock.textContent = `${(frame / this.fps).toFixed(2)} s · frame ${frame} · clip ${clip + 1} of ${this.clips}`;
    this.scrub.setAttribute("aria-valuetext", `${(frame / this.fps).toFixed(1)} seconds, clip ${clip + 1} of ${this.clips}`);
    if (this.signals && this.length) this.signals.querySelector("i").style.left = `${(100 * this.place) / this.length}%`;
    Object.assign(this.marks.firstElementChild.style, { left: `${(100 * clip) / this.clips}%`, width: `${100 / this.clips}%` });
  }

  clipAt(event) {
    return Math.min(Math.max(Math.floor(this.part(this.marks, event) * this.clips), 0), this.clips - 1);
  }

  part(line, event) {
    const box = line.getBoundingClientRect();
    return (event.clientX - box.left) / box.width;
  }

  // A mark at each clip's boundary, or at every few where they would run together; seconds at round places.
  drawMarks() {
    const width = this.marks.clientWidth;
    if (!this.length || !width) return;
    const each = [1, 2, 5, 10, 20, 50, 100].find((many) => (width * many) / this.clips >= 5) ?? 200;
    this.marks.style.backgroundSize = `${(100 * each * this.clip) / this.length}% 100%`;
    const apart = [1, 2, 5, 10, 20, 50, 100].find((seconds) => (width * seconds) / this.length >= 48) ?? 200;
    const labels = this.root.querySelector(".seconds");
    labels.replaceChildren();
    for (let second = 0; second <= this.length; second += apart) {
      const label = document.createElement("span");
      label.textContent = `${second} s`;
      label.style.left = `${(100 * second) / this.length}%`;
      labels.append(label);
    }
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("select")) return;
    if (event.key === " " && event.target.matches("button, [type=checkbox]")) return;  // it is theirs
    if (this.press((event.shiftKey ? "Shift+" : "") + event.key)) event.preventDefault();
  }

  press(key) {
    const here = this.playing && this.films.length ? this.lead.video.currentTime : this.place;
    const step = (frames) => this.go(this.middle(this.frame(here) + frames));
    const faster = (by) => {
      const last = this.speeds.options.length - 1;
      this.speeds.selectedIndex = Math.min(Math.max(this.speeds.selectedIndex + by, 0), last);
      this.keepSpeed();
    };
    const does = {
      " ": () => this.toggle(),
      ArrowLeft: () => step(-1),
      ArrowRight: () => step(1),
      "Shift+ArrowLeft": () => this.stepClip(-1),
      "Shift+ArrowRight": () => this.stepClip(1),
      Home: () => this.go(this.middle(0)),
      End: () => this.go(this.middle(this.lastFrame)),
      ArrowUp: () => faster(1),
      ArrowDown: () => faster(-1),
      m: () => { if (this.voice) this.hear(this.voice, this.silent); },
    }[key];
    does?.();
    return Boolean(does);
  }
}

// The addresses of a figure's film, which wait in its <noscript>.
function sourcesOf(figure) {
  return [...figure.querySelector("noscript").textContent.matchAll(/<source src="([^"]*)"/g)].map((found) => found[1]);
}

// Data become a file in memory, which is decoded once and not with each jump.
function playable(source) {
  const data = "data:video/mp4;base64,";
  if (!source.startsWith(data)) return source;
  const bytes = Uint8Array.from(atob(source.slice(data.length)), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
}

// The few films that the page opens with: they play again and again, together, some times faster than they are, beside each
// other. Whoever wants less motion starts them; pictures of their ends stand there until then.
class Strip {
  constructor(root) {
    this.button = root.querySelector("button");
    this.text = root.querySelector("p span");
    this.videos = [];
    const films = document.querySelector(`#${root.dataset.films} .row`);
    for (const figure of root.querySelectorAll("figure")) {
      const film = [...films.querySelectorAll("figure[data-variant]")].find((other) => other.dataset.variant === figure.dataset.variant);
      if (film) this.put(figure, sourcesOf(film));
    }
    if (!this.videos.length) return;
    this.button.hidden = false;
    this.button.addEventListener("click", () => { if (this.playing) this.pause(); else this.play(); });
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) this.pause(); else this.play();
  }

  put(figure, sources) {
    const video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true, preload: "auto", src: playable(sources[0]) });
    video.setAttribute("aria-label", figure.dataset.variant);
    video.addEventListener("loadeddata", () => video.classList.toggle("small", video.videoWidth <= 256));
    video.addEventListener("error", () => {
      if (sources.length > 1) { video.src = playable(sources[1]); sources.length = 1; return; }
      video.remove();  // its picture stays
      this.videos = this.videos.filter((other) => other !== video);
    });
    video.addEventListener("ended", () => { if (this.videos.every((other) => other.ended || other === video)) this.again(); });
    figure.prepend(video);
    this.videos.push(video);
  }

  again() {
    for (const video of this.videos) video.currentTime = 0;
    if (this.playing) this.play();
  }

  play() {
    this.playing = true;
    this.button.textContent = "Pause";
    for (const video of this.videos) {
      video.play().then(() => {
        const longest = Math.max(...this.videos.map((other) => other.duration || 0));
        const speed = Math.min(Math.max(Math.round(longest / 12), 1), 8);  // some twelve seconds, if browsers can
        for (const other of this.videos) other.playbackRate = speed;
        this.text.textContent = `At ${speed} × their speed, again and again.`;
      }).catch(() => {});
    }
  }

  pause() {
    this.playing = false;
    this.button.textContent = "Play";
    for (const video of this.videos) video.pause();
  }
}

// A variant's film of the sample that is shown. Its address waits in a <noscript>, which costs nothing until it is read and
// plays by itself where there are no scripts.
class Film {
  static tellsFrames = "requestVideoFrameCallback" in HTMLVideoElement.prototype;

  constructor(figure, player) {
    this.figure = figure;
    this.player = player;
    this.variant = figure.dataset.variant;
    this.sound = figure.dataset.sound;  // which of its sample's it has
    this.wanted = 0;
    this.length = 0;
    this.sources = sourcesOf(figure);
    const video = this.video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true, preload: "auto" });
    video.setAttribute("aria-label", this.variant);
    video.addEventListener("loadedmetadata", () => {
      video.classList.toggle("small", video.videoWidth <= 256);
      this.length = video.duration;
      player.ready(this);
    });
    video.addEventListener("seeked", () => { if (!player.playing || player.waiting) this.aim(this.wanted); });
    video.addEventListener("error", () => this.next());
    video.addEventListener("click", () => player.click(this));
    figure.prepend(video);
    if (this.sound) this.offerSound();
    if (Film.tellsFrames) this.watch();
    this.next();
  }

  offerSound() {
    const button = this.button = document.createElement("button");
    Object.assign(button, { type: "button", className: "sound", textContent: "Sound" });
    button.setAttribute("aria-label", `Sound of ${this.variant}`);
    button.addEventListener("click", () => this.player.hear(this, this.video.muted));
    this.figure.querySelector("figcaption").append(button);
  }

  tune(on) {
    this.video.muted = !on;
    this.video.preservesPitch = on;  // what nobody hears need not be stretched
    this.button?.setAttribute("aria-pressed", String(on));
  }

  get loading() { return this.video.seeking || this.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA; }

  // The next address: data become a file in memory, which is decoded once and not with each seek.
  next() {
    const source = this.sources.shift();
    if (source === undefined) { this.fail(); return; }
    this.video.src = playable(source);
    if (this.video.src.startsWith("blob:")) this.url = this.video.src; else this.address = source;
  }

  fail() {
    const note = this.note = document.createElement("p");
    note.className = "lost";
    note.textContent = `Not playable here: ${decodeURIComponent(this.address ?? "its film")} is not beside this page, or not in a format that this browser plays.`;
    this.video.replaceWith(note);
    this.button?.remove();
    this.player.films = this.player.films.filter((film) => film !== this);
    this.player.tune();
    this.player.measure();
  }

  close() {
    this.closed = true;
    this.video.pause();
    this.video.remove();
    this.note?.remove();
    this.button?.remove();
    this.video.removeAttribute("src");
    this.video.load();
    if (this.url) URL.revokeObjectURL(this.url);
  }

  // Stand at a time; one that has ended holds its last frame. A jump under way is finished first: scrubbing shows what it can.
  aim(time, within = 1e-3) {
    this.wanted = time;
    const target = Math.min(time, Math.max(0, this.length - 0.5 / this.player.fps));
    if (this.length && !this.video.seeking && Math.abs(this.video.currentTime - target) > within) this.video.currentTime = target;
  }

  run() {
    if (!this.video.paused) return;
    this.video.playbackRate = this.player.speed;
    this.video.play().catch(() => {});  // interrupted by a pause; the next tick knows
  }

  // With each frame that this film shows its clock is compared with the leader's.
  watch() {
    this.video.requestVideoFrameCallback(() => {
      if (this.closed) return;
      if (this.player.playing) this.follow();
      this.watch();
    });
  }

  follow() {
    const { player, video } = this, lead = player.lead;
    if (!lead || lead === this || video.paused || lead.loading) return;
    const ahead = video.currentTime - lead.video.currentTime, frames = Math.abs(ahead) * player.fps;
    if (lead.video.currentTime >= this.length) return;
    if (frames > 4 && Math.abs(ahead) > 0.3) video.currentTime = lead.video.currentTime;
    const rate = frames < 0.25 ? 1 : Math.min(Math.max(1 - 4 * ahead, 0.5), 1.5);
    video.playbackRate = player.speed * rate;
  }
}

for (const root of document.querySelectorAll(".strip")) new Strip(root);
const players = [...document.querySelectorAll(".player")].map((root) => new Player(root));

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
