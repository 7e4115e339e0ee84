// The pictures, one function each.

// --- Page faults ---

function faultPictures() {
  const kinds = data.faults.kinds;
  const parts = kinds.map((kind, i) => ({ ...kind, values: kind.series, fill: i })).filter(kind => kind.count);
  const box = section("faults", "Page faults, by what the kernel made of them",
    "Each time the page tables did not allow an access, the kernel had to decide. What it did shows in the entry before and " +
    "the page after.");
  if (!parts.length) { box.append(make("p", {}, "There were none.")); return; }
  box.append(stack({ parts, label: "Page faults over time by kind", unit: " faults" }),
             legend(parts, part => count(part.count)));
  box.append(eventLanes(parts), make("p", { class: "note" },
    "Marks are single faults, evenly picked, and those that took longest. Click one to copy its position."));
  box.append(table("Table: kinds", [["kind"], ["faults", true], ["median time to answer", true], ["meaning"]],
                   () => parts.map(part => [part.name, count(part.count), medianText(part.durations), part.meaning])));
  box.append(table("Table: by what the processor said (error codes)", [["access"], ["faults", true]],
                   () => data.faults.codes.map(code => [code.name, count(code.count)])));
  box.append(windowTable(parts));
  box.append(faultTable(parts));
  durationPicture(box, parts.filter(part => sum(part.durations)), "How long they took to answer",
    "Guest time from the fault until the access was let through, in powers of two. Short ones are the kernel's own work; long ones " +
    "waited, mostly for a disk or for their turn.", " faults answered in ");
}

function medianText(durations) {
  const half = sum(durations) / 2;
  let seen = 0;
  for (let i = 0; i < durations.length; ++i) {
    seen += durations[i];
    if (durations[i] && seen >= half) return duration(2 ** i) + " to " + duration(2 ** (i + 1));
  }
  return "";
}

function instruction(fault) {
  return fault.rip + (fault.symbol ? " " + fault.symbol : "");
}

function faultText(fault, part) {
  return part.name + " in " + spaceName(fault.space) + "\n@" + fault.at + ", " + time(fault.ns, 6) + "\naddress " +
    fault.linear + ", " + access(fault.code) + "\nby the instruction at " + instruction(fault) +
    (fault.took_ns === null ? "\nnot answered" : "\nanswered after " + duration(fault.took_ns));
}

function eventLanes(parts, tell = faultText) {
  const lane = 16;
  const height = margin.top + parts.length * lane + margin.bottom;
  return timePicture({
    height, label: "Single events by kind",
    paint(svg, width) {
      parts.forEach((part, i) => {
        const y = margin.top + i * lane;
        svg.append(draw("line", { x1: margin.left, x2: margin.left + width, y1: y + lane, y2: y + lane, class: "axis" }),
                   draw("rect", { x: 22, y: y + 2, width: 26, height: lane - 4, fill: fillOf(part.fill), stroke: inkOf(part.fill) }));
        if (part.hidden) return;
        for (const fault of new Set([...part.sample, ...part.slowest])) {
          const x = (windowOf(fault.ns) - view.from) / (view.to - view.from) * width;
          if (x < 0 || x > width) continue;
          svg.append(draw("line", {
            class: "event", tabindex: -1, x1: margin.left + x, x2: margin.left + x, y1: y + 2, y2: y + lane - 2, stroke: inkOf(part.fill),
            onpointermove: event => showTip(event, tell(fault, part)),
            onclick: () => copyPosition(fault.at),
          }));
        }
      });
    },
    tell: () => "marks: single ones of the kinds at the left",
  });
}

function faultTable(parts) {
  const columns = [["position"], ["time", true], ["kind"], ["program"], ["address"], ["access"], ["instruction"],
                   ["entry before"], ["answered after", true]];
  return table("Table: single faults", columns, () => {
    const rows = new Map();
    for (const part of parts)
      for (const fault of [...part.sample, ...part.slowest]) rows.set(fault.at + " " + fault.linear, [fault, part]);
    return [...rows.values()].sort((a, b) => a[0].at - b[0].at).map(([fault, part]) =>
      [position(fault.at), time(fault.ns, 6), part.name, spaceName(fault.space), fault.linear, access(fault.code), instruction(fault),
       fault.entry, fault.took_ns === null ? "-" : duration(fault.took_ns)]);
  });
}

