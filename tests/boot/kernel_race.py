#!/usr/bin/env python3
"""Tests of a kernel whose symbols are there. A race in a module (tests/guests/bugs/tickets.c): found by seeds, shrunk to what is needed, told
of as places in its source, and repeated by the command that is printed. A crash in a module, with its source. The log of a kernel without a
console, from its memory. A dump of that, which crash and drgn (Debian's packages) open."""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import runner

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Two who take tickets at the same time, on a processor each. They are not to have one twice.
COMMAND = ("insmod /tickets.ko; cd /tmp; "
           "for i in 1 2; do taskset $i dd if=/dev/tickets of=$i bs=32 count=20 2>/dev/null & done; wait; "
           "sort 1 2 | uniq -d >twice; cat twice; ! [ -s twice ]")


def run_test(options, folder, *words):
    done = subprocess.run([str(word) for word in (
        options.reprise, "test", "-k", options.kernel_debug / "vmlinuz", "--engine", options.engine, "--cpus", "2", "--memory", "256M",
        "--busybox", options.busybox, "--root", folder / "root", "--symbols", options.kernel_debug / "vmlinux",
        "--from-snapshot", "auto", "--wall-timeout", "900", *words, "--", COMMAND)],
        env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(folder / "cache")}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, timeout=3000)
    return done


def line_of(text):
    """Of tickets.c, from one."""
    source = (ROOT / "tests/guests/bugs/tickets.c").read_text().splitlines()
    return next(number for number, line in enumerate(source, 1) if text in line)


def make_root(options, folder):
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy(options.busybox, root / "bin/busybox")
    for name in ("sh", "insmod", "sleep", "taskset", "dd", "sort", "uniq", "cat", "["):
        (root / "bin" / name).symlink_to("busybox")
    shutil.copy(options.kernel_debug / "bugs/tickets.ko", root)


def race(options, folder):
    done = run_test(options, folder, "--quantum", "2000-20000", "--seeds", f"1..{options.seeds}", "--shrink", "--out",
                    folder / "out", "--json", folder / "all.json")
    print(done.stdout)
    runs = json.loads((folder / "all.json").read_text())["runs"]
    verdicts = [run["verdict"] for run in runs]
    runner.expect(done.returncode == 1 and set(verdicts) == {"pass", "fail"}, f"{done.returncode}: {verdicts} {done.stderr[-2000:]}")
    failing = next(run for run in runs if run["verdict"] == "fail")["test"]

    # It is told of in full: which processor stopped where, in the module's source.
    shrunk = done.stdout[done.stdout.index("shrunk "):].splitlines()
    head = re.match(r"shrunk (\S+): (\d+) of (\d+) handovers make it fail, found by (\d+) runs", shrunk[0])
    runner.expect(head and head[1] == failing, f"{shrunk[0]}, and {failing} is the first")
    # Each is needed where the others stand; with other places for those there may be fewer.
    runner.expect(1 <= int(head[2]) <= 20 and int(head[3]) > 50 * int(head[2]), shrunk[0])
    stops = [line for line in shrunk if "stops after" in line]
    runner.expect(len(stops) == int(head[2]), f"{stops}")
    # One of them is between the load of the number and its store.
    first, last = line_of("READ_ONCE(next_ticket)"), line_of("WRITE_ONCE(next_ticket, ticket + 1)")
    work = range(line_of("static noinline void print_ticket"), line_of("static noinline unsigned int take_ticket"))
    places = [(match[1], int(match[2])) for line in stops
              for match in re.finditer(r"before (\w+)\+0x[0-9a-f]+ \[tickets\] \(\S*tickets\.c:(\d+)\)", line)]
    runner.expect(any(first <= line <= last or line in work for _, line in places), f"no place in the window: {stops}")
    # How far it can be moved is the window.
    window = [[int(line) for line in re.findall(r"take_ticket\+0x[0-9a-f]+ \[tickets\] \(\S*tickets\.c:(\d+)\)", text)]
              for text in shrunk if "it fails as well" in text]
    runner.expect([first + 2, last] in window or [first, last] in window, f"the window is not told of: {window}, {first} to {last}")

    # The command that is printed repeats it: the same end, also by the other engine, and without a schedule it passes.
    again = next(line for line in shrunk if "to repeat it: " in line).split("to repeat it: ")[1]
    words = shlex.split(again)[2:]
    hashes = []
    for engine in ("jit", "interp"):
        out = folder / f"again-{engine}"
        repeated = subprocess.run([str(options.reprise), "test", f"--out={out}", *words[:words.index("--")], f"--engine={engine}",
                                   *words[words.index("--"):]],
                                  env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(folder / "cache")},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=900)
        runner.expect(repeated.returncode == 1, f"the command ends with {repeated.returncode}: {again}: {repeated.stderr[-2000:]}")
        hashes.append(json.loads((out / "result.json").read_text())["state_hash"])
    runner.expect(hashes[0] == hashes[1], f"the engines end in other states: {hashes}")
    fewer = [word if not word.startswith("--schedule=") else "--schedule=list" for word in words]
    calm = subprocess.run([str(options.reprise), "test", f"--out={folder / 'calm'}", *fewer],
                          env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(folder / "cache")}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=900)
    runner.expect(calm.returncode == 0, f"without handovers it ends with {calm.returncode}: {calm.stderr[-2000:]}")


