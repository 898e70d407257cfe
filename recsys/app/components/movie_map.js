// The map of all movies: dots, marks, labels, a lasso. It fetches large arrays by address and sends back small facts:
// the row that was clicked, or the outline of a region. Zoom and place survive every rerun; titles are drawn as text,
// never as HTML.
//
// Dots are written into pixels here, not by WebGL: 60,000 of them take some milliseconds, on any machine, with or
// without a graphics card, and a browser's limit of WebGL contexts does not matter.

const MARKS = {
  // shape as well as colour: drawn in this order, the last on top
  alike: { colour: "#7a3e9d", size: 9, shape: "ring" },
  rated: { colour: "#b8860b", size: 10, shape: "star" },
  recommended: { colour: "#a01c1c", size: 11, shape: "diamond" },
  focus: { colour: "#7a3e9d", size: 12, shape: "hexagon" },
  you: { colour: "#d6006c", size: 17, shape: "circle" },
};
const YOU_ON_DARK = "#ff6fb0";
const NEAR = 12; // pixels from a dot at which a pointer means it
const ALPHA = 200; // of 256: how opaque a dot is
const MOST_RADIUS = 14;
const DEEPEST = 400; // how far one can zoom in
const TITLES_FROM = 300; // with fewer dots in view than this, the best known among them show their titles

const fetched = new Map(); // address → promise of what is there, for all maps of this page

function fetchOnce(address, read) {
  if (!fetched.has(address)) {
    if (fetched.size > 40) fetched.clear();
    const found = fetch(new URL(address, document.baseURI))
      .then((answer) => {
        if (!answer.ok) throw new Error(`${answer.status}`);
        return read(answer);
      });
    found.catch(() => fetched.delete(address));
    fetched.set(address, found);
  }
  return fetched.get(address);
}

const stencils = []; // by radius in half pixels: the pixels of a disc and how much of each it covers

function stencil(radius) {
  const at = Math.round(radius * 2);
  if (!stencils[at]) {
    const r = at / 2, reach = Math.ceil(r), found = [];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const covered = Math.max(0, Math.min(1, r + 0.5 - Math.hypot(dx, dy)));
        if (covered > 0) found.push(dx, dy, Math.round(covered * ALPHA));
      }
    }
    stencils[at] = Int32Array.from(found);
  }
  return stencils[at];
}

function rgbOf(colour) {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  return probe.getImageData(0, 0, 1, 1).data;
}

function shorten(text, most) {
  const letters = Array.from(text);
  return letters.length <= most ? text : letters.slice(0, most - 1).join("").trimEnd() + "…";
}

class MovieMap {
  constructor(root) {
    this.root = root;
    this.dots = root.querySelector(".dots");
    this.over = root.querySelector(".over");
    this.frame = root.querySelector(".frame");
    this.tip = root.querySelector(".tip");
    this.data = null;
    this.drawn = null; // the data whose arrays are here
    this.items = this.places = this.codes = null;
    this.view = null; // { x, y: the middle in map units, scale: pixels a unit }
    this.isMoved = false; // by its reader: then a change of size keeps the view
    this.pointers = new Map();
    this.lasso = null; // outline being drawn, in map units
    this.isLassoing = false;
    this.isKeyed = false; // moved by keys: a cross shows what Enter would choose
    this.hovered = -1;
    this.sharpen = 0;
    this.listen();
  }

  // --- what to show -------------------------------------------------------------------------------------------

