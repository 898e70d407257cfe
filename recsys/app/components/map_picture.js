// The picture of the map: dots on one canvas, marks, labels, titles and the region on another one above it.
// Third part of the map's script, after map_text.js.
//
// Dots are rasterized here rather than by WebGL: 60,000 of them take a few milliseconds on any machine, with or without
// a graphics card, and the browser's limit on WebGL contexts does not apply.

const YOU_ON_DARK = "#ff6fb0";
const MARK_ORDER = ["similar", "rated", "recommended"]; // from bottom to top; then focus, then you
const MAX_RADIUS = 14; // of a dot, in CSS pixels
const MAX_DOTS_FOR_TITLES = 300; // with fewer dots in view, the best-known movies among them show their titles
const MAX_TITLES = 40;

function shorten(text, most) {
  const letters = Array.from(text);
  return letters.length <= most ? text : letters.slice(0, most - 1).join("").trimEnd() + "…";
}

class MapPicture {
  constructor(root) {
    this.root = root;
    this.dots = root.querySelector(".dots");
    this.over = root.querySelector(".over");
    this.frame = root.querySelector(".frame");
    this.data = null;
    this.items = this.coordinates = this.codes = null;
    this.view = null; // { x, y: map coordinates at the centre, scale: CSS pixels per map unit }
    this.dotsDrawn = null; // where the dots of the picture on screen are: { left, top, scale, ratio, unit }
    this.marksDrawn = []; // the marks on screen, from bottom to top: { kind, row, x, y }
    this.lasso = null; // outline being drawn, in map coordinates
    this.isKeyed = false; // moved with the keyboard: a cross marks the centre, where Enter chooses
    this.sharpen = 0;
  }

  // The view of the whole map.
  whole() {
    const { left, right, low, high } = this.bounds;
    const width = this.frame.clientWidth, height = this.frame.clientHeight;
    const scale = Math.min((width - 36) / Math.max(right - left, 1e-6), (height - 36) / Math.max(high - low, 1e-6));
    return { x: (left + right) / 2, y: (low + high) / 2, scale };
  }

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
        drawMark(context, kind, x, y, MARKS[kind].size, kind === "recommended" ? String(at + 1) : "", this.font);
        this.marksDrawn.push({ kind, row, x, y });
        taken.push([x - 10, y - 10, x + 10, y + 10]);
      });
    }
    if (marks.focus !== null) {
      const [x, y] = this.screenOf(marks.focus);
      if (Number.isFinite(x)) {
        drawMark(context, "focus", x, y, MARKS.focus.size);
        this.marksDrawn.push({ kind: "focus", row: marks.focus, x, y });
        this.word(context, shorten(this.items.titles[marks.focus], 36), x, y + 24, 13, taken, true);
      }
    }
    if (marks.you !== null) {
      let [x, y] = this.toScreen(...marks.you);
      if (!this.isMoved) { // a linear map can place a user beyond all movies: at the edge of the whole map, then
        x = Math.max(16, Math.min(width - 16, x));
        y = Math.max(16, Math.min(height - 44, y));
      }
      drawMark(context, "you", x, y, MARKS.you.size);
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
}
