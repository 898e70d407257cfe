// The map of all movies: dots, marks, labels, a lasso. It fetches large arrays by URL and sends back small messages:
// the row of the chosen movie, or the outline of a region. Zoom and pan survive every rerun. Titles are inserted as
// text, never as HTML.
//
// Dots are rasterized here rather than by WebGL: 60,000 of them take a few milliseconds on any machine, with or without
// a graphics card, and the browser's limit on WebGL contexts does not apply.
//
// A pointer chooses what is drawn on top under it, otherwise the nearest dot or mark within reach (see `pick`).
//
// Attributes of `.movie-map` for tests and automation (read-only):
//   data-ready         number of updates drawn so far; absent until the first one
//   data-coordinates   URL of the coordinates that are drawn
//   data-view          JSON {x, y, scale}: map coordinates at the centre of the frame, and CSS pixels per map unit
//   data-in-view       number of dots in view
//   data-labels        number of region labels drawn
//   data-titles        number of titles drawn
//   data-milliseconds  duration of the last paint
// `.marked` lists what is marked, for screen readers and for tests: one <li data-kind="rated"> for each mark.

const MARKS = {
  // by shape as well as by colour; drawn in this order, the last on top
  similar: { colour: "#7a3e9d", size: 9, shape: "ring" },
  rated: { colour: "#b8860b", size: 10, shape: "star" },
  recommended: { colour: "#a01c1c", size: 11, shape: "diamond" },
  focus: { colour: "#7a3e9d", size: 12, shape: "hexagon" },
  you: { colour: "#d6006c", size: 17, shape: "circle" },
};
const YOU_ON_DARK = "#ff6fb0";
const MARK_ORDER = ["similar", "rated", "recommended"]; // from bottom to top; then focus, then you
const EDGE = 1.5; // width of the white edge of a filled mark
const REACH = 12; // CSS pixels between a pointer and the edge of the dot or mark that it still chooses
const TOUCH_REACH = 24;
const KEYBOARD_REACH = 60;
const CLICK_TRAVEL = 4; // a pointer that moves farther than this drags
const ALPHA = 200; // opacity of a dot, of 256
const MAX_RADIUS = 14; // of a dot, in CSS pixels
const MAX_ZOOM = 400;
const MAX_DOTS_FOR_TITLES = 300; // with fewer dots in view, the best-known movies among them show their titles
const MAX_TITLES = 40;

const fetched = new Map(); // URL → promise of its content, for all maps of this page

function fetchOnce(url, read) {
  if (!fetched.has(url)) {
    if (fetched.size > 40) fetched.clear();
    const content = fetch(new URL(url, document.baseURI))
      .then((response) => {
        if (!response.ok) throw new Error(`${response.status}`);
        return read(response);
      });
    content.catch(() => fetched.delete(url));
    fetched.set(url, content);
  }
  return fetched.get(url);
}

const stencils = []; // by radius in half pixels: the pixels of a disc and the opacity of each

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