function durationPicture(box, parts, heading, explanation, said) {
  if (!parts.length) return;
  const most = parts[0].durations.length;
  const totals = Array.from({ length: most }, (_, i) => sum(parts.map(part => part.durations[i])));
  const first = totals.findIndex(total => total);
  const last = most - [...totals].reverse().findIndex(total => total);
  const height = 170;
  const svg = draw("svg", { class: "picture", height, role: "img", "aria-label": "How long faults took to answer" });
  redraws.push(() => {
    const width = svg.clientWidth - margin.left - margin.right;
    const high = height - margin.top - margin.bottom;
    if (width <= 0) return;
    svg.replaceChildren();
    const visible = parts.filter(part => !part.hidden);
    const top = Math.max(1, ...Array.from({ length: most }, (_, i) => sum(visible.map(part => part.durations[i]))));
    const each = width / (last - first);
    for (const at of ticks(top, 4)) {
      const y = margin.top + high - at / top * high;
      svg.append(draw("line", { x1: margin.left, x2: margin.left + width, y1: y, y2: y, class: "axis" }),
                 draw("text", { x: margin.left - 6, y: y + 4, "text-anchor": "end" }, short(at)));
    }
    for (let i = first; i < last; ++i) {
      let low = 0;
      const x = margin.left + (i - first) * each;
      for (const part of visible) {
        const value = part.durations[i];
        if (!value) continue;
        const bar = draw("rect", { x: x + 1, width: Math.max(1, each - 2), y: margin.top + high - (low + value) / top * high,
                                   height: value / top * high, fill: fillOf(part.fill), stroke: inkOf(part.fill), class: "area" });
        bar.addEventListener("pointermove", event => showTip(event, part.name + ": " + count(value) + said +
                                                             duration(2 ** i) + " to " + duration(2 ** (i + 1))));
        bar.addEventListener("pointerleave", hideTip);
        svg.append(bar);
        low += value;
      }
      if ((i - first) % Math.ceil(70 / each) === 0)
        svg.append(draw("text", { x, y: height - 5, "text-anchor": "middle" }, duration(2 ** i)));
    }
  });
  box.append(make("h3", {}, heading), make("p", {}, explanation), svg,
    table("Table: times", [["from"], ["to"], ...parts.map(part => [part.name, true])],
          () => totals.map((total, i) => [total, i]).filter(([total]) => total).map(([, i]) =>
            [duration(2 ** i), duration(2 ** (i + 1)), ...parts.map(part => count(part.durations[i]))])));
}

// --- Working sets ---

function valuesOf(set) {
  const values = new Array(windows).fill(0);
  for (const [window, pages] of set) values[window] = pages;
  return values;
}

/** Several spaces may have the same name. */
function legendName(space) {
  const name = spaceName(space.id);
  return name.includes(space.root) ? name : name + ", CR3 " + space.root;
}

function workingSetPictures() {
  const box = section("working_sets", "Working sets: pages touched in each window",
    "How many different pages each address space used in each window of " + duration(data.window_ns) + " of guest time: read, " +
    "written or executed at least once. " + (data.working_set.exact ? "Every page is counted exactly once." :
    "More pages were in use than were remembered: wide windows may have counted some twice."));
  for (const space of data.spaces) space.values = valuesOf(space.set);
  const ranked = data.spaces.filter(space => space.root).sort((a, b) => sum(b.values) - sum(a.values));
  const parts = data.spaces.filter(space => !space.root).map((space, i) => ({ name: space.name, values: space.values, fill: 7 + i }));
  parts.push(...ranked.slice(0, 6).map((space, i) => ({ name: legendName(space), values: space.values, fill: i })));
  const shown = sumOf(parts);
  const others = data.working_set.all.map((value, i) => value - shown[i]);
  if (sum(others)) parts.push({ name: "other address spaces", values: others, fill: 9 });
  box.append(stack({ parts, join: "most", label: "Pages touched over time by address space", full: pages }), legend(parts),
    make("p", { class: "note" }, "Where one column covers several windows it shows each part's largest, so zoom in for sums. A page that two address spaces " +
         "share counts in both. A program is named after what was executed; one that was forked has its parent's name."));
  box.append(spaceRows());
  box.append(table("Table: address spaces",
    [["program"], ["arguments"], ["CR3"], ["begins"], ["at", true], ["ends", true], ["page faults", true], ["pages touched in all", true],
     ["largest window", true]],
    () => data.spaces.map(space => [space.name || "(not known)", space.words, space.root || "", position(space.begin.at),
      time(space.begin.ns), space.end_ns === null ? "" : time(space.end_ns), count(space.faults), count(space.pages), count(space.peak)])));
  box.append(windowTable(parts));
  if (data.spaces_seen > data.spaces.length)
    box.append(make("p", { class: "note" }, `Of ${data.spaces_seen} address spaces the ${data.spaces.length} that touched most are listed.`));
}

