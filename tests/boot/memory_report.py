#!/usr/bin/env python3
"""--report on stock Linux that pages on demand, copies on write, uses huge pages and swaps: a recorded run is replayed with a
report, which changes nothing, and the page's numbers are those of the guest's kernel, of --stats and of --json. With --long:
every engine, and the run itself, make the same page."""

import html.parser
import json
import pathlib
import re
import subprocess
import tempfile

import runner

MAX_PAGE_BYTES = 8 << 20
# What tells of the command, not of the run.
OF_THE_COMMAND = ("version", "command", "recording", "engine")


class Page(html.parser.HTMLParser):
    """The text of the element with the id `data`; and every address that the page would load something from."""

    def __init__(self, path):
        super().__init__(convert_charrefs=False)
        text = pathlib.Path(path).read_text()
        runner.expect(len(text) < MAX_PAGE_BYTES, f"the page has {len(text)} bytes")
        self.inside, self.text, self.loads = False, "", []
        self.feed(text)
        runner.expect(self.loads == [], f"the page loads {self.loads}")
        self.data = json.loads(self.text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.inside = attributes.get("id") == "data"
        self.loads += [attributes[name] for name in ("src", "href") if name in attributes]

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, text):
        if self.inside:
            self.text += text


def replay(options, recording, page, engine, folder):
    """A replay with a report: what it said, its --json object, the page's data."""
    report = folder / "replay.json"
    run = subprocess.run([str(word) for word in (options.reprise, "replay", recording, "--engine", engine, "--serial", "null",
                                                 "--report", page, "--stats", "--json", report)],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1200)
    runner.expect(run.returncode == 0, f"the replay ended with {run.returncode}: {run.stdout}")
    return run.stdout, json.loads(report.read_text()), Page(page).data


def expect_about(what, found, expected, below, above):
    runner.expect(expected * (1 - below) <= found <= expected * (1 + above) + 16,
                  f"{what}: the page has {found}, the guest's kernel counted {expected}")


def check_consistent(data, messages, report):
    """The numbers against each other, --stats and --json."""
    kinds = {kind["name"]: kind for kind in data["faults"]["kinds"]}
    entries = {kind["name"]: kind for kind in data["entries"]["kinds"]}
    for kind in [*kinds.values(), *entries.values()]:
        runner.expect(sum(kind["series"]) == kind["count"], f"{kind['name']}: windows have {sum(kind['series'])} of {kind['count']}")
        runner.expect(len(kind["series"]) == data["windows"], f"{kind['name']}: {len(kind['series'])} windows")
        runner.expect((kind["count"] > 0) == (kind["sample"] != []), f"{kind['name']}: the samples are {kind['sample']}")
    stats = re.search(r"page faults of the guest: (.*)", messages)[1]
    codes = "; ".join(f"{code['name']}: {code['count']}" for code in data["faults"]["codes"])
    runner.expect(stats == codes, f"--stats says\n{stats}\nand the page\n{codes}")
    faults = sum(code["count"] for code in data["faults"]["codes"])
    runner.expect(sum(kind["count"] for kind in kinds.values()) == faults, "kinds of faults are not all of them")
    walks = int(re.search(r"page walks (\d+)", messages)[1])
    found = sum(data["measures"]["walks_new"]) + sum(data["measures"]["walks_again"])
    runner.expect(walks - 3 * faults <= found <= walks, f"{found} walks of {walks}")
    runner.expect(sum(data["measures"]["instructions"]) == report["instructions"], "instructions are missing")
    runner.expect(data["end"] == {"at": report["instructions"], "ns": report["virtual_ns"]}, f"the end is {data['end']}")
    runner.expect(data["windows"] <= 1024, f"{data['windows']} windows")
    for name, counter in (("disk_read_bytes", "bytes_read"), ("disk_written_bytes", "bytes_written")):
        found, expected = sum(data["measures"][name]), sum(disk["counters"][counter] for disk in report["disks"])
        runner.expect(found == expected, f"{name}: {found}, the report says {expected}")
    runner.expect(data["working_set"]["exact"] and data["tables_complete"], "something was given up")
    for space in data["spaces"]:
        runner.expect(max(pages for _, pages in space["set"]) == space["peak"] <= space["pages"], f"pages of {space['name']}")
    for map_of in data["maps"]:
        pages = sum(use["pages"] for use in map_of["uses"])
        runner.expect((len(map_of["cells"]) - 1) * map_of["cell_pages"] < pages <= len(map_of["cells"]) * map_of["cell_pages"],
                      f"a map has {len(map_of['cells'])} cells for {pages} pages")
    return {name: kind["count"] for name, kind in kinds.items()}, {name: kind["count"] for name, kind in entries.items()}


