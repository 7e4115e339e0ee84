// Drawing: elements, patterns, the shared axis of time, charts with their legends and tables.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// --- Fills: each has a colour and a pattern of its own, so that either is enough ---

const fills = [
  { ink: "#0b5fa5", ground: "#7db8e8", lines: [] },
  { ink: "#9a5b00", ground: "#ffd27a", lines: ["M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4"] },
  { ink: "#00694c", ground: "#9fe0c8", lines: ["M2,2 h2 v2 h-2 z M6,6 h2 v2 h-2 z"] },
  { ink: "#a32b00", ground: "#ffb199", lines: ["M0,0 l8,8 M0,8 l8,-8"] },
  { ink: "#8a2c6b", ground: "#ecb6d6", lines: ["M0,2 h8 M0,6 h8"] },
  { ink: "#2f6f8f", ground: "#d3ecf8", lines: ["M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4"] },
  { ink: "#5d5a00", ground: "#f2ec9b", lines: ["M2,0 v8 M6,0 v8"] },
  { ink: "#3d3d3d", ground: "#c9c9c9", lines: ["M0,4 h8 M4,0 v8"] },
  { ink: "#3d3d3d", ground: "#ffffff", lines: [] },
  { ink: "#4b3fa0", ground: "#cfc9f5", lines: ["M0,4 q2,-4 4,0 q2,4 4,0"] },
];
function fillOf(index) { return "url(#fill" + index % fills.length + ")"; }
function inkOf(index) { return fills[index % fills.length].ink; }
function addPatterns() {
  const defs = draw("defs");
  fills.forEach((fill, index) => {
    const pattern = draw("pattern", { id: "fill" + index, width: 8, height: 8, patternUnits: "userSpaceOnUse" },
                         draw("rect", { width: 8, height: 8, fill: fill.ground }));
    for (const line of fill.lines)
      pattern.append(draw("path", { d: line, stroke: fill.ink, "stroke-width": 1.3, fill: index === 2 ? fill.ink : "none" }));
    defs.append(pattern);
  });
  document.body.append(draw("svg", { width: 0, height: 0, "aria-hidden": "true", style: "position:absolute" }, defs));
}
function swatch(index) {
  return draw("svg", { viewBox: "0 0 26 16", "aria-hidden": "true" },
              draw("rect", { x: .5, y: .5, width: 25, height: 15, fill: fillOf(index), stroke: inkOf(index) }));
}

// --- Copying positions, tooltips ---

let copiedTimer;
function copyPosition(at) {
  const text = command(at);
  const say = message => {
    const box = document.getElementById("copied");
    box.textContent = message;
    box.hidden = false;
    clearTimeout(copiedTimer);
    copiedTimer = setTimeout(() => { box.hidden = true; }, 4000);
  };
  const done = navigator.clipboard ? navigator.clipboard.writeText(text) : Promise.reject();
  done.then(() => say("Copied: " + text), () => say(text));
}
function position(at) {
  return make("button", { class: "at", title: "Copy: " + command(at), onclick: () => copyPosition(at) }, "@" + at);
}
const tip = document.getElementById("tip");
function showTip(event, text) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = event.clientX + 16 + box.width < innerWidth ? event.clientX + 16 : event.clientX - 16 - box.width;
  tip.style.left = Math.max(4, left) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - box.height - 8)) + "px";
}
function hideTip() { tip.hidden = true; }

// --- The part of the time that all pictures show, in windows ---

const view = { from: 0, to: windows };
const redraws = [];
let redrawWaits = false;
function redrawAll() {
  if (redrawWaits) return;
  redrawWaits = true;
  requestAnimationFrame(() => {
    redrawWaits = false;
    document.getElementById("range").textContent =
      "guest time " + time(windowNs(view.from)) + " to " + time(windowNs(view.to));
    for (const redraw of redraws) redraw();
  });
}
function show(from, to) {
  const length = Math.min(windows, Math.max(Math.min(4, windows), Math.round(to - from)));
  view.from = Math.max(0, Math.min(Math.round(from), windows - length));
  view.to = view.from + length;
  redrawAll();
}
function zoom(how) {
  const length = view.to - view.from;
  const middle = (view.from + view.to) / 2;
  if (how === "in") show(middle - length / 4, middle + length / 4);
  if (how === "out") show(middle - length, middle + length);
  if (how === "left") show(view.from - length / 3, view.to - length / 3);
  if (how === "right") show(view.from + length / 3, view.to + length / 3);
  if (how === "all") show(0, windows);
}