function sumOf(parts) {
  const all = new Array(windows).fill(0);
  for (const part of parts) part.values.forEach((value, i) => { all[i] += value; });
  return all;
}

const orders = {
  "largest first": (a, b) => b.pages - a.pages || a.id - b.id,
  "in the order in which they began": (a, b) => a.begin.at - b.begin.at || a.id - b.id,
};

function spaceRow(space) {
  const svg = draw("svg", { role: "img", "aria-label": "Pages touched by " + spaceName(space.id) });
  const name = make("div", { class: "name", title: [space.words || space.executed || space.name, space.root ? "CR3 " + space.root : ""].join("\n") },
                    make("b", {}, spaceName(space.id)), " ", space.root ? position(space.begin.at) : "");
  const windowAtMouse = event => {
    const box = svg.getBoundingClientRect();
    return Math.min(windows - 1, Math.floor(view.from + (event.clientX - box.left) / box.width * (view.to - view.from)));
  };
  svg.addEventListener("pointermove", event => {
    const window = windowAtMouse(event);
    showTip(event, spaceName(space.id) + (space.root ? ", CR3 " + space.root : "") + "\n" + time(windowNs(window)) + ", from @" + windowAt[window] + ": " +
      pages(space.values[window] || 0) + "\n" + space.words);
  });
  svg.addEventListener("pointerleave", hideTip);
  svg.addEventListener("click", event => copyPosition(windowAt[windowAtMouse(event)]));
  redraws.push(() => {
    const width = svg.clientWidth;
    if (!width) return;
    const { list, x } = bins(width);
    const top = Math.max(1, space.peak);
    let path = "M0,26";
    for (const [begin, end] of list) {
      const y = (25 - joins.most(space.values, begin, end) / top * 23).toFixed(1);
      path += `L${x(begin).toFixed(1)},${y}L${x(end).toFixed(1)},${y}`;
    }
    svg.replaceChildren(draw("path", { d: path + `L${width},26Z`, fill: "#8aa4bf", stroke: "#274868", "stroke-width": .8 }));
  });
  return make("div", { class: "row" }, name, svg, make("div", { class: "peak" }, bytes(space.peak * 4096) + " / " + bytes(space.pages * 4096)));
}

function spaceRows() {
  const made = new Map(data.spaces.map(space => [space, spaceRow(space)]));
  const rows = make("div", { class: "rows" });
  const choice = make("div", { class: "choices", role: "group", "aria-label": "Order of the rows" });
  const sort = order => {
    for (const button of choice.children) button.setAttribute("aria-pressed", button.textContent === order);
    rows.replaceChildren(...[...data.spaces].sort(orders[order]).map(space => made.get(space)));
  };
  for (const order of Object.keys(orders)) choice.append(make("button", { onclick: () => sort(order) }, order));
  sort("largest first");
  return make("div", {}, make("h3", {}, "Each by itself"),
    make("p", { class: "note" }, "Each row has a scale of its own: its largest window is as high as the row. Behind the name is the position at which it " +
         "began; at the right its largest window, and all that it ever touched."), choice, rows);
}

// --- TLB, disks ---

function part(name, measure, fill, meaning = "") {
  return { name, values: data.measures[measure], fill, meaning };
}

