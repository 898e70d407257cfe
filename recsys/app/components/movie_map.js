// The map of all movies: dots, marks, labels, a lasso. It fetches large arrays by URL and sends back small messages:
// the row of the chosen movie, or the outline of a region. Zoom and pan survive every rerun. Titles are inserted as
// text, never as HTML. Last part of the map's script: map_shapes.js, map_text.js and map_picture.js come
// before it.
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

const REACH = 12; // CSS pixels between a pointer and the edge of the dot or mark that it still chooses
const TOUCH_REACH = 24;
const KEYBOARD_REACH = 60;
const CLICK_TRAVEL = 4; // a pointer that moves farther than this drags
const MAX_ZOOM = 400;

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

class MovieMap extends MapPicture {
  constructor(root) {
    super(root);
    this.tip = root.querySelector(".tip");
    this.loaded = null; // the data whose arrays are drawn
    this.isMoved = false; // once the user has moved the view, a resize keeps it
    this.pointers = new Map(); // pressed pointers: id → [x, y]
    this.pressed = -1; // row under the pointer when it was pressed
    this.hover = null; // [x, y] of a mouse or pen over the map
    this.isLassoing = false;
    this.pointed = -1; // row whose tooltip is open
    this.listen();
  }

  paint(isMoving) {
    super.paint(isMoving);
    if (this.isKeyed || !isMoving) this.repoint();
  }

  // --- data ---------------------------------------------------------------------------------------------------

  async update(data) {
    this.data = data;
    showWords(this.root, data);
    showLegend(this.root, data);
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
      listMarks(this.root, data, items.titles);
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
        if (event.movementX || event.movementY) this.leaveKeys(); // the browser also sends moves without movement
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
