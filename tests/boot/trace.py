#!/usr/bin/env python3
"""--trace on stock Linux: the run is the same with it and without, the lines are the same on both engines, follow from each other
and are as many as --stats counts; a replay of a recording tells what the run would have told; an output that takes nothing is named."""

import pathlib
import re
import subprocess
import tempfile

import runner

LINE = re.compile(r"@(\d+)(?:\.(\d+))? cpu(\d+) ([0-9a-f]{16}) (insn|branch|irq|syscall|page-fault|pio|mmio) (.*)")
EVENTS = "irq,syscall,page-fault,pio,mmio"
LOST = 20


class Line:
    def __init__(self, text):
        match = LINE.fullmatch(text)
        runner.expect(match is not None, f"a line of the trace is '{text}'")
        self.at, self.cpu, self.linear = int(match[1]), int(match[3]), int(match[4], 16)
        self.kind, self.what = match[5], match[6]

    def target(self):
        return int(self.what.rsplit(" -> ", 1)[1], 16)


class Case:
    def __init__(self, options, folder):
        self.options, self.folder = options, pathlib.Path(folder)

    def reprise(self, *words, stderr=subprocess.PIPE, code=0):
        run = subprocess.run([str(word) for word in (self.options.reprise, *words)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=900)
        runner.expect(run.returncode == code, f"exit code {run.returncode} instead of {code}: {run.stderr}")
        return run

    def run(self, *more, engine=None, **how):
        return self.reprise("run", "--kernel", self.options.kernel, "--initrd", self.options.initrd, "--memory", "256M",
                            "--append", "console=ttyS0 reprise.exec=/bin/true", "--serial", "null", "--hash-every", 200_000_000,
                            "--engine", engine or self.options.engine, *more, **how)

    def trace(self, name, kinds, *more, **how):
        """What the run said beside it, and the lines."""
        file = self.folder / name
        run = self.run("--trace", kinds, "--trace-file", file, *more, **how)
        return run.stderr, file.read_text()


def count(lines, pattern):
    return sum(1 for line in lines if re.match(pattern, f"{line.kind} {line.what}"))


def check_counts(lines, messages):
    stats = re.search(r"exceptions (\d+), interrupts (\d+)", messages)
    runner.expect(count(lines, "irq exception") == int(stats[1]),
                  f"{count(lines, 'irq exception')} exceptions, and --stats says {stats[1]}")
    runner.expect(count(lines, "irq (external|nmi)") == int(stats[2]),
                  f"{count(lines, 'irq (external|nmi)')} interrupts, and --stats says {stats[2]}")
    faults = sum(int(number) for number in
                 re.findall(r": (\d+)", re.search(r"page faults of the guest: (.*)", messages)[1]))
    runner.expect(count(lines, "page-fault") == faults > 100,
                  f"{count(lines, 'page-fault')} page faults, and --stats says {faults}")
    runner.expect(count(lines, r"pio (in |out) [0-9a-f]{4}\.[124] = ") > 1000, "no accesses to ports")
    runner.expect(count(lines, r"mmio lapic 0 (read |write) [0-9a-f]{3}\.4 = ") > 100, "no accesses to the local APIC")
    calls = [line.what for line in lines if line.kind == "syscall"]
    for name in ("execve", "openat", "mount", "reboot"):
        runner.expect(any(re.match(rf"\d+ {name}\(", what) for what in calls), f"nobody called {name}")
    runner.expect(any(re.match(r"sysret readlink = -2 ENOENT since @", what) for what in calls), "no readlink returned")


def check_consistent(lines):
    """Every instruction of a trace follows from the one before it."""
    insns = branches = 0
    before = expected = None
    for line in lines:
        if line.kind == "insn":
            if before is not None and line.cpu == before.cpu:
                runner.expect(line.at >= before.at, f"{line.at} comes behind {before.at}")
            if expected is not None:
                runner.expect(line.linear == expected, f"@{line.at} is at {line.linear:x} instead of {expected:x}")
            insns, before, expected = insns + 1, line, None
        elif line.kind == "branch":
            runner.expect(line.linear == before.linear and line.at == before.at, f"the branch at @{line.at} has no instruction")
            branches += 1
            expected = line.target() if " -> " in line.what else None
        elif line.kind == "irq":
            expected = line.target()
    runner.expect(insns > 10000 and branches > 500, f"{insns} instructions, {branches} branches")


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        case = Case(options, folder)
        plain = case.run("--record", case.folder / "session.rec").stderr
        messages, events = case.trace("events", EVENTS, "--stats")
        states = re.findall(r"^state .*", plain, re.MULTILINE)
        runner.expect(len(states) >= 7 and re.findall(r"^state .*", messages, re.MULTILINE) == states, f"{plain}\n{messages}")
        lines = [Line(text) for text in events.splitlines()]
        check_counts(lines, messages)

        # A stretch around an interrupt, on every engine, and in a replay.
        interrupts = [line.at for line in lines if line.kind == "irq" and line.what.startswith("external")]
        begin = interrupts[4] - 5000
        end, all_kinds = begin + 20000, "insn,branch," + EVENTS
        traces = {engine: case.trace(engine, all_kinds, "--from", f"@{begin}", "--stop-at", end, engine=engine)[1]
                  for engine in ("interp", "jit", "lockstep") if options.engine == "jit" or engine == "interp"}
        runner.expect(len(set(traces.values())) == 1, f"the traces of {list(traces)} differ")
        text = traces["interp"]
        check_consistent([Line(line) for line in text.splitlines()])
        seen = [line for line in text.splitlines() if not re.search(r" (insn|branch) ", line)]
        part = [line for line in events.splitlines() if begin <= Line(line).at < end]
        runner.expect(seen == part and len(part) > 2, f"the stretch has {seen}\nthe run has {part}")
        replayed = case.folder / "replayed"
        case.reprise("replay", case.folder / "session.rec", "--engine", options.engine, "--trace", all_kinds, "--trace-file", replayed,
                     "--from", f"@{begin}", "--to", f"@{end}")
        runner.expect(replayed.read_text() == text, "the trace of a replay is another one")

        # Where nothing takes the lines.
        run = case.run("--trace", "irq", "--trace-file", "/dev/full", "--stop-at", begin, code=LOST)
        runner.expect("trace '/dev/full' lost" in run.stderr, run.stderr)
        with open("/dev/full", "w") as full:
            case.run("--trace", "irq", "--stop-at", begin, stderr=full, code=LOST)
        # Where nothing comes of it.
        run = case.run("--trace", "irq", "--from", "@9000000000000")
        runner.expect(re.search(r"the run ended at @\d+, before @9000000000000 \(--from\): there is nothing in the trace\.\n", run.stderr),
                      run.stderr)


runner.main(test, __doc__, guest_may_be_missing=True)