const margin = { left: 66, right: 12, top: 8, bottom: 22 };

/** How a picture of `width` shows the view: bins of whole windows. */
function bins(width) {
  const length = view.to - view.from;
  const each = Math.max(1, Math.ceil(length / Math.max(1, Math.floor(width / 3))));
  const first = Math.floor(view.from / each) * each;
  const list = [];
  for (let begin = first; begin < view.to; begin += each) list.push([Math.max(begin, view.from), Math.min(begin + each, view.to)]);
  return { list, x: window => (window - view.from) / length * width };
}
const joins = {
  sum: (values, begin, end) => { let all = 0; for (let i = begin; i < end; ++i) all += values[i] || 0; return all; },
  most: (values, begin, end) => { let most = 0; for (let i = begin; i < end; ++i) most = Math.max(most, values[i] || 0); return most; },
  last: (values, begin, end) => values[end - 1] || 0,
};

function ticks(most, wanted) {
  if (most <= 0) return [0];
  const rough = most / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(one => one * power).find(one => one >= rough);
  const list = [];
  for (let at = 0; at <= most * 1.0001; at += step) list.push(at);
  return list;
}
function byteTicks(most, wanted) {
  if (most <= 0) return [0];
  const step = 2 ** Math.ceil(Math.log2(most / wanted));
  const list = [];
  for (let at = 0; at <= most; at += step) list.push(at);
  return list;
}
function timeAxis(width, top) {
  const group = draw("g");
  const from = windowNs(view.from) / 1e9;
  const to = windowNs(view.to) / 1e9;
  if (!(to > from)) return group;
  const rough = (to - from) / 8;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(one => one * power).find(one => one >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const x = margin.left + (at - from) / (to - from) * width;
    group.append(draw("line", { x1: x, x2: x, y1: top, y2: top + 4, class: "axis" }),
                 draw("text", { x, y: top + 17, "text-anchor": "middle" }, at.toFixed(digits) + " s"));
  }
  return group;
}

