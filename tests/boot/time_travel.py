#!/usr/bin/env python3
"""A booting kernel goes back and forth through its past: by whatever way it comes to an instant, its state there is that of a
run that went straight to it. What it prints is not printed again. gdb does the same."""

import json
import pathlib
import random
import re
import subprocess
import tempfile
import time

import gdb
import runner
from monitor import Client

END = 1_500_000_000


def demo(options):
    return ["--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--append", "console=ttyS0 reprise.demo"]


class Traveller:
    """A guest whose monitor takes commands; it stands still between them."""

    def __init__(self, options, folder, name, *words, guest=None):
        self.console = pathlib.Path(folder, f"{name}.console")
        path = pathlib.Path(folder, f"{name}.socket")
        self.guest = subprocess.Popen(
            [options.reprise, "run", *map(str, guest or demo(options)), "--engine", options.engine, "--serial",
             f"file:{self.console}", "--monitor", f"unix:{path}", "--paused", "--clock", "free", "--wall-timeout", "1500", *words],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.client = Client(path, 600)

    def ask(self, command, **arguments):
        return self.client.ask(command, **arguments)

    def wait(self):
        while True:
            status = self.ask("status")
            if status["state"] == "stopped":
                return
            time.sleep(0.002)

    def go(self, command, **arguments):
        self.ask(command, **arguments)
        self.wait()
        return self.where()

    def where(self):
        return self.ask("when")["position"], self.ask("info hash")["state_hash"]

    def close(self):
        self.client.close()
        self.guest.kill()
        self.guest.wait()
        self.guest.stderr.close()


def retired(position):
    return int(position[1:].split(".")[0])


def walk(options, folder, moves, *words):
    random.seed(moves)
    guest = Traveller(options, folder, "walk", "--checkpoints", "on", *words)
    states = {}
    try:
        def note(where):
            position, state = where
            runner.expect(states.setdefault(position, state) == state,
                          f"{position} has the state {state} and had {states[position]}")
        note(guest.go("run", position=f"@{END}"))
        printed = guest.console.read_bytes()
        for move in range(moves):
            known = random.choice(list(states))
            kind = random.randrange(8)
            if kind < 2:
                note(guest.go("run", position=f"@{random.randrange(END)}"))
            elif kind == 2:
                note(guest.go("run", position=known))
            elif kind < 6:
                for _ in range(random.randrange(1, 4)):
                    before = guest.where()[0]
                    note(guest.go("reverse-step"))
                    after = guest.where()[0]
                    runner.expect(retired(after) == max(retired(before) - 1, 0), f"a step back from {before} to {after}")
            elif kind == 6:
                ahead = END - retired(guest.where()[0])
                note(guest.go("step", count=random.randrange(1, 2_000_000)) if ahead > 2_000_000 else guest.where())
            else:
                number = guest.ask("checkpoint")["number"]
                here = guest.where()
                note(here)
                note(guest.go("run", position=f"@{random.randrange(END)}"))
                back = guest.go("restart", number=number)
                runner.expect(back == here, f"checkpoint {number} of {here} is at {back}")
        if retired(guest.where()[0]) < END:
            note(guest.go("run", position=f"@{END}"))
        runner.expect(guest.console.read_bytes() == printed, "it was printed again")
    finally:
        guest.close()
    straight = Traveller(options, folder, "straight", *words)
    try:
        for position in sorted(states, key=lambda text: [int(part) for part in text[1:].split(".")]):
            if "." in position:
                continue
            count = retired(position) - retired(straight.where()[0])
            if count != 0:
                straight.go("step", count=count)
            where = straight.where()
            runner.expect(where == (position, states[position]), f"the straight run is at {where}, {states[position]}")
        runner.expect(straight.console.read_bytes() == printed, "another console")
    finally:
        straight.close()


def debugger(options, folder):
    """gdb goes back to a watchpoint's hits, step by step and to the beginning; the run then ends as one that did not."""
    at = gdb.symbols(options)
    words = [*gdb.linux(options, "nokaslr reprise.demo"), "--hash-every", "100000000", "--stop-at", gdb.STOP_AT]
    run, path = gdb.start(options, folder, words)
    where = 'printf "at %#lx\\n", $pc'
    text = gdb.gdb(path, f"hbreak *{at['start_kernel']:#x}", "continue", where, *["stepi", where] * 3, *["reverse-stepi", where] * 3,
                   "delete", f"watch *(unsigned long*){at['jiffies_64']:#x}", *["continue"] * 3, *["reverse-continue"] * 3,
                   "delete", "reverse-continue", "monitor when", where, "monitor run @1000000", "monitor when",
                   "detach")
    places = re.findall(r"^at (0x[0-9a-f]+)$", text, re.M)
    runner.expect(len(places) == 8 and places[:3] == places[6:3:-1] and places[0] == hex(at["start_kernel"]), f"{places}:\n{text}")
    values = [int(value) for value in re.findall(r"(?:Old|New) value = (\d+)", text)]
    runner.expect(len(values) == 12 and values[6:] == values[5::-1], f"jiffies went {values}:\n{text}")
    for wanted in ("No more reverse-execution history", "@0, virtual time", "@1000000, virtual time", "detached"):
        runner.expect(wanted in text, f"gdb did not say '{wanted}':\n{text}")
    debugged = gdb.finish(run, folder)
    command = [options.reprise, "run", "--engine", options.engine, "--serial", f"file:{folder / 'plain'}", "--json",
               folder / "plain.json", *words]
    subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=300)
    plain = json.loads((folder / "plain.json").read_text())
    runner.expect(plain["hashes"] == debugged["hashes"], "the debugged run has another chain of hashes")
    runner.expect((folder / "plain").read_bytes() == (folder / "console").read_bytes(), "it printed something else")


