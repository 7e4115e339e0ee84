#!/usr/bin/env python3
"""What going back, recordings and saved states cost on Debian's disk, booted to its login.

usage: run_time_travel.py [--reprise PROGRAM] [--image IMAGE] [--rounds N] [--words N] [--seed N] [--only PART,...]

Parts: boots (without anything, with --record, with --checkpoints, and the replay, turn by turn; the smallest of the rounds
counts), states (save, load until it runs), steps (reverse-stepi), words (reverse-continue to the last write of random words
that were written within the last billion instructions; a quarter of them on the page of the running kernel stack).
"""

import argparse
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import cost

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "boot"))
import gdb  # noqa: E402
import monitor  # noqa: E402

LOGIN = b"debian login: "
RECENT_INSTRUCTIONS = 1_000_000_000
PAGE_BYTES = 4096
PARTS = ["boots", "states", "steps", "words"]


def run_words(options, *words):
    return [options.reprise, "run", options.image, "--memory", "1G", "--clock", "free", *words]


def boots(options, folder):
    recording = folder / "recording"
    login = ["--serial", "stdio", "--stop-at", str(options.login_at)]
    ways = {
        "nothing": run_words(options, *login),
        "--record": run_words(options, *login, "--record", recording),
        "--checkpoints on": run_words(options, *login, "--checkpoints", "on"),
        "replay": [options.reprise, "replay", recording, "--serial", "stdio"],
    }
    best = {}
    for _ in range(options.rounds):
        for name, command in ways.items():
            if name == "--record":
                recording.unlink(missing_ok=True)
            spent = cost.measure(command, LOGIN.decode())
            best[name] = min(best.get(name, spent), spent)
    for name, (cpu, wall) in best.items():
        print(f"boot, {name:18} {cpu:6.2f} s of processor time, {wall:6.2f} s; {cpu / best['nothing'][0]:.3f} times")
    print(f"size of the recording: {recording.stat().st_size} bytes for {options.login_at} instructions")


class Guest:
    """Debian's disk with a debugger and a monitor."""

    def __init__(self, options, folder, *words):
        self.console = folder / "console"
        self.console.unlink(missing_ok=True)
        self.run = subprocess.Popen([str(word) for word in run_words(
            options, "--serial", f"file:{self.console}", "--monitor", f"unix:{folder / 'monitor'}", *words)],
            stdin=subprocess.DEVNULL)
        self.client = monitor.Client(folder / "monitor", 30)
        self.client.socket.settimeout(600)

    def wait_stopped(self):
        while self.client.ask("status")["state"] != "stopped":
            time.sleep(0.002)

    def close(self):
        self.client.close()
        self.run.kill()
        self.run.wait()


def find_login(options, folder):
    """Instructions until the login."""
    guest = Guest(options, folder, "--checkpoints", "off")
    while not guest.console.exists() or LOGIN not in guest.console.read_bytes():
        time.sleep(0.05)
    guest.client.ask("stop")
    options.login_at = guest.client.ask("status")["instructions"]
    guest.close()


def states(options, folder):
    guest = Guest(options, folder, "--paused")
    guest.client.ask("step", count=options.login_at)
    guest.wait_stopped()
    for what, path in ("save", folder / "state"), ("save, compressed", folder / "packed,compress=zstd"):
        begin = time.monotonic()
        guest.client.ask("save", file=str(path))
        print(f"{what}: {time.monotonic() - begin:.2f} s")
    guest.close()
    for path in "state", "packed":
        best = None
        for _ in range(options.rounds):
            begin = time.monotonic()
            subprocess.run([options.reprise, "run", "--load", folder / path, "--serial", "null", "--stop-at",
                            str(options.login_at + 1)], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            spent = time.monotonic() - begin
            best = spent if best is None else min(best, spent)
        print(f"load {path} until it runs, and end: {best:.2f} s, {(folder / path).stat().st_blocks * 512 >> 20} MiB")


class Past:
    """With a debugger; it has come to `at`."""

    def __init__(self, options, folder, at):
        socket = folder / "gdb"
        self.guest = Guest(options, folder, "--gdb", f"unix:{socket}", "--paused")
        self.gdb = gdb.Client(socket)
        self.gdb.socket.settimeout(600)
        self.go(at)

    def go(self, at):
        self.guest.client.ask("run", position=f"@{at}")
        self.guest.wait_stopped()

    def timed(self, packet):
        begin = time.monotonic()
        reply = self.gdb.ask(packet)
        return time.monotonic() - begin, reply

    def read(self, phys, count):
        return bytes.fromhex(self.gdb.ask(f"m{phys:x},{count:x}"))

    def close(self):
        self.gdb.close()
        self.guest.close()


def steps(options, folder):
    draw = random.Random(options.seed)
    past = Past(options, folder, 0)
    after_run, after_jump = [], []
    at = 0
    for _ in range(options.words):
        past.go(at)
        at += 1 + draw.randrange(2 * options.login_at // options.words - 1)
        at = min(at, options.login_at)
        past.guest.client.ask("step", count=at - past.guest.client.ask("status")["instructions"])  # at the present
        past.guest.wait_stopped()
        after_run.append(past.timed("bs")[0])
    in_a_row = [past.timed("bs")[0] for _ in range(options.words)]
    for _ in range(options.words):
        past.go(draw.randrange(options.login_at))
        after_jump.append(past.timed("bs")[0])
    past.close()
    print(f"reverse-stepi: of a run that stopped {figures(after_run)}; one after the other {figures(in_a_row)}; after random jumps "
          f"{figures(after_jump)}")


def figures(taken):
    return f"median {statistics.median(taken):.3f} s, worst {max(taken):.3f} s"


def words(options, folder):
    """Words that differ between now and then were written in between."""
    draw = random.Random(options.seed)
    past = Past(options, folder, options.login_at)
    past.gdb.ask("Qqemu.PhyMemMode:1")
    stack = int(past.guest.client.ask("info pagewalk", address="rsp")["phys"], 16) & -PAGE_BYTES
    pages = [stack, *(page * PAGE_BYTES for page in draw.sample(range(0x100, (1 << 30) // PAGE_BYTES), 20000))]
    now = {page: past.read(page, PAGE_BYTES) for page in pages}
    past.go(options.login_at - RECENT_INSTRUCTIONS)
    changed = []
    for page in pages:
        old = past.read(page, PAGE_BYTES)
        changed.append([page + at for at in range(0, PAGE_BYTES, 8) if old[at:at + 8] != now[page][at:at + 8]])
    others = [page for page in changed[1:] if page]
    on_stack = draw.sample(changed[0], min(len(changed[0]), options.words // 4))
    chosen = on_stack + [draw.choice(page) for page in draw.sample(others, min(len(others), options.words - len(on_stack)))]
    taken = []
    for phys in chosen:
        past.go(options.login_at)
        past.gdb.ask(f"Z2,{phys:x},8")
        seconds, reply = past.timed("bc")
        past.gdb.ask(f"z2,{phys:x},8")
        if "watch" not in reply:
            raise SystemExit(f"reverse-continue to a write of {phys:#x}: {reply}")
        taken.append(seconds)
    past.close()
    print(f"reverse-continue to the last write of {len(taken)} words ({len(on_stack)} on the stack's page, of {len(others)} pages that "
          f"changed): {figures(taken)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", default="build/release/reprise")
    parser.add_argument("--image", default="build/disks/debian-bios.img")
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--words", default=50, type=int)
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        find_login(options, folder)
        for part in options.only.split(","):
            globals()[part](options, folder)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