def check_with_kernel(data, faults, entries, console):
    """The numbers against those of the guest's kernel."""
    kernel = {name: int(value) for name, value in re.findall(r"memory-test: (\w+) (\d+)", console)}
    print(kernel, faults, entries)
    answered = sum(number for name, number in faults.items() if name not in ("the kernel's own", "not answered"))
    # Some come after the kernel was asked; some that it counts were no faults (get_user_pages).
    expect_about("page faults", answered, kernel["pgfault"], 0.03, 0.05)
    expect_about("demand zero, 2 MiB", faults["demand zero, 2 MiB"], kernel["thp_fault_alloc"], 0, 0)
    runner.expect(kernel["thp_fault_alloc"] > 5 and entries["huge page made"] >= kernel["thp_fault_alloc"], "huge pages are missing")
    runner.expect(entries["huge page split"] >= kernel["thp_split_pmd"] > 5, "splits of huge pages are missing")
    # Pages that were still in memory came back without being read; of the others each was read once.
    runner.expect(kernel["pswpin"] > 1000, f"only {kernel['pswpin']} pages were read from the swap area")
    runner.expect(faults["swapped in"] >= 0.98 * kernel["pswpin"], f"{faults['swapped in']} pages were swapped in")
    expect_about("entries of pages that came back", entries["swapped in"], faults["swapped in"], 0.01, 0.01)
    # The kernel also writes pages of tmpfs.
    expect_about("swapped out", entries["swapped out"], kernel["pswpout"], 0.2, 0.1)
    expect_about("back", entries["swapped in"] + entries["dropped from swap"], entries["swapped out"], 0.01, 0.01)
    expect_about("times away", sum(data["entries"]["away"]), entries["swapped in"], 0.01, 0)
    runner.expect(faults["copy on write"] > 300 and faults["from a file"] > 1000, "copies or files are missing")
    names = {name.split("/")[-1] for name in data["names"].values()}
    runner.expect({"init", "memory-test", "mkswap", "swapon", "sed"} <= names, f"programs are {sorted(names)}")


def explain(options, recording, data, folder):
    """Of some faults that the page has: what `explain` says of the kernel's answer is what the page says, and it costs the run nothing."""
    asked = [(kind["name"], fault) for kind in data["faults"]["kinds"] for fault in (kind["sample"][:1] + kind["sample"][-1:])]
    lines = [f"explain {fault['linear']} at @{fault['at']}" for _, fault in asked]
    run = subprocess.run([options.reprise, "ask", recording, "--json", *lines], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=1200)
    runner.expect(run.returncode == 0, f"ask ended with {run.returncode}: {run.stderr}")
    answers = [json.loads(line)["return"] for line in run.stdout.splitlines()]
    runner.expect(len(answers) == len(asked), f"{len(answers)} answers to {len(asked)} questions")
    kinds = set()
    for (name, fault), answer in zip(asked, answers):
        where = f"{name}: {fault} {json.dumps(answer)}"
        runner.expect(answer["fault"]["cr2"] == fault["linear"] and answer["fault"]["position"] == f"@{fault['at']}", where)
        runner.expect(answer["fault"]["vector"] == 14 and answer["fault"]["rip"] == fault["rip"], where)
        its = answer["answer"]
        # The page may not have seen that the access was let through: a REP MOVS that reads the same page fills the TLB for its store.
        if name == "not answered":
            continue
        runner.expect(its["end"] == "retried" and its["allowed"] and its["kind"] == name and its["rip"] == fault["rip"], where)
        # From the fault to the return; the page counts on to the access.
        runner.expect(0 < its["ns"] <= fault["took_ns"], where)
        if name not in ("allowed already",):
            runner.expect(any(entry["structure"] in ("PTE", "PDE") for entry in its["entries"]), where)
        if name == "copy on write":
            runner.expect(its["same_content"], where)
        if name == "swapped in":
            kinds.add(f"swapped in, {'read' if its['disks']['reads'] else 'at hand'}")
        kinds.add(name)
    print(sorted(kinds))
    runner.expect({"demand zero", "copy on write", "swapped in", "from a file"} <= kinds, f"only {sorted(kinds)} were explained")


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        runner.add_drivers(options, folder)
        disk = runner.empty_disk(folder / "swap.img", 512 << 20)
        recording = folder / "run.rec"
        words = ["--memory", "256M", "--disk", disk, "--record", recording]
        if options.long:
            words += ["--report", folder / "run.html"]
        run = runner.boot(options, "reprise.exec=/bin/memory-test memory-test=96", words)
        tail = "\n".join(run.console.splitlines()[-25:])
        runner.expect("memory-test: done" in run.console and run.exit_code == 0, f"exit code {run.exit_code}: {run.messages}\n{tail}")
        page = options.page or folder / "page.html"
        messages, report, data = replay(options, recording, page, options.engine, folder)
        for key in ("instructions", "virtual_ns", "state_hash"):
            runner.expect(report[key] == run.report[key], f"the report changed the run: {key}")
        faults, entries = check_consistent(data, messages, report)
        check_with_kernel(data, faults, entries, run.console)
        if options.long:
            explain(options, recording, data, folder)
            others = [Page(folder / "run.html").data]
            for engine in ("interp", "lockstep"):
                others.append(replay(options, recording, folder / "other.html", engine, folder)[2])
            for other in others:
                for key, value in data.items():
                    runner.expect(key in OF_THE_COMMAND or other[key] == value, f"pages differ in {key}")


def add_arguments(parser):
    parser.add_argument("--long", action="store_true", help="other engines, too")
    parser.add_argument("--page", help="where the page stays")


if __name__ == "__main__":
    runner.main(test, __doc__, add_arguments)