def crash(options, folder):
    """With a console and without one: lines of source, and a dump."""
    if not (folder / "root/lamp.ko").exists():
        shutil.copy(options.kernel_debug / "bugs/lamp.ko", folder / "root")
    command = "insmod /lamp.ko; echo c >/proc/sysrq-trigger"
    for name, words in (("console", ()), ("memory", ("--append", "console=tty0"))):
        out, dump = folder / f"crash-{name}", folder / f"{name}.core"
        done = subprocess.run([str(word) for word in (
            options.reprise, "test", "-k", options.kernel_debug / "vmlinuz", "--engine", options.engine, "--memory", "256M", "--busybox",
            options.busybox, "--root", folder / "root", "--symbols", options.kernel_debug / "vmlinux", "--wall-timeout", "900", "--out", out,
            "--dump-memory", dump, *words, "--", command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=960)
        result = json.loads((out / "result.json").read_text())
        runner.expect(done.returncode == 10 and result["verdict"] == "panic", f"{name}: {done.returncode} {done.stderr[-2000:]}")
        report = next(one for one in result["kernel_reports"] if one["kind"] == "panic")
        runner.expect(any(re.search(r"sysrq_handle_crash\+0x\w+/0x\w+ \(\S*drivers/tty/sysrq\.c:\d+\)", line) for line in report["decoded"]),
                      f"{name}: no line of source: {report.get('decoded')}")
        log = (out / "kernel.log").read_text(errors="replace")
        runner.expect("Linux version" in log and "lamp: loading out-of-tree module" in log, f"{name}: the log is {log[-500:]}")
        open_dump(options, folder, dump)


def open_dump(options, folder, dump):
    vmlinux = options.kernel_debug / "vmlinux"
    if shutil.which("crash"):
        done = subprocess.run(["crash", "-s", str(vmlinux), str(dump)], input="log | tail -3\nbt\nmod\nquit\n", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600, env={"PATH": "/usr/bin:/bin", "TERM": "dumb", "HOME": str(folder)})
        runner.expect("sysrq_handle_crash" in done.stdout and "lamp" in done.stdout, f"crash says {done.stdout[-3000:]}")
    else:
        print("crash is not there")
    if shutil.which("drgn"):
        script = folder / "look.py"
        script.write_text("from drgn.helpers.linux.list import list_for_each_entry\n"
                          "print(prog['init_uts_ns'].name.release.string_().decode())\n"
                          "print([m.name.string_().decode() for m in list_for_each_entry('struct module', prog['modules'].address_of_(), 'list')])\n")
        done = subprocess.run(["drgn", "-q", "-c", str(dump), "-s", str(vmlinux), str(script)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600)
        runner.expect("amd64" in done.stdout and "lamp" in done.stdout, f"drgn says {done.stdout[-3000:]}")
    else:
        print("drgn is not there")


def test(options):
    if not (options.kernel_debug / "bugs/tickets.ko").exists():
        print("SKIP: there is no kernel with its symbols; ./dev images --long makes it")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_root(options, folder)
        for part in (race, crash):
            if options.part in (None, part.__name__):
                part(options, folder)


def add_arguments(parser):
    parser.add_argument("--kernel-debug", type=pathlib.Path, default=ROOT / "build/kernel-debug", help="what build_debug_guest.py made")
    parser.add_argument("--busybox", type=pathlib.Path, default=ROOT / "build/guests/busybox")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--part", choices=("race", "crash"))


if __name__ == "__main__":
    runner.main(test, __doc__, add_arguments)
