// The report's data, and how its numbers are written.

const data = JSON.parse(document.getElementById("data").textContent);
const windows = data.windows;

const whole = new Intl.NumberFormat("en", { useGrouping: true });
function count(value) { return whole.format(Math.round(value)).replace(/,/g, "\u202f"); }
function short(value) {
  for (const [size, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (value >= size) return (value / size).toFixed(value < 10 * size && value % size ? 1 : 0) + unit;
  return String(Math.round(value * 100) / 100);
}
function bytes(value) {
  for (const [size, unit] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [1024, "KiB"]])
    if (value >= size) return (value / size).toFixed(value < 10 * size && value % size ? 1 : 0) + "\u00a0" + unit;
  return Math.round(value) + "\u00a0B";
}
function pages(value) { return count(value) + (value === 1 ? " page" : " pages") + " = " + bytes(value * 4096); }
function duration(ns) {
  if (ns >= 1e9) return (ns / 1e9).toPrecision(3) + "\u00a0s";
  if (ns >= 1e6) return (ns / 1e6).toPrecision(3) + "\u00a0ms";
  if (ns >= 1e3) return (ns / 1e3).toPrecision(3) + "\u00a0\u00b5s";
  return ns + "\u00a0ns";
}
/** Guest time with as many digits as windows are wide. */
const timeDigits = Math.max(0, Math.min(6, 9 - Math.floor(Math.log10(data.window_ns))));
function time(ns, digits = timeDigits) { return (ns / 1e9).toFixed(digits) + "\u00a0s"; }

function windowNs(index) { return Math.min(data.begin.ns + index * data.window_ns, data.end.ns); }
function windowOf(ns) { return (ns - data.begin.ns) / data.window_ns; }
/** Instructions that had retired at the beginning of each window. */
const windowAt = [data.begin.at];
for (const retired of data.measures.instructions) windowAt.push(windowAt[windowAt.length - 1] + retired);

const spaces = new Map(data.spaces.map(space => [space.id, space]));
function spaceName(id) {
  const space = spaces.get(id);
  const name = data.names[id];
  if (name) return id < 3 ? name : name.split("/").pop() || name;
  if (space && !space.user) return "kernel alone, CR3 " + space.root;
  return space ? "CR3 " + space.root : "address space " + id;
}

function command(at) { return "reprise replay " + (data.recording || "FILE") + " --to @" + at; }
function sum(values) { return values.reduce((all, one) => all + one, 0); }

function access(code) {
  return (code & 4 ? "user " : "kernel ") + (code & 16 ? "execute" : code & 2 ? "write" : "read") +
    (code & 1 ? ", forbidden" : ", not present");
}