  async update(data) {
    this.data = data;
    this.tellWords();
    this.tellLegend();
    try {
      const [items, places, codes] = await Promise.all([
        fetchOnce(data.items, (answer) => answer.json()),
        fetchOnce(data.places, async (answer) => new Float32Array(await answer.arrayBuffer())),
        fetchOnce(data.colours, async (answer) => new Uint8Array(await answer.arrayBuffer())),
      ]);
      if (this.data !== data) return; // a newer one has overtaken it
      const isSame = ["items", "places", "colours"].every((what) => this.drawn?.[what] === data[what]);
      this.take(items, places, codes, this.drawn?.places !== data.places);
      this.drawn = data;
      this.root.querySelector(".problem").hidden = true;
      if (isSame && this.image && !this.pending) this.paintOver();
      else this.draw();
      this.root.dataset.places = data.places; // what is drawn, for whoever looks from outside
      this.root.dataset.ready = String(Number(this.root.dataset.ready || 0) + 1);
    } catch (error) {
      if (this.data !== data) return;
      this.root.querySelector(".problem").textContent = `${data.words.failed} (${error.message})`;
      this.root.querySelector(".problem").hidden = false;
    }
    this.root.querySelector(".loading").hidden = true;
  }

  take(items, places, codes, isNewPlace) {
    const n = places.length / 2;
    if (items !== this.items) {
      const most = items.ratings.reduce((a, b) => Math.max(a, b), 1);
      this.fame = Float32Array.from(items.ratings, (count) => Math.sqrt(count / most));
      this.byFame = Uint32Array.from(items.ratings.keys()).sort((a, b) => items.ratings[a] - items.ratings[b]);
    }
    this.items = items;
    this.places = places;
    this.codes = codes;
    this.colours = this.data.palette.map(rgbOf);
    if (isNewPlace) {
      let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
      for (let i = 0; i < n; i++) {
        const x = places[2 * i], y = places[2 * i + 1];
        if (x < left) left = x;
        if (x > right) right = x;
        if (y < low) low = y;
        if (y > high) high = y;
      }
      this.bounds = left <= right ? { left, right, low, high } : { left: -1, right: 1, low: -1, high: 1 };
      this.view = null;
      this.isMoved = false;
    }
  }

  whole() {
    const { left, right, low, high } = this.bounds;
    const width = this.frame.clientWidth, height = this.frame.clientHeight;
    const scale = Math.min((width - 36) / Math.max(right - left, 1e-6), (height - 36) / Math.max(high - low, 1e-6));
    return { x: (left + right) / 2, y: (low + high) / 2, scale };
  }

  tellWords() {
    const { words } = this.data;
    this.dots.setAttribute("aria-label", words.alt);
    for (const button of this.root.querySelectorAll("button")) {
      button.title = words[button.dataset.does];
      button.setAttribute("aria-label", words[button.dataset.does]);
    }
    this.root.querySelector(".loading").textContent = words.loading;
    for (const tool of this.root.querySelectorAll(".for-region")) tool.hidden = !this.data.takesRegions;
    this.root.querySelector("[data-does=clear]").hidden = !this.data.region;
  }

  tellLegend() {
    const legend = this.root.querySelector(".legend");
    const { data } = this;
    legend.replaceChildren();
    const add = (words, paint) => {
      const entry = document.createElement("span");
      const sign = document.createElement("canvas");
      sign.width = sign.height = 32;
      sign.style.width = sign.style.height = "16px";
      const context = sign.getContext("2d");
      context.scale(2, 2);
      paint(context);
      const name = document.createElement("bdi");
      name.textContent = words;
      entry.append(sign, name);
      legend.append(entry);
    };
    const there = { recommended: data.marks.recommended.length, rated: data.marks.rated.length, alike: data.marks.alike.length };
    there.focus = data.marks.focus !== null;
    there.you = data.marks.you !== null;
    for (const kind of ["recommended", "rated", "alike", "focus", "you"]) {
      if (!there[kind]) continue;
      const words = kind === "you" ? data.marks.youLabel : data.words[kind];
      add(words, (context) => this.shape(context, kind, 8, 8, 6));
    }
    for (const [name, colour] of data.legend) {
      add(name, (context) => {
        context.fillStyle = colour;
        context.beginPath();
        context.arc(8, 8, 4.5, 0, 7);
        context.fill();
      });
    }
    if (data.ends) {
      const entry = document.createElement("span");
      const ramp = document.createElement("i");
      ramp.style.background = `linear-gradient(to right, ${data.palette.slice(1).join(", ")})`;
      const [low, high] = data.ends.map((words) => Object.assign(document.createElement("bdi"), { textContent: words }));
      entry.append(low, ramp, high);
      legend.append(entry);
    }
  }