const cursors = [];
/** A picture over time: `paint(svg, width, height)` fills it, `tell(bin)` gives its tooltip for windows [begin, end). */
function timePicture({ height, label, paint, tell }) {
  const svg = draw("svg", { class: "picture", height, role: "img", "aria-label": label });
  const cursor = draw("line", { class: "cursor", y1: 0, y2: height, visibility: "hidden" });
  const choice = draw("rect", { class: "choice", y: 0, height, visibility: "hidden" });
  let width = 0;
  let dragFrom = null;
  cursors.push(x => {
    cursor.setAttribute("visibility", x === null ? "hidden" : "visible");
    if (x !== null) { cursor.setAttribute("x1", x); cursor.setAttribute("x2", x); }
  });
  redraws.push(() => {
    const all = svg.clientWidth;
    if (!all) return;
    width = all - margin.left - margin.right;
    svg.replaceChildren();
    paint(svg, width, height - margin.top - margin.bottom);
    svg.append(timeAxis(width, height - margin.bottom), choice, cursor);
  });
  const place = event => Math.max(0, Math.min(width - .01, event.clientX - svg.getBoundingClientRect().left - margin.left));
  const windowAtPlace = x => view.from + x / width * (view.to - view.from);
  svg.addEventListener("pointerdown", event => {
    if (event.button !== 0 || event.target.classList.contains("event")) return;
    dragFrom = place(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", event => {
    const x = place(event);
    for (const move of cursors) move(margin.left + x);
    if (dragFrom !== null && Math.abs(x - dragFrom) > 3) {
      choice.setAttribute("visibility", "visible");
      choice.setAttribute("x", margin.left + Math.min(x, dragFrom));
      choice.setAttribute("width", Math.abs(x - dragFrom));
    }
    if (event.target.classList.contains("event")) return;
    const bin = bins(width).list.find(([, end]) => windowAtPlace(x) < end);
    if (!bin) return;
    showTip(event, time(windowNs(bin[0])) + " to " + time(windowNs(bin[1])) + ", from @" + windowAt[bin[0]] + "\n" + tell(bin));
  });
  svg.addEventListener("pointerup", event => {
    if (dragFrom === null) return;
    const x = place(event);
    choice.setAttribute("visibility", "hidden");
    const from = dragFrom;
    dragFrom = null;
    if (Math.abs(x - from) > 3) show(windowAtPlace(Math.min(x, from)), windowAtPlace(Math.max(x, from)));
    else copyPosition(windowAt[Math.floor(windowAtPlace(x))]);
  });
  svg.addEventListener("pointerleave", () => { hideTip(); for (const move of cursors) move(null); });
  svg.addEventListener("dblclick", () => show(0, windows));
  return svg;
}

/** Areas upon each other. Parts: {name, values, fill}; hidden ones are left out. */
function stack({ parts, join = "sum", height = 190, label, format = short, full = count, unit = "", scale = ticks }) {
  const shown = () => parts.filter(part => !part.hidden);
  return timePicture({
    height, label,
    paint(svg, width, high) {
      const { list, x } = bins(width);
      const tops = list.map(() => 0);
      const layers = shown().map(part => list.map(([begin, end], i) => {
        const low = tops[i];
        tops[i] += joins[join](part.values, begin, end);
        return [low, tops[i]];
      }));
      const most = Math.max(...tops, 0);
      const y = value => margin.top + high - (most ? value / most * high : 0);
      for (const at of scale(most, 4)) {
        svg.append(draw("line", { x1: margin.left, x2: margin.left + width, y1: y(at), y2: y(at), class: "axis" }),
                   draw("text", { x: margin.left - 6, y: y(at) + 4, "text-anchor": "end" }, format(at)));
      }
      layers.forEach((layer, index) => {
        let upper = "";
        let lower = "";
        let any = false;
        list.forEach(([begin, end], i) => {
          const left = (margin.left + x(begin)).toFixed(1);
          const right = (margin.left + x(end)).toFixed(1);
          upper += `${i ? "L" : "M"}${left},${y(layer[i][1]).toFixed(1)}L${right},${y(layer[i][1]).toFixed(1)}`;
          lower = `L${right},${y(layer[i][0]).toFixed(1)}L${left},${y(layer[i][0]).toFixed(1)}` + lower;
          any = any || layer[i][1] > layer[i][0];
        });
        const fill = shown()[index].fill;
        if (any) svg.append(draw("path", { d: upper + lower + "Z", class: "area", fill: fillOf(fill), stroke: inkOf(fill) }));
      });
    },
    tell([begin, end]) {
      const lines = shown().map(part => [joins[join](part.values, begin, end), part.name]).filter(([value]) => value > 0);
      return lines.length ? lines.reverse().map(([value, name]) => name + ": " + full(value) + unit).join("\n") : "nothing";
    },
  });
}

/** What the fills stand for; a click hides a part. */
function legend(parts, counted) {
  const list = make("ul", { class: "legend" });
  for (const part of parts) {
    const item = make("li", { class: "switch", title: (part.meaning ? part.meaning + ". " : "") + "Click: hide or show." },
                      swatch(part.fill), make("span", {}, part.name),
                      make("span", { class: "count" }, counted ? counted(part) : ""));
    item.addEventListener("click", () => {
      part.hidden = !part.hidden;
      item.classList.toggle("off", part.hidden);
      redrawAll();
    });
    list.append(item);
  }
  return list;
}

/** The numbers behind a picture, made when somebody opens it. Columns: [heading, is a number]; cells: text or elements. */
function table(title, columns, rows) {
  const details = make("details", {}, make("summary", {}, title));
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const head = make("tr");
    for (const [heading, number] of columns) head.append(make("th", number ? { class: "number" } : {}, heading));
    const body = make("tbody");
    for (const row of rows()) {
      const line = make("tr");
      row.forEach((cell, i) => line.append(make("td", columns[i][1] ? { class: "number" } : {}, cell)));
      body.append(line);
    }
    details.append(make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), body)));
  });
  return details;
}
/** A table of parts by window, without windows in which nothing was. */
function windowTable(parts, full = count) {
  return table("Table: by window of " + duration(data.window_ns),
               [["from"], ["position"], ...parts.map(part => [part.name, true])],
               () => Array.from({ length: windows }, (_, i) => i)
                 .filter(i => parts.some(part => part.values[i]))
                 .map(i => [time(windowNs(i)), position(windowAt[i]), ...parts.map(part => full(part.values[i] || 0))]));
}

function section(id, title, ...explanation) {
  const box = make("section", { id }, make("h2", {}, title));
  for (const text of explanation) box.append(make("p", {}, text));
  document.getElementById("pictures").append(box);
  return box;
}