def panics(options, folder):
    """A kernel that panics stands still for gdb, and goes back from its end."""
    run, path = gdb.start(options, folder, gdb.linux(options, "nokaslr panic=-1 init=/nowhere rdinit=/nowhere root=/dev/nothing"))
    text = gdb.gdb(path, "continue", "monitor when", "reverse-stepi", "stepi", "continue")
    runner.expect("The run ends here, when it goes on: Kernel panic" in text and "No more reverse-execution history" in text
                  and "exited with code 012" in text, text)
    runner.expect(run.wait(60) == 10, f"exit code {run.returncode}")
    run.stdout.close()


def from_the_start(options, folder):
    """Without checkpoints a run goes back by running from its start."""
    guest = Traveller(options, folder, "guest")
    try:
        there = guest.go("step", count=300_000_000)
        guest.go("step", count=300_000_000)
        printed = guest.console.read_bytes()
        runner.expect(len(guest.ask("info checkpoints")["checkpoints"]) == 1, "a run without checkpoints has taken some")
        runner.expect(guest.go("run", position=there[0]) == there, "it came to another state")
        guest.go("run", position="@600000000")
        runner.expect(guest.console.read_bytes() == printed, "it was printed again")
    finally:
        guest.close()


def replayed(options, folder):
    """gdb in a recorded run: a watchpoint's hit, backwards; then to its end, which is the recorded one."""
    at = gdb.symbols(options)
    words = [options.reprise, "run", *gdb.linux(options, "nokaslr reprise.demo"), "--engine", options.engine, "--serial", "null",
             "--stop-at", "1000000000", "--record", folder / "run.rec", "--json", folder / "recorded.json"]
    subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=300)
    path = folder / "gdb.socket"
    run = subprocess.Popen([options.reprise, "replay", folder / "run.rec", "--engine", options.engine, "--gdb", f"unix:{path}",
                            "--paused", "--json", folder / "report.json"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    gdb.wait_for_socket(run, path)
    text = gdb.gdb(path, "monitor run @900000000", "maintenance flush register-cache",
                   f"watch *(unsigned long*){at['jiffies_64']:#x}", *["reverse-continue"] * 3, *["continue"] * 3, "delete",
                   "monitor run @5", "monitor when", "continue", "monitor when", "detach")
    values = [int(value) for value in re.findall(r"(?:Old|New) value = (\d+)", text)]
    runner.expect(len(values) == 12 and values[:6] == values[:5:-1], f"jiffies went {values}:\n{text}")
    for wanted in ("@5, virtual time", "@1000000000, virtual time"):
        runner.expect(wanted in text, f"gdb did not say '{wanted}':\n{text}")
    report = gdb.finish(run, folder, json.loads((folder / "recorded.json").read_text())["exit_code"])
    runner.expect(report["state_hash"] == json.loads((folder / "recorded.json").read_text())["state_hash"], "another end")


def test(options):
    for moves, words in (options.moves, []), (options.moves // 2, ["--cpus", "3"]):
        with tempfile.TemporaryDirectory() as folder:
            walk(options, folder, moves, *words)
    for part in from_the_start, debugger, replayed, panics:
        with tempfile.TemporaryDirectory() as folder:
            part(options, pathlib.Path(folder))


if __name__ == "__main__":
    runner.main(test, __doc__, lambda parser: parser.add_argument("--moves", type=int, default=24))
