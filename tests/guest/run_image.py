#!/usr/bin/env python3
"""Runs one guest image and judges its PASS and FAIL lines.

    run_image.py --reprise build/release/reprise --engine interp --passes 42 paging64.elf
    run_image.py --qemu paging64.elf

A file NAME.screen beside this script is what the image NAME must leave on the VGA (reprise --dump-screen).
With --qemu the image runs on QEMU TCG instead, and the failures must be those that qemu_differences.md lists.
"""

import argparse
import itertools
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

EXIT_PASS = (0x10 << 1) | 1  # what isa-debug-exit makes of the runtime's kExitPass
DIFFERENCES = pathlib.Path(__file__).with_name("qemu_differences.md")

# What an image needs of the machine: our options and QEMU's.
MACHINES = {"testdev": (["--debug-testdev"], ["-device", "pc-testdev"]),
            "processors": (["--cpus", "6,sockets=2,cores=3"], ["-smp", "6,sockets=2,cores=3"])}


def machine_of(image):
    return MACHINES.get(pathlib.Path(image).stem, ([], []))


def run_reprise(options, screen_path):
    command = [options.reprise, "run", "--kernel", options.image, "--memory", "128M", "--serial", "stdio",
               "--engine", options.engine, "--debug-exit", "0xf4", "--timeout", "60", "--wall-timeout", "240"]
    if screen_path:
        command += ["--dump-screen", screen_path]
    command += machine_of(options.image)[0]
    print(shlex.join(command), flush=True)
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=280)


def judge_screen(want, screen_path):
    """What is wrong with the screen, as a list of sentences."""
    got = pathlib.Path(screen_path).read_text().splitlines()
    want = want.read_text().splitlines()
    return [f"screen line {number}: {line!r} instead of {wanted!r}"
            for number, (line, wanted) in enumerate(itertools.zip_longest(got, want)) if line != wanted]


def run_qemu(options):
    # Instruction counting makes its time independent of the host's load.
    command = ["qemu-system-x86_64", "-M", "pc", "-cpu", "max,la57=off,vendor=GenuineIntel", "-m", "128M", "-display", "none",
               "-icount", "shift=2,sleep=off", "-rtc", "clock=vm", "-serial", "stdio", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
               "-kernel", options.image]
    command += machine_of(options.image)[1]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60)
    except subprocess.TimeoutExpired as expired:
        return subprocess.CompletedProcess(command, 124, expired.stdout or b"")


def lines_with(text, prefix):
    return [line[len(prefix):] for line in text.splitlines() if line.startswith(prefix)]


def known_on_qemu(image):
    """Patterns from the section of the image: its bullets read "- `regular expression`: reason"."""
    section = ""
    patterns = []
    for line in DIFFERENCES.read_text().splitlines():
        if line.startswith("## "):
            section = line[3:].strip()
        match = re.match(r"- `(.*?)`:", line)
        if match and section == pathlib.Path(image).stem:
            patterns.append(match[1])
    return patterns


def judge_qemu(options, text, exit_code):
    patterns = known_on_qemu(options.image)
    failures = lines_with(text, "FAIL: ") + ([] if exit_code in (EXIT_PASS, EXIT_PASS + 2) else [f"exit {exit_code}"])
    unexpected = [line for line in failures if not any(re.match(pattern, line) for pattern in patterns)]
    unused = [pattern for pattern in patterns if not any(re.match(pattern, line) for line in failures)]
    for line in unexpected:
        print(f"not listed in qemu_differences.md: {line}")
    for pattern in unused:
        print(f"listed, but did not fail: {pattern}")
    return 1 if unexpected or unused else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise")
    parser.add_argument("--engine", default="interp")
    parser.add_argument("--passes", type=int, help="how many checks must pass")
    parser.add_argument("--qemu", action="store_true")
    parser.add_argument("image")
    options = parser.parse_args()

    want_screen = pathlib.Path(__file__).with_name(pathlib.Path(options.image).stem + ".screen")
    screen_problems = []
    if options.qemu:
        run = run_qemu(options)
    elif want_screen.exists():
        with tempfile.NamedTemporaryFile() as screen:
            run = run_reprise(options, screen.name)
            screen_problems = judge_screen(want_screen, screen.name)
    else:
        run = run_reprise(options, None)
    text = run.stdout.decode(errors="replace").replace("\r", "")
    passed, failed = lines_with(text, "PASS: "), lines_with(text, "FAIL: ")
    if options.qemu:
        sys.exit(judge_qemu(options, text, run.returncode))

    problems = [f"check failed: {line}" for line in failed] + screen_problems
    if run.returncode != EXIT_PASS:
        problems.append(f"exit code {run.returncode} instead of {EXIT_PASS}")
    if not lines_with(text, "SUMMARY "):
        problems.append("the image did not run to its end; last line: " + (text.splitlines() or ["(nothing)"])[-1])
    if options.passes is not None and len(passed) != options.passes:
        problems.append(f"{len(passed)} checks passed instead of {options.passes}")
        problems += [f"skipped: {line}" for line in lines_with(text, "SKIP: ")]
    print(f"{pathlib.Path(options.image).stem}: {len(passed)} passed, {len(failed)} failed")
    for problem in problems:
        print(f"  {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