  // --- drawing ------------------------------------------------------------------------------------------------

  draw(isMoving = false) {
    if (!this.places || this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.paint(isMoving);
    });
    clearTimeout(this.sharpen);
    if (isMoving) this.sharpen = setTimeout(() => this.draw(), 150);
  }

  paint(isMoving) {
    const width = this.frame.clientWidth, height = this.frame.clientHeight;
    if (!width || !height) return;
    this.view ??= this.whole();
    const style = getComputedStyle(this.root);
    this.ink = style.getPropertyValue("--st-text-color") || "#222";
    this.paper = style.getPropertyValue("--st-background-color") || "#fff";
    this.font = style.getPropertyValue("--st-font") || "sans-serif";
    const fine = this.fineness();
    const started = performance.now();
    this.paintDots(width, height, isMoving && this.items.ratings.length > 20000 ? 1 : fine);
    this.paintOver();
    this.root.dataset.milliseconds = (performance.now() - started).toFixed(1);
  }

  paintDots(width, height, fine) {
    const W = Math.round(width * fine), H = Math.round(height * fine);
    if (this.dots.width !== W || this.dots.height !== H || !this.image) {
      this.dots.width = W;
      this.dots.height = H;
      this.context = this.dots.getContext("2d");
      this.image = this.context.createImageData(W, H);
    }
    const paper = rgbOf(this.paper);
    this.isDark = paper[0] + paper[1] + paper[2] < 384;
    const pixels = this.image.data;
    new Uint32Array(pixels.buffer).fill((255 << 24) | (paper[2] << 16) | (paper[1] << 8) | paper[0]);
    const { places, codes, colours, fame } = this;
    const n = this.items.ratings.length;
    const zoom = this.view.scale / this.whole().scale;
    const unit = Math.max(0.9, Math.min(2.6, Math.sqrt((width * height) / n) * 0.12)) * Math.max(1, zoom) ** 0.4;
    const scale = this.view.scale * fine, left = W / 2 - this.view.x * scale, top = H / 2 + this.view.y * scale;
    let inView = 0;
    for (const i of this.byFame) {
      const x = Math.round(left + places[2 * i] * scale), y = Math.round(top - places[2 * i + 1] * scale);
      if (!(x > -8 && x < W + 8 && y > -8 && y < H + 8)) continue; // NaN, without a place, falls out here too
      inView++;
      const shape = stencil(Math.min(MOST_RADIUS, unit * (0.7 + 1.6 * fame[i]) * fine));
      const [r, g, b] = colours[codes[i]];
      for (let k = 0; k < shape.length; k += 3) {
        const px = x + shape[k], py = y + shape[k + 1];
        if (px < 0 || py < 0 || px >= W || py >= H) continue;
        const at = (py * W + px) << 2, a = shape[k + 2];
        pixels[at] += ((r - pixels[at]) * a) >> 8;
        pixels[at + 1] += ((g - pixels[at + 1]) * a) >> 8;
        pixels[at + 2] += ((b - pixels[at + 2]) * a) >> 8;
      }
    }
    this.context.putImageData(this.image, 0, 0);
    this.inView = inView;
    this.root.dataset.inView = inView;
  }

  toScreen(x, y) {
    return [
      this.frame.clientWidth / 2 + (x - this.view.x) * this.view.scale,
      this.frame.clientHeight / 2 - (y - this.view.y) * this.view.scale,
    ];
  }

  toMap(px, py) {
    return [
      this.view.x + (px - this.frame.clientWidth / 2) / this.view.scale,
      this.view.y - (py - this.frame.clientHeight / 2) / this.view.scale,
    ];
  }

  screenOf(row) {
    return this.toScreen(this.places[2 * row], this.places[2 * row + 1]);
  }

  fineness() {
    return Math.min(window.devicePixelRatio || 1, 2);
  }

  paintOver() {
    const width = this.frame.clientWidth, height = this.frame.clientHeight, fine = this.fineness();
    const W = Math.round(width * fine), H = Math.round(height * fine);
    if (this.over.width !== W || this.over.height !== H) {
      this.over.width = W;
      this.over.height = H;
    }
    const context = this.over.getContext("2d");
    context.setTransform(fine, 0, 0, fine, 0, 0);
    context.clearRect(0, 0, width, height);
    this.paintRegion(context);
    const tools = this.root.querySelector(".tools");
    const taken = [[tools.offsetLeft, 0, width, tools.offsetTop + tools.offsetHeight]]; // where no words may stand
    const { marks } = this.data;
    for (const kind of ["alike", "rated", "recommended"]) {
      marks[kind].forEach(([row], at) => {
        const [x, y] = this.screenOf(row);
        if (!(x > -20 && x < width + 20 && y > -20 && y < height + 20)) return;
        this.shape(context, kind, x, y, MARKS[kind].size, kind === "recommended" ? String(at + 1) : "");
        taken.push([x - 10, y - 10, x + 10, y + 10]);
      });
    }
    if (marks.focus !== null) {
      const [x, y] = this.screenOf(marks.focus);
      if (Number.isFinite(x)) {
        this.shape(context, "focus", x, y, MARKS.focus.size);
        this.word(context, shorten(this.items.titles[marks.focus], 36), x, y + 24, 13, taken, true);
      }
    }
    if (marks.you !== null) {
      const [x, y] = this.toScreen(...marks.you);
      this.shape(context, "you", x, y, MARKS.you.size);
      this.word(context, marks.youLabel, x, y + 30, 15, taken, true, this.isDark ? YOU_ON_DARK : MARKS.you.colour);
    }
    this.paintAxes(context, width, height, taken);
    let shown = 0;
    for (const [words, x, y] of this.data.labels) {
      const [px, py] = this.toScreen(x, y);
      if (px < 0 || px > width || py < 0 || py > height) continue;
      shown += this.word(context, words, px, py, 13, taken);
    }
    this.root.dataset.labels = shown;
    if (this.inView < TITLES_FROM) this.paintTitles(context, width, height, taken);
    if (this.isKeyed) this.paintCross(context, width, height);
  }

  paintTitles(context, width, height, taken) {
    let left = 40;
    for (let k = this.byFame.length - 1; k >= 0 && left > 0; k--) {
      const [x, y] = this.screenOf(this.byFame[k]);
      if (!(x > 0 && x < width && y > 0 && y < height)) continue;
      left -= this.word(context, shorten(this.items.titles[this.byFame[k]], 32), x, y + 14, 11, taken, false, null, "400");
    }
  }

  paintAxes(context, width, height, taken) {
    const { axes } = this.data;
    if (!axes) return;
    const [x, y] = this.toScreen(0, 0);
    context.strokeStyle = this.ink;
    context.globalAlpha = 0.25;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(width, y);
    context.moveTo(x, 0);
    context.lineTo(x, height);
    context.stroke();
    context.globalAlpha = 1;
    const middle = Math.max(16, Math.min(width - 16, x)), level = Math.max(16, Math.min(height - 16, y));
    this.word(context, `← ${axes.x[0]}`, 6, level - 10, 14, taken, true, null, "600", "left");
    this.word(context, `${axes.x[1]} →`, width - 6, level - 10, 14, taken, true, null, "600", "right");
    this.word(context, `↑ ${axes.y[1]}`, middle, 14, 14, taken, true);
    this.word(context, `↓ ${axes.y[0]}`, middle, height - 14, 14, taken, true);
  }

  paintRegion(context) {
    const outline = this.lasso ?? this.data.region;
    if (!outline || outline.length < 2) return;
    context.beginPath();
    outline.forEach(([x, y], at) => context[at ? "lineTo" : "moveTo"](...this.toScreen(x, y)));
    context.closePath();
    context.fillStyle = context.strokeStyle = getComputedStyle(this.root).getPropertyValue("--st-primary-color") || "#0072b2";
    context.globalAlpha = 0.12;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.setLineDash([6, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  paintCross(context, width, height) {
    context.strokeStyle = this.ink;
    context.lineWidth = 1.5;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(width / 2 + 6 * dx, height / 2 + 6 * dy);
      context.lineTo(width / 2 + 16 * dx, height / 2 + 16 * dy);
    }
    context.stroke();
  }

  // Words with a halo, where they cover no others; returns 1 if they were drawn.
  word(context, words, x, y, size, taken, isForced = false, colour = null, weight = "600", align = "center") {
    context.font = `${weight} ${size}px ${this.font}`;
    const half = context.measureText(words).width / 2 + 3;
    let middle = align === "left" ? x + half : align === "right" ? x - half : x;
    if (isForced) middle = Math.max(half, Math.min(this.frame.clientWidth - half, middle));
    const box = [middle - half, y - size * 0.75, middle + half, y + size * 0.75];
    if (!isForced) {
      if (box[0] < 0 || box[2] > this.frame.clientWidth) return 0;
      if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) return 0;
    }
    taken.push(box);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = this.paper;
    context.globalAlpha = 0.85;
    context.strokeText(words, middle, y);
    context.globalAlpha = 1;
    context.fillStyle = colour ?? this.ink;
    context.fillText(words, middle, y);
    return 1;
  }

  shape(context, kind, x, y, size, words = "") {
    const { colour, shape } = MARKS[kind];
    context.save();
    context.beginPath();
    if (shape === "star" || shape === "hexagon" || shape === "diamond") {
      const corners = shape === "star" ? 10 : shape === "hexagon" ? 6 : 4;
      for (let k = 0; k < corners; k++) {
        const far = shape === "star" && k % 2 ? size * 0.45 : size;
        const turn = (2 * Math.PI * k) / corners - Math.PI / 2;
        context.lineTo(x + far * Math.cos(turn), y + far * Math.sin(turn));
      }
      context.closePath();
      context.fillStyle = colour;
      context.fill();
      context.lineWidth = 1.5;
      context.strokeStyle = "#fff";
      context.stroke();
    } else {
      context.arc(x, y, size - 2, 0, 2 * Math.PI);
      context.lineWidth = shape === "circle" ? 6 : 5;
      context.strokeStyle = "#fff";
      context.stroke();
      context.lineWidth = shape === "circle" ? 4 : 2.5;
      context.strokeStyle = colour;
      context.stroke();
    }
    if (words) {
      context.font = `700 10px ${this.font ?? "sans-serif"}`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillStyle = "#fff";
      context.fillText(words, x, y + 0.5);
    }
    context.restore();
  }

  // --- pointing -----------------------------------------------------------------------------------------------

  // The dot nearest to a place of the screen, or −1; marks win over dots, for they lie on top.
  nearest(px, py, reach = NEAR) {
    if (!this.places || !this.view) return -1;
    const { marks } = this.data;
    const marked = [...marks.recommended, ...marks.rated, ...marks.alike].map(([row]) => row);
    if (marks.focus !== null) marked.push(marks.focus);
    for (const row of marked) {
      const [x, y] = this.screenOf(row);
      if (Math.hypot(x - px, y - py) <= 10) return row;
    }
    const [x, y] = this.toMap(px, py);
    let best = -1, least = (reach / this.view.scale) ** 2;
    for (let i = 0, n = this.places.length / 2; i < n; i++) {
      const dx = this.places[2 * i] - x, dy = this.places[2 * i + 1] - y, far = dx * dx + dy * dy;
      if (far < least || (far === least && best >= 0 && this.fame[i] > this.fame[best])) {
        least = far;
        best = i;
      }
    }
    return best;
  }

  point(row, isSpoken = false) {
    this.hovered = row;
    this.tip.hidden = row < 0;
    this.dots.style.cursor = this.isLassoing ? "crosshair" : row >= 0 ? "pointer" : "grab";
    if (row < 0) return;
    const { items, data } = this;
    const lines = [items.titles[row]];
    const genres = items.genreSets[items.genres[row]].map((name) => data.genres[name] ?? name).join(" · ");
    if (genres) lines.push(genres);
    for (const kind of ["recommended", "rated", "alike"]) {
      const note = data.marks[kind].find(([marked]) => marked === row);
      if (note) lines.push(note[1]);
    }
    lines.push(data.words.ratings.replace("{n}", items.ratings[row].toLocaleString()));
    this.tip.replaceChildren(
      ...lines.map((line, at) => {
        const part = document.createElement(at ? "div" : "strong");
        part.dir = "auto";
        part.textContent = line;
        return part;
      }),
    );
    const [x, y] = this.screenOf(row), width = this.tip.offsetWidth, height = this.tip.offsetHeight;
    this.tip.style.left = `${Math.max(2, Math.min(this.frame.clientWidth - width - 2, x - width / 2))}px`;
    this.tip.style.top = `${y - height - 12 > 0 ? y - height - 12 : y + 14}px`;
    if (isSpoken) this.root.querySelector(".spoken").textContent = lines.join(". ");
  }

  zoom(factor, px = this.frame.clientWidth / 2, py = this.frame.clientHeight / 2) {
    if (!this.view) return;
    const [x, y] = this.toMap(px, py);
    const widest = this.whole().scale;
    const scale = Math.max(widest / 2, Math.min(widest * DEEPEST, this.view.scale * factor));
    this.view = { x: x - (x - this.view.x) * (this.view.scale / scale), y: y - (y - this.view.y) * (this.view.scale / scale), scale };
    this.isMoved = true;
    this.point(-1);
    this.draw(true);
  }

  pan(dx, dy) {
    if (!this.view) return;
    this.view = { ...this.view, x: this.view.x - dx / this.view.scale, y: this.view.y + dy / this.view.scale };
    this.isMoved = true;
    this.point(-1);
    this.draw(true);
  }

  // A cross in the middle, and what Enter would choose there.
  showMiddle() {
    if (!this.view) return;
    this.isKeyed = true;
    this.point(this.nearest(this.frame.clientWidth / 2, this.frame.clientHeight / 2, 60), true);
    this.draw(true);
  }

  sendRegion(outline) {
    const every = Math.ceil(outline.length / 200);
    this.send("region", outline.filter((_, at) => at % every === 0));
  }

  does = {
    in: () => this.zoom(1.6),
    out: () => this.zoom(1 / 1.6),
    whole: () => {
      this.view = null;
      this.isMoved = false;
      this.draw();
    },
    lasso: () => this.setLassoing(!this.isLassoing),
    view: () => {
      if (!this.view) return;
      const width = this.frame.clientWidth, height = this.frame.clientHeight;
      this.sendRegion([this.toMap(0, 0), this.toMap(width, 0), this.toMap(width, height), this.toMap(0, height)]);
    },
    clear: () => this.send("region", []),
  };

  setLassoing(isOn) {
    this.isLassoing = isOn;
    this.root.querySelector("[data-does=lasso]").setAttribute("aria-pressed", String(isOn));
    this.dots.style.cursor = isOn ? "crosshair" : "grab";
    this.dots.style.touchAction = isOn ? "none" : ""; // else one finger up or down scrolls the page
  }

  listen() {
    const here = (event) => {
      const box = this.dots.getBoundingClientRect();
      return [event.clientX - box.x, event.clientY - box.y];
    };
    const { dots } = this;
    dots.addEventListener("pointerdown", (event) => {
      if (!this.view || event.button > 0) return;
      dots.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, here(event));
      this.isKeyed = false;
      this.travelled = this.pointers.size > 1 ? Infinity : 0;
      if (this.isLassoing && this.pointers.size === 1) this.lasso = [this.toMap(...here(event))];
    });
    dots.addEventListener("pointermove", (event) => {
      const [x, y] = here(event);
      const before = this.pointers.get(event.pointerId);
      if (!before) {
        if (event.pointerType === "mouse") this.point(this.nearest(x, y));
        return;
      }
      this.travelled += Math.hypot(x - before[0], y - before[1]);
      if (this.lasso) {
        this.lasso.push(this.toMap(x, y));
        this.draw(true);
      } else if (this.pointers.size === 2) {
        const [other] = [...this.pointers].find(([id]) => id !== event.pointerId).slice(1);
        const apart = Math.hypot(before[0] - other[0], before[1] - other[1]) || 1;
        this.pan((x - before[0]) / 2, (y - before[1]) / 2);
        this.zoom(Math.hypot(x - other[0], y - other[1]) / apart, (x + other[0]) / 2, (y + other[1]) / 2);
      } else if (this.travelled > 4) {
        this.pan(x - before[0], y - before[1]);
      }
      this.pointers.set(event.pointerId, [x, y]);
    });
    const release = (event) => {
      if (!this.pointers.delete(event.pointerId)) return;
      if (this.lasso) {
        const outline = this.lasso;
        this.lasso = null;
        this.setLassoing(false);
        if (event.type === "pointerup" && this.travelled > 40) this.sendRegion(outline);
        this.draw();
      } else if (event.type === "pointerup" && this.travelled <= 4) {
        const row = this.nearest(...here(event), event.pointerType === "mouse" ? NEAR : 2 * NEAR);
        this.point(row);
        if (row >= 0) this.send("clicked", row);
      }
    };
    dots.addEventListener("pointerup", release);
    dots.addEventListener("pointercancel", release);
    dots.addEventListener("pointerleave", () => !this.isKeyed && this.point(-1));
    dots.addEventListener(
      "wheel",
      (event) => {
        const hasFocus = dots.getRootNode().activeElement === dots;
        if (!hasFocus && !event.ctrlKey && !event.metaKey) return; // the page scrolls
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), ...here(event));
      },
      { passive: false },
    );
    dots.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
      const keys = { "+": "in", "=": "in", "-": "out", 0: "whole" };
      if (event.ctrlKey || event.metaKey || event.altKey || !this.view) return;
      if (steps[event.key]) this.pan(...steps[event.key]);
      else if (keys[event.key]) this.does[keys[event.key]]();
      else if (event.key === "Enter" && this.isKeyed && this.hovered >= 0) this.send("clicked", this.hovered);
      else return;
      event.preventDefault();
      if (event.key !== "Enter") this.showMiddle();
    });
    dots.addEventListener("blur", () => {
      this.isKeyed = false;
      this.point(-1);
      this.draw();
    });
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.lasso = null;
      this.setLassoing(false);
      this.draw();
    });
    dots.addEventListener("focus", () => {
      if (dots.matches(":focus-visible") && !this.pointers.size) this.showMiddle();
    });
    for (const button of this.root.querySelectorAll("button")) {
      button.addEventListener("click", () => this.does[button.dataset.does]());
    }
  }

  // Watch what changes the picture from outside: the size of the frame, and the theme.
  watch() {
    this.resized ??= new ResizeObserver(() => {
      if (!this.isMoved) this.view = null;
      this.draw();
    });
    this.resized.observe(this.frame);
    this.themed ??= setInterval(() => {
      const paper = getComputedStyle(this.root).getPropertyValue("--st-background-color");
      if (this.paper && paper && paper !== this.paper) this.draw();
    }, 500);
  }

  unwatch() {
    this.resized?.disconnect();
    clearInterval(this.themed);
    this.themed = undefined;
    clearTimeout(this.sharpen);
  }
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".movie-map");
  const map = (root.movieMap ??= new MovieMap(root));
  map.send = setTriggerValue;
  root.style.setProperty("--height", `${data.height}px`);
  map.watch();
  map.update(data);
  return () => map.unwatch();
}
