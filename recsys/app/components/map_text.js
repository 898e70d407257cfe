// Text around the map: labels of the tools, the legend, and the list of marks for screen readers.
// Second part of the map's script, after map_shapes.js.

// Label the picture and its tools.
function showWords(root, data) {
  const { words } = data;
  root.querySelector(".dots").setAttribute("aria-label", words.alt);
  root.querySelector(".marked").setAttribute("aria-label", words.marked);
  for (const button of root.querySelectorAll("button")) {
    button.title = words[button.dataset.does];
    button.setAttribute("aria-label", words[button.dataset.does]);
  }
  root.querySelector(".loading").textContent = words.loading;
  for (const tool of root.querySelectorAll(".for-region")) tool.hidden = !data.takesRegions;
  root.querySelector("[data-does=clear]").hidden = !data.region;
}

// Explain the shapes of the marks that are there, and the colours of the dots.
function showLegend(root, data) {
  const legend = root.querySelector(".legend");
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
    add(words, (context) => drawMark(context, kind, 8, 8, 6));
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
function listMarks(root, data, titles) {
  const { marks, words } = data;
  const entries = ["recommended", "rated", "similar"].flatMap((kind) =>
    marks[kind].map(([row, note]) => [kind, titles[row], note]),
  );
  if (marks.focus !== null) entries.push(["focus", titles[marks.focus], words.focus]);
  if (marks.you !== null) entries.push(["you", marks.youLabel, ""]);
  root.querySelector(".marked").replaceChildren(
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