function tlbPictures() {
  const box = section("tlb", "The TLB: page walks and reach",
    "The processor asks its TLB first. What is not there costs a walk through the page tables. A working set that is larger than what " +
    "the TLB reaches is walked for again and again; huge pages reach further.");
  const walks = [part("no translation was held", "walks_new", 0, "a miss"),
                 part("held, but not enough", "walks_again", 1, "the first store to a page has to set D; rights had changed")];
  box.append(make("h3", {}, "Page walks that found a translation"),
             stack({ parts: walks, height: 140, label: "Page walks over time", unit: " walks" }),
             legend(walks, one => count(sum(one.values))), windowTable(walks));
  const reach = [{ name: "small pages", values: data.measures.tlb_small_pages.map(one => one * 4096), fill: 2 },
                 { name: "pieces of huge pages", values: data.measures.tlb_large_pages.map(one => one * 2 ** 21), fill: 4 }];
  box.append(make("h3", {}, "Reach: how much memory the usable translations cover"),
             make("p", { class: "note" }, "At the end of each window, over all processors. Translations of other address spaces that wait in the TLB are not in it."),
             stack({ parts: reach, join: "last", height: 140, label: "TLB reach over time", format: bytes, full: bytes, scale: byteTicks }), legend(reach),
             windowTable([part("small pages", "tlb_small_pages", 2), part("pieces of 2 MiB", "tlb_large_pages", 4)]));
  const flushes = [part("one page (INVLPG)", "flushes_page", 5), part("one address space (MOV CR3, INVPCID)", "flushes_pcid", 3),
                   part("all but global", "flushes_nonglobal", 6), part("everything", "flushes_all", 7)];
  box.append(make("h3", {}, "Flushes"), stack({ parts: flushes, height: 120, label: "TLB flushes over time", unit: " flushes" }),
             legend(flushes, one => count(sum(one.values))), windowTable(flushes));
}

function diskPicture() {
  const box = section("disks", "Disk traffic", "What the drives read and wrote meanwhile: files that are used for the first time, and swap.");
  const parts = [part("read", "disk_read_bytes", 0), part("written", "disk_written_bytes", 3)];
  if (!sum(parts[0].values) && !sum(parts[1].values)) { box.append(make("p", {}, "There was none.")); return; }
  box.append(stack({ parts, height: 120, label: "Disk traffic over time", format: bytes, full: bytes, scale: byteTicks }),
             legend(parts, one => bytes(sum(one.values))), windowTable(parts, bytes));
}

// --- Page tables, swap, huge pages ---

function tablePictures() {
  const box = section("tables", "Page tables",
    "Page tables are memory, too: each takes 4 KiB. A table of the lowest level (PT) maps 2 MiB of small pages; one level up (PD) an entry " +
    "leads to such a table, or is a huge page itself.", data.tables_complete ? "Followed from every root that was in CR3, entry by entry." :
    "There were too many to follow all of them.");
  const parts = [part("PT of programs", "tables_user_pt", 0), part("PT of the kernel", "tables_kernel_pt", 1), part("PD", "tables_pd", 2),
                 part("PDPT", "tables_pdpt", 4), part("PML4 (roots)", "tables_pml4", 3), part("PML5 (roots)", "tables_pml5", 5)]
    .filter(one => sum(one.values));
  if (!parts.length) { box.append(make("p", {}, "None were seen: the guest used no 4-level or 5-level paging.")); return; }
  box.append(stack({ parts, join: "last", height: 150, label: "Page tables over time by level", unit: " tables" }), legend(parts), windowTable(parts));
  const mapped = [{ name: "small pages", values: data.measures.mapped_user_small.map(one => one * 4096), fill: 2 },
                  { name: "huge pages", values: data.measures.mapped_user_huge.map(one => one * 2 ** 21), fill: 4 }];
  box.append(make("h3", {}, "What programs have mapped"),
    make("p", { class: "note" }, "A page that several programs map counts once for each."),
    stack({ parts: mapped, join: "last", height: 130, label: "Memory that programs have mapped, over time", format: bytes, full: bytes, scale: byteTicks }),
    legend(mapped), windowTable(mapped, bytes));
}

function entryEvents(box, names, label, emptyText) {
  const parts = data.entries.kinds.map((kind, i) => ({ ...kind, values: kind.series, fill: i, slowest: [] }))
    .filter(kind => names.includes(kind.name) && kind.count);
  if (!parts.length) { box.append(make("p", {}, emptyText)); return false; }
  const tell = (event, kind) => kind.name + ": " + spaceName(event.space) + ", address " + event.linear + "\n@" + event.at + ", " +
    time(event.ns, 6) + "\nentry " + event.before + " became " + event.after +
    (event.away_ns === null ? "" : "\naway for " + duration(event.away_ns));
  box.append(stack({ parts, height: 130, label, unit: " pages" }), legend(parts, one => count(one.count)), eventLanes(parts, tell),
    table("Table: single pages", [["position"], ["time", true], ["what"], ["program"], ["address"], ["entry before"], ["entry after"], ["away", true]],
      () => parts.flatMap(kind => kind.sample.map(event => [event, kind])).sort((a, b) => a[0].at - b[0].at).map(([event, kind]) =>
        [position(event.at), time(event.ns, 6), kind.name, spaceName(event.space), event.linear, event.before, event.after,
         event.away_ns === null ? "" : duration(event.away_ns)])),
    windowTable(parts));
  return true;
}

