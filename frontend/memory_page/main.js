// The page as a whole.

function tile(value, text) {
  document.getElementById("tiles").append(make("div", { class: "tile" }, make("b", {}, value), make("span", {}, text)));
}

function overview() {
  const svg = document.getElementById("overview");
  const busy = data.measures.instructions;
  redraws.push(() => {
    const width = svg.clientWidth;
    const height = svg.clientHeight;
    const most = Math.max(1, ...busy);
    let path = `M0,${height}`;
    busy.forEach((value, i) => { const y = height - value / most * (height - 2); path += `L${i / windows * width},${y}L${(i + 1) / windows * width},${y}`; });
    svg.replaceChildren(draw("path", { d: path + `L${width},${height}Z`, fill: "#c5ced8" }),
      draw("rect", { class: "choice", x: view.from / windows * width, width: Math.max(2, (view.to - view.from) / windows * width), y: 0, height }));
  });
  svg.addEventListener("click", event => {
    const box = svg.getBoundingClientRect();
    const middle = (event.clientX - box.left) / box.width * windows;
    const half = (view.to - view.from) / 2;
    show(middle - half, middle + half);
  });
}

addPatterns();
document.getElementById("command").textContent = data.command;
document.getElementById("version").textContent = data.version;
document.getElementById("position_example").textContent = command("N");
const retired = data.end.at - data.begin.at;
tile(time(data.end.ns - data.begin.ns, 3), "of guest time, " + short(retired) + " instructions");
tile(bytes(data.memory_bytes), "of memory");
tile(count(sum(data.faults.kinds.map(kind => kind.count))), "page faults");
tile(count(data.spaces_seen), "address spaces");
tile(bytes(Math.max(...data.working_set.all) * 4096), "touched at most in " + duration(data.window_ns));
tile(count(sum(data.measures.walks_new)), "TLB misses");

if (data.cut_off)
  document.getElementById("guide").before(make("p", { class: "warning" }, "The report ends at ", position(data.end.at), ": a debugger went back from there."));
faultPictures();
workingSetPictures();
tlbPictures();
tablePictures();
swapPictures();
hugePictures();
diskPicture();
mapPictures();
overview();

for (const button of document.querySelectorAll("#zoom button"))
  button.addEventListener("click", () => zoom(button.dataset.zoom));
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, textarea")) return;
  const how = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", "0": "all" }[event.key];
  if (how) { zoom(how); event.preventDefault(); }
});
addEventListener("resize", redrawAll);
redrawAll();