// Corners [x, y] of a filled mark around (0, 0); none for the rings.
function cornersOf({ shape, size }) {
  const count = { diamond: 4, hexagon: 6, star: 10 }[shape] ?? 0;
  return Array.from({ length: count }, (_, k) => {
    const radius = shape === "star" && k % 2 ? size * 0.45 : size;
    const angle = (2 * Math.PI * k) / count - Math.PI / 2;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

// Distance from (x, y) to a polygon; 0 inside it.
function gapToPolygon(corners, x, y) {
  let isInside = false, gap = Infinity;
  corners.forEach(([x1, y1], k) => {
    const [x0, y0] = corners.at(k - 1);
    if (y0 > y !== y1 > y && x < x0 + ((y - y0) * (x1 - x0)) / (y1 - y0)) isInside = !isInside;
    const along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2);
    const t = Math.max(0, Math.min(1, along));
    gap = Math.min(gap, Math.hypot(x0 + t * (x1 - x0) - x, y0 + t * (y1 - y0) - y));
  });
  return isInside ? 0 : gap;
}

const ringRadius = (size) => size - 2;
const RING_WIDTHS = { ring: [5, 2.5], circle: [6, 4] }; // of the white line and of the coloured line on it

// Distance from (x, y) to the pixels of a mark at (0, 0); 0 on them. The inside of a ring is not part of the ring.
function gapToMark(kind, x, y) {
  const mark = MARKS[kind];
  const gap = RING_WIDTHS[mark.shape]
    ? Math.abs(Math.hypot(x, y) - ringRadius(mark.size)) - RING_WIDTHS[mark.shape][0] / 2
    : gapToPolygon(cornersOf(mark), x, y) - EDGE / 2;
  return Math.max(0, gap);
}

class MovieMap {
  constructor(root) {
    this.root = root;
    this.dots = root.querySelector(".dots");
    this.over = root.querySelector(".over");
    this.frame = root.querySelector(".frame");
    this.tip = root.querySelector(".tip");
    this.data = null;
    this.loaded = null; // the data whose arrays are below
    this.items = this.coordinates = this.codes = null;
    this.view = null; // { x, y: map coordinates at the centre, scale: CSS pixels per map unit }
    this.isMoved = false; // once the user has moved the view, a resize keeps it
    this.dotsDrawn = null; // where the dots of the picture on screen are: { left, top, scale, ratio, unit }
    this.marksDrawn = []; // the marks on screen, from bottom to top: { kind, row, x, y }
    this.pointers = new Map(); // pressed pointers: id → [x, y]
    this.pressed = -1; // row under the pointer when it was pressed
    this.hover = null; // [x, y] of a mouse or pen over the map
    this.lasso = null; // outline being drawn, in map coordinates
    this.isLassoing = false;
    this.isKeyed = false; // moved with the keyboard: a cross marks the centre, where Enter chooses
    this.pointed = -1; // row whose tooltip is open
    this.sharpen = 0;
    this.listen();
  }

  // --- data ---------------------------------------------------------------------------------------------------

  async update(data) {
    this.data = data;
    this.setWords();
    this.setLegend();
    try {
      const [items, coordinates, codes] = await Promise.all([
        fetchOnce(data.items, (response) => response.json()),
        fetchOnce(data.coordinates, async (response) => new Float32Array(await response.arrayBuffer())),
        fetchOnce(data.colours, async (response) => new Uint8Array(await response.arrayBuffer())),
      ]);
      if (this.data !== data) return; // superseded while it was fetched
      const isSame = ["items", "coordinates", "colours"].every((name) => this.loaded?.[name] === data[name]);
      this.take(items, coordinates, codes, this.loaded?.coordinates !== data.coordinates);
      this.loaded = data;
      this.listMarks();
      this.root.querySelector(".problem").hidden = true;
      if (isSame && this.image && !this.pending) {
        this.paintOver();
        this.repoint();
      } else {
        this.draw();
      }
      this.root.dataset.coordinates = data.coordinates;
      this.root.dataset.ready = String(Number(this.root.dataset.ready || 0) + 1);
    } catch (error) {
      if (this.data !== data) return;
      this.root.querySelector(".problem").textContent = `${data.words.failed} (${error.message})`;
      this.root.querySelector(".problem").hidden = false;
    }
    this.root.querySelector(".loading").hidden = true;
  }

  take(items, coordinates, codes, isNew) {
    const n = coordinates.length / 2;
    if (items !== this.items) {
      const most = items.ratings.reduce((a, b) => Math.max(a, b), 1);
      this.popularity = Float32Array.from(items.ratings, (count) => Math.sqrt(count / most));
      // Drawn in this order: the best-known movie on top; of equally known ones, the last row.
      this.drawOrder = Uint32Array.from(items.ratings.keys()).sort((a, b) => items.ratings[a] - items.ratings[b]);
    }
    this.items = items;
    this.coordinates = coordinates;
    this.codes = codes;
    this.colours = this.data.palette.map(rgbOf);
    if (isNew) {
      let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
      for (let i = 0; i < n; i++) {
        const x = coordinates[2 * i], y = coordinates[2 * i + 1];
        if (x < left) left = x;
        if (x > right) right = x;
        if (y < low) low = y;
        if (y > high) high = y;
      }
      this.bounds = left <= right ? { left, right, low, high } : { left: -1, right: 1, low: -1, high: 1 };
      this.view = this.dotsDrawn = null;
      this.marksDrawn = [];
      this.isMoved = false;
      this.point(-1);
    }
  }

  // The view of the whole map.
  whole() {
    const { left, right, low, high } = this.bounds;
    const width = this.frame.clientWidth, height = this.frame.clientHeight;
    const scale = Math.min((width - 36) / Math.max(right - left, 1e-6), (height - 36) / Math.max(high - low, 1e-6));
    return { x: (left + right) / 2, y: (low + high) / 2, scale };
  }

  setWords() {
    const { words } = this.data;
    this.dots.setAttribute("aria-label", words.alt);
    this.root.querySelector(".marked").setAttribute("aria-label", words.marked);
    for (const button of this.root.querySelectorAll("button")) {
      button.title = words[button.dataset.does];
      button.setAttribute("aria-label", words[button.dataset.does]);
    }
    this.root.querySelector(".loading").textContent = words.loading;
    for (const tool of this.root.querySelectorAll(".for-region")) tool.hidden = !this.data.takesRegions;
    this.root.querySelector("[data-does=clear]").hidden = !this.data.region;
  }

  setLegend() {
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
    const has = { recommended: data.marks.recommended.length, rated: data.marks.rated.length, similar: data.marks.similar.length };
    has.focus = data.marks.focus !== null;
    has.you = data.marks.you !== null;
    for (const kind of ["recommended", "rated", "similar", "focus", "you"]) {
      if (!has[kind]) continue;
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

  // The marks as a list for screen readers: the canvas cannot be read.
  listMarks() {
    const { marks, words } = this.data;
    const entries = ["recommended", "rated", "similar"].flatMap((kind) =>
      marks[kind].map(([row, note]) => [kind, this.items.titles[row], note]),
    );
    if (marks.focus !== null) entries.push(["focus", this.items.titles[marks.focus], words.focus]);
    if (marks.you !== null) entries.push(["you", marks.youLabel, ""]);
    this.root.querySelector(".marked").replaceChildren(
      ...entries.map(([kind, title, note]) => {
        const entry = document.createElement("li");
        entry.dataset.kind = kind;
        const name = document.createElement("bdi");
        name.textContent = title;
        entry.append(name, note && `: ${note}`);
        return entry;
      }),
    );
  }

  // --- drawing ------------------------------------------------------------------------------------------------

  draw(isMoving = false) {
    if (!this.coordinates || this.pending) return;
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
    const started = performance.now();
    this.paintDots(width, height, isMoving && this.items.ratings.length > 20000 ? 1 : this.pixelRatio());
    this.paintOver();
    this.root.dataset.milliseconds = (performance.now() - started).toFixed(1);
    this.root.dataset.view = JSON.stringify(this.view);
    if (this.isKeyed || !isMoving) this.repoint();
  }

  paintDots(width, height, ratio) {
    const W = Math.round(width * ratio), H = Math.round(height * ratio);
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
    const { codes, colours } = this;
    const n = this.items.ratings.length;
    const zoom = this.view.scale / this.whole().scale;
    const unit = Math.max(0.9, Math.min(2.6, Math.sqrt((width * height) / n) * 0.12)) * Math.max(1, zoom) ** 0.4;
    const scale = this.view.scale * ratio;
    this.dotsDrawn = { left: W / 2 - this.view.x * scale, top: H / 2 + this.view.y * scale, scale, ratio, unit };
    let inView = 0;
    for (const i of this.drawOrder) {
      const { x, y, radius } = this.discOf(i);
      const outside = radius + 1;
      // False for NaN too: a movie without coordinates is not drawn.
      if (!(x > -outside && x < W + outside && y > -outside && y < H + outside)) continue;
      inView++;
      const shape = stencil(radius);
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

  // The disc of a dot in the picture on screen: its middle pixel and its radius, in pixels of the canvas.
  discOf(row) {
    const { left, top, scale, ratio, unit } = this.dotsDrawn;
    const radius = Math.min(MAX_RADIUS, unit * (0.7 + 1.6 * this.popularity[row]));
    return {
      x: Math.floor(left + this.coordinates[2 * row] * scale),
      y: Math.floor(top - this.coordinates[2 * row + 1] * scale),
      radius: Math.round(2 * radius * ratio) / 2,
    };
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
    return this.toScreen(this.coordinates[2 * row], this.coordinates[2 * row + 1]);
  }

  pixelRatio() {
    return Math.min(window.devicePixelRatio || 1, 2);
  }

  paintOver() {
    const width = this.frame.clientWidth, height = this.frame.clientHeight, ratio = this.pixelRatio();
    const W = Math.round(width * ratio), H = Math.round(height * ratio);
    if (this.over.width !== W || this.over.height !== H) {
      this.over.width = W;
      this.over.height = H;
    }
    const context = this.over.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.paintRegion(context);
    const tools = this.root.querySelector(".tools");
    const taken = [[tools.offsetLeft, 0, width, tools.offsetTop + tools.offsetHeight]]; // boxes that text must not cover
    const { marks } = this.data;
    this.marksDrawn = [];
    for (const kind of MARK_ORDER) {
      marks[kind].forEach(([row], at) => {
        const [x, y] = this.screenOf(row);
        if (!(x > -20 && x < width + 20 && y > -20 && y < height + 20)) return;
        this.shape(context, kind, x, y, MARKS[kind].size, kind === "recommended" ? String(at + 1) : "");
        this.marksDrawn.push({ kind, row, x, y });
        taken.push([x - 10, y - 10, x + 10, y + 10]);
      });
    }
    if (marks.focus !== null) {
      const [x, y] = this.screenOf(marks.focus);
      if (Number.isFinite(x)) {
        this.shape(context, "focus", x, y, MARKS.focus.size);
        this.marksDrawn.push({ kind: "focus", row: marks.focus, x, y });
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
    this.root.dataset.titles = this.inView < MAX_DOTS_FOR_TITLES ? this.paintTitles(context, width, height, taken) : 0;
    if (this.isKeyed) this.paintCross(context, width, height);
  }

  paintTitles(context, width, height, taken) {
    let shown = 0;
    for (let k = this.drawOrder.length - 1; k >= 0 && shown < MAX_TITLES; k--) {
      const row = this.drawOrder[k], [x, y] = this.screenOf(row);
      if (!(x > 0 && x < width && y > 0 && y < height)) continue;
      shown += this.word(context, shorten(this.items.titles[row], 32), x, y + 14, 11, taken, false, null, "400");
    }
    return shown;
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

  // Text with a halo, unless it would cover a box in `taken`; returns 1 if it was drawn, else 0.
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
    if (RING_WIDTHS[shape]) {
      context.arc(x, y, ringRadius(size), 0, 2 * Math.PI);
      const [outer, inner] = RING_WIDTHS[shape];
      context.lineWidth = outer;
      context.strokeStyle = "#fff";
      context.stroke();
      context.lineWidth = inner;
      context.strokeStyle = colour;
      context.stroke();
    } else {
      for (const [dx, dy] of cornersOf({ shape, size })) context.lineTo(x + dx, y + dy);
      context.closePath();
      context.fillStyle = colour;
      context.fill();
      context.lineWidth = EDGE;
      context.strokeStyle = "#fff";
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

  // --- choosing -----------------------------------------------------------------------------------------------

  // The row that a pointer at (px, py) in the frame chooses, or -1: the dot or mark that is drawn on top there,
  // otherwise the one whose edge is nearest, if it is less than `reach` CSS pixels away. Of equally near ones, the one
  // on top. It reads the picture on screen, so that it agrees with what the user sees even before the next paint.
  pick(px, py, reach = REACH) {
    let best = -1, least = reach;
    for (let k = this.marksDrawn.length - 1; k >= 0 && least > 0; k--) {
      const { kind, row, x, y } = this.marksDrawn[k];
      const gap = gapToMark(kind, px - x, py - y);
      if (gap < least) [best, least] = [row, gap];
    }
    if (!this.dotsDrawn) return best;
    const { ratio } = this.dotsDrawn;
    const column = Math.floor(px * ratio), line = Math.floor(py * ratio); // the pixel under the pointer
    for (let k = this.drawOrder.length - 1; k >= 0 && least > 0; k--) {
      const { x, y, radius } = this.discOf(this.drawOrder[k]);
      const gap = Math.max(0, Math.hypot(x - column, y - line) - radius) / ratio; // NaN without coordinates
      if (gap < least) [best, least] = [this.drawOrder[k], gap];
    }
    return best;
  }

  // Point again at what is under the mouse, or at the centre under keyboard control, after the picture has changed.
  repoint() {
    if (this.isKeyed) {
      this.point(this.pick(this.frame.clientWidth / 2, this.frame.clientHeight / 2, KEYBOARD_REACH), true);
    } else if (this.hover && !this.pointers.size) {
      this.point(this.pick(...this.hover));
    }
  }

  // Open the tooltip of a row, or close it (-1).
  point(row, isSpoken = false) {
    this.pointed = row;
    this.tip.hidden = row < 0;
    this.dots.style.cursor = this.isLassoing ? "crosshair" : row >= 0 ? "pointer" : "grab";
    if (row < 0) return;
    const { items, data } = this;
    const lines = [items.titles[row]];
    const genres = items.genreSets[items.genres[row]].map((name) => data.genres[name] ?? name).join(" · ");
    if (genres) lines.push(genres);
    for (const kind of ["recommended", "rated", "similar"]) {
      const note = data.marks[kind].find(([marked]) => marked === row);
      if (note) lines.push(note[1]);
    }
    if (data.words.ratings) lines.push(data.words.ratings.replace("{n}", items.ratings[row].toLocaleString()));
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
    const scale = Math.max(widest / 2, Math.min(widest * MAX_ZOOM, this.view.scale * factor));
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

  // Mark the centre with a cross and point at what Enter chooses there.
  showCentre() {
    if (!this.view) return;
    this.isKeyed = true;
    this.paint(true); // at once: an Enter that follows must find the new picture
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
      if (!this.view) return;
      this.view = this.whole();
      this.isMoved = false;
      this.point(-1);
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
    this.dots.style.touchAction = isOn ? "none" : ""; // otherwise a vertical swipe scrolls the page
  }

  listen() {
    const here = (event) => {
      const box = this.dots.getBoundingClientRect(); // differs from the frame's own pixels under a CSS transform
      return [
        ((event.clientX - box.x) * this.frame.clientWidth) / box.width,
        ((event.clientY - box.y) * this.frame.clientHeight) / box.height,
      ];
    };
    const { dots } = this;
    dots.addEventListener("pointerdown", (event) => {
      if (!this.view || event.button > 0) return;
      dots.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, here(event));
      this.pressed = this.pick(...here(event), event.pointerType === "touch" ? TOUCH_REACH : REACH);
      this.leaveKeys();
      this.travelled = this.pointers.size > 1 ? Infinity : 0;
      if (this.isLassoing && this.pointers.size === 1) this.lasso = [this.toMap(...here(event))];
    });
    dots.addEventListener("pointermove", (event) => {
      const [x, y] = here(event);
      const before = this.pointers.get(event.pointerId);
      if (event.pointerType !== "touch") this.hover = [x, y];
      if (!before) {
        if (event.movementX || event.movementY) this.leaveKeys(); // the browser also sends moves that nobody made
        this.repoint();
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
      } else if (this.travelled > CLICK_TRAVEL) {
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
      } else if (event.type === "pointerup" && this.travelled <= CLICK_TRAVEL) {
        this.point(this.pressed);
        if (this.pressed >= 0) this.send("clicked", this.pressed);
      }
    };
    dots.addEventListener("pointerup", release);
    dots.addEventListener("pointercancel", release);
    dots.addEventListener("pointerleave", () => {
      this.hover = null;
      if (!this.isKeyed) this.point(-1);
    });
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
      else if (event.key === "Enter" && this.isKeyed && this.pointed >= 0) this.send("clicked", this.pointed);
      else return;
      event.preventDefault();
      if (event.key !== "Enter") this.showCentre();
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
      if (dots.matches(":focus-visible") && !this.pointers.size) this.showCentre();
    });
    for (const button of this.root.querySelectorAll("button")) {
      button.addEventListener("click", () => this.does[button.dataset.does]());
    }
  }

  // The mouse takes over from the keyboard: the cross disappears.
  leaveKeys() {
    if (!this.isKeyed) return;
    this.isKeyed = false;
    if (this.view) this.paintOver();
  }

  // Redraw when the size of the frame or the theme changes.
  watch() {
    this.resized ??= new ResizeObserver(() => {
      if (!this.isMoved && this.view && this.frame.clientWidth) this.view = this.whole();
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