function swapPictures() {
  const box = section("swap", "Swap: pages that leave memory and come back",
    "When memory is short the kernel writes pages that were not used for long to a swap area, and notes in their entries where they are. The " +
    "next use is a page fault that brings them back.");
  if (!entryEvents(box, ["swapped out", "swapped in", "dropped from swap", "shared in swap"], "Pages swapped over time",
                   "No page was seen to be swapped out.")) return;
  const out = [part("pages that are away", "swapped_out", 3)];
  box.append(make("h3", {}, "Pages that are away"),
    stack({ parts: out, join: "last", height: 110, label: "Pages that are swapped out, over time", full: pages }), windowTable(out));
  if (sum(data.entries.away)) {
    const away = [{ name: "swapped in", durations: data.entries.away, fill: 1, count: sum(data.entries.away) }];
    durationPicture(box, away, "How long they were away", "From the moment the page's entry became a swap entry until it came back, in powers of two.", " pages came back after ");
  }
}

function hugePictures() {
  const box = section("huge", "Huge pages: made and split",
    "One entry for 2 MiB saves a table and 511 translations. The kernel makes huge pages when a large area is used, joins small pages later " +
    "(khugepaged), and splits them when a part needs to be different.");
  entryEvents(box, ["huge page made", "joined to a huge page", "huge page split"], "Huge pages made and split over time", "None were seen.");
}

// --- Maps ---

function mapPictures() {
  const box = section("maps", "Maps of memory",
    "What each part of physical memory was used for at some instants, and what the largest programs had mapped then.");
  if (!data.maps.length) return;
  const choice = make("div", { class: "choices", role: "group", "aria-label": "Instant of the map" });
  const body = make("div");
  const select = index => {
    [...choice.children].forEach((button, i) => button.setAttribute("aria-pressed", i === index));
    body.replaceChildren(...mapOf(data.maps[index]));
  };
  data.maps.forEach((map, i) => choice.append(make("button", { onclick: () => select(i) }, time(map.ns, 3))));
  box.append(choice, body);
  // The one in which programs had most.
  const resident = map => sum(map.uses.filter(use => "su".includes(use.letter)).map(use => use.pages));
  const best = data.maps.reduce((most, map, i) => resident(map) >= resident(data.maps[most]) ? i : most, 0);
  select(best);
  box.append(physicalRanges());
}

const useFills = { ".": 8, k: 0, t: 3, o: 7, s: 5, u: 6 };
const ownerFills = [1, 2, 4, 9];
function fillOfLetter(letter) {
  if (letter in useFills) return useFills[letter];
  return ownerFills[letter.charCodeAt(0) - 97] ?? 6;
}

