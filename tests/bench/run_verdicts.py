#!/usr/bin/env python3
"""Verdicts of one kernel test under load and without, and the time from a command to its verdict; QEMU TCG beside.

    run_verdicts.py --runs 100           one test, so many times, half of them beside programs that keep every processor busy four times over
    run_verdicts.py --part time          a test that does nothing: booted, from a saved state, on QEMU TCG, turn by turn

The test is one that a time limit decides, as in the kernel's own: work that must be done in a second of the guest's time. On Reprise all runs must have
one verdict and one state hash, or this fails. On QEMU the guest is the same kernel and initramfs, and its first program says what became of the command. Times are
wall time and processor time, medians; the host should be quiet for the former."""

import argparse
import collections
import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

# So many turns of a loop as QEMU TCG makes in about 0.6 s of an idle host of 2026; busybox's timeout ends it after a second.
WORK = "timeout 1 sh -c 'i=0; while [ $i -lt {} ]; do i=$((i+1)); done' && echo 'TAP version 13' && echo 'ok 1 in time' && echo 1..1"


class Load:
    """Programs that compute, and one that writes, four for each processor."""

    def __enter__(self):
        spin = "while True: sum(range(100000))"
        write = "import os\nwhile True:\n f=open('/tmp/run_verdicts.load','wb'); f.write(os.urandom(1<<20)*16); os.fsync(f.fileno()); f.close()"
        count = 4 * os.cpu_count()
        self.programs = [subprocess.Popen([sys.executable, "-c", write if i == 0 else spin]) for i in range(count)]
        return self

    def __exit__(self, *what):
        for program in self.programs:
            program.kill()
            program.wait()
        pathlib.Path("/tmp/run_verdicts.load").unlink(missing_ok=True)


def timed(words, environment, **other):
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment, timeout=900, **other)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Contestants:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
        self.made = {}

    def words(self, command, *more):
        options = self.options
        return [options.reprise, "test", "-k", options.guests / "vmlinuz", "--busybox", options.guests / "busybox", "--memory", "128M", *more,
                "--", command]

    def reprise(self, command, *more):
        """(verdict, state hash), wall seconds, processor seconds."""
        out = self.folder / "out"
        done, wall, cpu = timed(self.words(command, "--out", out, *more), self.environment)
        result = json.loads((out / "result.json").read_text())
        return (result["verdict"], result["state_hash"], done.returncode), wall, cpu

    def qemu(self, command):
        """The same kernel and initramfs."""
        if command not in self.made:
            out = self.folder / f"initramfs-{len(self.made)}"
            timed(self.words(command, "--out", out, "--timeout", "0.001"), self.environment)
            self.made[command] = out / "initramfs.cpio"
        said = self.folder / "said"
        words = ["qemu-system-x86_64", "-accel", "tcg", "-m", "128M", "-nographic", "-nodefaults", "-no-reboot", "-kernel",
                 self.options.guests / "vmlinuz", "-initrd", self.made[command], "-append", "console=ttyS0 panic=-1 rdinit=/.reprise/init",
                 "-serial", f"file:{self.folder / 'log'}", "-serial", f"file:{said}"]
        done, wall, cpu = timed(words, self.environment)
        text = said.read_bytes().decode(errors="replace")
        code = text.rpartition(" exit ")[2].strip() if " exit " in text else "none"
        return ("pass" if code == "0" else "fail" if code != "none" else "no-result", done.returncode), wall, cpu


def verdicts(options, contestants):
    command = WORK.format(options.turns)
    for name, run, count in (("reprise", contestants.reprise, options.runs), ("qemu-tcg", contestants.qemu, options.qemu_runs)):
        seen = {"quiet": collections.Counter(), "loaded": collections.Counter()}
        for _ in range(count // 2):
            seen["quiet"][run(command)[0]] += 1
        with Load():
            for _ in range(count - count // 2):
                seen["loaded"][run(command)[0]] += 1
        for load, counter in seen.items():
            print(f"{name}, {load}: " + ", ".join(f"{number} x {' '.join(map(str, what))}" for what, number in counter.most_common()), flush=True)
        if name == "reprise" and len(set(seen["quiet"]) | set(seen["loaded"])) != 1:
            sys.exit("FAIL: more than one verdict or hash")


def times(options, contestants):
    ways = {"reprise": lambda: contestants.reprise("true"), "reprise --from-snapshot auto": lambda: contestants.reprise("true", "--from-snapshot", "auto"),
            "qemu-tcg": lambda: contestants.qemu("true")}
    found = {name: [] for name in ways}
    for name, way in ways.items():
        way()  # makes what is made once
    for _ in range(options.rounds):
        for name, way in ways.items():
            what, wall, cpu = way()
            if what[0] != "pass":
                sys.exit(f"FAIL: {name}: {what}")
            found[name].append((wall, cpu))
    for name, pairs in found.items():
        print(f"{name}: {statistics.median(wall for wall, _ in pairs):.2f} s, {statistics.median(cpu for _, cpu in pairs):.2f} s of processor time")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("verdicts", "time"))
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--qemu-runs", type=int, default=20)
    parser.add_argument("--turns", type=int, default=60_000, help="of the loop that is to end in a second of the guest's time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--reprise", default="build/release/reprise")
    parser.add_argument("--guests", type=pathlib.Path, default=pathlib.Path("build/guests"))
    options = parser.parse_args()
    # Whoever ends this ends its load, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.reprise = str(pathlib.Path(options.reprise).resolve())
    with tempfile.TemporaryDirectory() as folder:
        contestants = Contestants(options, pathlib.Path(folder))
        if options.part != "time":
            verdicts(options, contestants)
        if options.part != "verdicts":
            times(options, contestants)


if __name__ == "__main__":
    main()
