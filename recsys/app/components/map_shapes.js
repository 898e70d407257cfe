// Shapes on the map: discs of dots and the polygons and rings of marks, how they are drawn and how far a pointer is away.
// First part of the map's script, see movie_map.py.

const MARKS = {
  // by shape as well as by colour; drawn in this order, the last on top
  similar: { colour: "#7a3e9d", size: 9, shape: "ring" },
  rated: { colour: "#b8860b", size: 10, shape: "star" },
  recommended: { colour: "#a01c1c", size: 11, shape: "diamond" },
  focus: { colour: "#7a3e9d", size: 12, shape: "hexagon" },
  you: { colour: "#d6006c", size: 17, shape: "circle" },
};
const EDGE = 1.5; // width of the white edge of a filled mark
const ALPHA = 200; // opacity of a dot, of 256

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

// Draw a mark, with an optional word (the rank) on it.
function drawMark(context, kind, x, y, size, words = "", font = "sans-serif") {
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
    context.font = `700 10px ${font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = "#fff";
    context.fillText(words, x, y + 0.5);
  }
  context.restore();
}