function mapOf(map) {
  const columns = 128;
  const cell = 9;
  const rows = Math.ceil(map.cells.length / columns);
  const svg = draw("svg", { class: "cells", viewBox: `0 0 ${columns * cell} ${rows * cell}`, role: "img", "aria-label": "Map of physical memory" });
  const nameOf = letter => {
    const use = map.uses.find(one => one.letter === letter);
    if (use) return use.name;
    const owner = map.owners[letter.charCodeAt(0) - 97];
    return owner ? spaceName(owner.space) + "'s" : letter;
  };
  for (let row = 0; row < rows; ++row) {
    const line = map.cells.slice(row * columns, (row + 1) * columns);
    for (let begin = 0; begin < line.length;) {
      let end = begin;
      while (end < line.length && line[end] === line[begin]) ++end;
      svg.append(draw("rect", { x: begin * cell, y: row * cell, width: (end - begin) * cell, height: cell, fill: fillOf(fillOfLetter(line[begin])),
                                stroke: "#fff", "stroke-width": .6 }));
      begin = end;
    }
  }
  svg.addEventListener("pointermove", event => {
    const area = svg.getBoundingClientRect();
    const index = Math.floor((event.clientY - area.top) / area.height * rows) * columns + Math.floor((event.clientX - area.left) / area.width * columns);
    const letter = map.cells[index];
    if (!letter) { hideTip(); return; }
    showTip(event, bytes(index * map.cell_pages * 4096) + " to " + bytes((index + 1) * map.cell_pages * 4096) + " of RAM\nmostly: " + nameOf(letter));
  });
  svg.addEventListener("pointerleave", hideTip);
  const list = make("ul", { class: "legend" });
  const item = (fill, name, amount) => list.append(make("li", {}, swatch(fill), make("span", {}, name), make("span", { class: "count" }, amount)));
  for (const use of map.uses.filter(one => one.letter !== "u")) item(useFills[use.letter], use.name, bytes(use.pages * 4096));
  map.owners.slice(0, ownerFills.length).forEach((owner, i) => item(ownerFills[i], spaceName(owner.space), bytes(owner.resident) + " mapped"));
  const programs = map.uses.find(use => use.letter === "u");
  item(6, "other programs", "");
  return [
    make("p", { class: "note" }, "At ", position(map.at), `, ${time(map.ns, 6)}. One square is ${bytes(map.cell_pages * 4096)} and shows what most of it is; ` +
         `a row is ${bytes(columns * map.cell_pages * 4096)}. One program alone has ${bytes(programs.pages * 4096)} of the pages.`),
    svg, list,
    table("Table: physical memory by use", [["use"], ["pages", true], ["bytes", true]], () => map.uses.map(use => [use.name, count(use.pages), bytes(use.pages * 4096)])),
    make("h3", {}, "Linear memory of the largest programs, and of the kernel"),
    make("p", { class: "note" }, "Boxes are areas of pages with the same rights, from low addresses to high; unused space between them is left out. The wider, the " +
         "larger (by powers of two). Pattern and letters: r read, w write, x execute."),
    ...[...map.owners, map.kernel].filter(owner => owner.runs.length).map(linearMap),
    table("Table: linear memory", [["program"], ["from"], ["to"], ["rights"], ["pages of"], ["present", true], ["bytes", true]],
      () => [...map.owners, map.kernel].flatMap(owner => owner.runs.map(run =>
        [spaceName(owner.space), run.linear, "0x" + (BigInt(run.linear) + BigInt(run.bytes) - 1n).toString(16), run.rights, bytes(run.page_bytes), count(run.pages), bytes(run.pages * run.page_bytes)]))),
  ];
}

const rightsFills = { "r--": 5, "r-x": 0, "rw-": 2, "rwx": 3 };
function linearMap(owner) {
  const width = 1200;
  const high = 44;
  const weights = owner.runs.map(run => Math.log2(run.bytes / 4096 + 1) + 1);
  const gaps = 3 * owner.runs.length;
  const scale = (width - gaps) / sum(weights);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${high}`, class: "linear", role: "img", "aria-label": "Linear memory of " + spaceName(owner.space) });
  let x = 0;
  owner.runs.forEach((run, i) => {
    const wide = weights[i] * scale;
    const box = draw("rect", { x, y: 1, width: Math.max(1, wide), height: 26, fill: fillOf(rightsFills[run.rights] ?? 7), stroke: inkOf(rightsFills[run.rights] ?? 7) });
    box.addEventListener("pointermove", event => showTip(event, spaceName(owner.space) + "\n" + run.linear + ", " + bytes(run.bytes) + ", " + run.rights +
      "\n" + count(run.pages) + " pages of " + bytes(run.page_bytes) + " present"));
    box.addEventListener("pointerleave", hideTip);
    svg.append(box);
    if (wide > 34) svg.append(draw("text", { x: x + 2, y: 40, style: "font-size:10px" }, run.rights + " " + bytes(run.bytes)));
    x += wide + 3;
  });
  return make("div", { class: "row linear" }, make("div", { class: "name" }, make("b", {}, owner.space === 0 ? "kernel" : spaceName(owner.space))), svg,
              make("div", { class: "peak" }, owner.space === 0 ? "" : bytes(owner.resident) + " present" + (owner.more ? ", more areas" : "")));
}

function physicalRanges() {
  return table("Table: what the board has at physical addresses", [["from"], ["to"], ["kind"], ["name"]],
               () => data.phys_ranges.map(range => [range.first, range.last, range.kind, range.name]));
}
