#!/usr/bin/env python3
"""The page of --report in a real browser: every picture is drawn, every table is filled, zooming, pointing and clicking work,
and nothing goes wrong on its console. Needs Debian's chromium."""

import html
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import runner

# No frames are made while nobody looks.
BEFORE = "window.requestAnimationFrame = call => setTimeout(call, 5);"
# Uses the page as a person would, and leaves what it found as an element for us.
SCRIPT = r"""
const note = text => { document.body.dataset.errors = (document.body.dataset.errors || "") + text + "\n"; };
addEventListener("error", event => note(event.message));
addEventListener("unhandledrejection", event => note(event.reason));
const wait = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
addEventListener("load", async () => {
  await wait();
  const found = { pictures: [], tables: [], tips: 0, zoomed: [], maps: 0 };
  const paths = () => [...document.querySelectorAll("svg.picture")].map(svg => svg.querySelectorAll("path.area, .event, rect.area").length);
  found.pictures = paths();
  for (const details of document.querySelectorAll("main details")) { details.open = true; }
  await wait();
  for (const details of document.querySelectorAll("main details"))
    found.tables.push([details.querySelector("summary").textContent, details.querySelectorAll("tbody tr").length]);
  for (const svg of document.querySelectorAll("svg.picture, svg.cells, .row svg")) {
    const box = svg.getBoundingClientRect();
    document.getElementById("tip").hidden = true;
    svg.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: box.left + box.width * .6, clientY: box.top + box.height * .3 }));
    found.tips += !document.getElementById("tip").hidden;
  }
  const range = () => document.getElementById("range").textContent;
  found.zoomed.push(range());
  for (const how of ["in", "in", "right", "out", "all"]) {
    document.querySelector(`[data-zoom=${how}]`).click();
    await wait();
    found.zoomed.push(range());
  }
  const svg = document.querySelector("svg.picture");
  const box = svg.getBoundingClientRect();
  const at = (type, x) => svg.dispatchEvent(new PointerEvent(type, { bubbles: true, button: 0, pointerId: 1, clientX: box.left + x, clientY: box.top + 50 }));
  svg.setPointerCapture = () => {};
  at("pointerdown", 300); at("pointermove", 500); at("pointerup", 500);
  await wait();
  found.zoomed.push(range());
  found.drawnAgain = paths();
  document.querySelector("button.at").click();
  for (let i = 0; i < 100 && !document.getElementById("copied").textContent; ++i) await wait();
  found.copied = document.getElementById("copied").textContent;
  for (const button of document.querySelectorAll("#maps .choices button")) { button.click(); found.maps += document.querySelectorAll("svg.cells rect").length > 0; }
  found.errors = document.body.dataset.errors || "";
  document.body.append(Object.assign(document.createElement("pre"), { id: "found", textContent: JSON.stringify(found) }));
});
"""


def browser(*words):
    return subprocess.run(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1300,1000",
                           "--virtual-time-budget=20000", "--enable-logging=stderr", *[str(word) for word in words]],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        runner.add_drivers(options, folder)
        disk = runner.empty_disk(folder / "swap.img", 512 << 20)
        page = folder / "page.html"
        run = runner.boot(options, "reprise.exec=/bin/memory-test memory-test=96", ["--memory", "256M", "--disk", disk, "--report", page])
        runner.expect(run.exit_code == 0, f"exit code {run.exit_code}: {run.messages}")
        text = page.read_text()
        used = folder / "used.html"
        runner.expect(text.count("</body>") == 1, "the page has no end")
        used.write_text(text.replace("</head>", f"<script>{BEFORE}</script></head>").replace("</body>", f"<script>{SCRIPT}</script></body>"))

        seen = browser("--dump-dom", used.as_uri())
        problems = [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
        runner.expect(not problems, "\n".join(problems))
        result = re.search(r'<pre id="found">(.*?)</pre>', seen.stdout, re.S)
        runner.expect(result, f"the page's script did not end: {seen.stdout[-2000:]}")
        found = json.loads(html.unescape(result[1]))
        print(found)
        runner.expect(found["errors"] == "", found["errors"])
        runner.expect(len(found["pictures"]) >= 14 and all(found["pictures"]), f"pictures are empty: {found['pictures']}")
        runner.expect(all(rows > 0 for _, rows in found["tables"]) and len(found["tables"]) >= 20, f"tables are empty: {found['tables']}")
        runner.expect(found["tips"] >= 20, f"{found['tips']} tooltips")
        runner.expect(len(set(found["zoomed"])) >= 5 and found["zoomed"][0] == found["zoomed"][5], f"zoom: {found['zoomed']}")
        runner.expect(all(found["drawnAgain"][:1]), "nothing is drawn after a zoom")
        runner.expect("reprise replay FILE --to @" in found["copied"], f"a click copied '{found['copied']}'")
        runner.expect(found["maps"] >= 4, f"{found['maps']} maps")

        picture = pathlib.Path(options.picture) if options.picture else folder / "page.png"
        browser("--window-size=1300,6200", f"--screenshot={picture}", page.as_uri())
        runner.expect(picture.exists() and picture.stat().st_size > 100_000, "the screenshot is blank")


def add_arguments(parser):
    parser.add_argument("--picture", help="where a screenshot of the page stays")


if not shutil.which("chromium"):
    print("SKIP: Debian's chromium is not installed")
    raise SystemExit(77)
runner.main(test, __doc__, add_arguments)
