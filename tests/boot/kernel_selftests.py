#!/usr/bin/env python3
"""Runs the kernel's own self-tests in a guest with four processors and compares with tests/guests/selftests.md.

    kernel_selftests.py --reprise build/release/reprise --guests build/guests --selftests build/selftests [--engine jit]

`--selftests` is the output folder of tests/guests/build_selftests.py.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

LIST = pathlib.Path(__file__).resolve().parent.parent / "guests" / "selftests.md"


def expected_statuses():
    rows = re.findall(r"^\| (\w+) \| (\d+) \|", LIST.read_text(), re.MULTILINE)
    return {name: int(status) for name, status in rows}


def run(options, initrd):
    command = [options.reprise, "run", "--kernel", options.guests / "vmlinuz", "--initrd", initrd, "--memory", "1G", "--cpus", "4", "--engine",
               options.engine, "--append", "console=ttyS0 quiet reprise.exec=/selftests/run", "--timeout", "600",
               "--wall-timeout", str(options.wall_timeout)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return done.returncode, done.stdout.decode(errors="replace").replace("\r", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", required=True)
    parser.add_argument("--guests", type=pathlib.Path, required=True)
    parser.add_argument("--selftests", type=pathlib.Path, required=True)
    parser.add_argument("--engine", default="jit")
    parser.add_argument("--wall-timeout", type=int, default=900)
    options = parser.parse_args()

    with tempfile.NamedTemporaryFile(suffix=".img") as initrd:
        for part in (options.guests / "initramfs.img", options.selftests / "selftests.img"):
            initrd.write(part.read_bytes())
        initrd.flush()
        code, text = run(options, initrd.name)

    statuses = {name: int(status) for name, status in re.findall(r"^selftest (\w+) (\d+)$", text, re.MULTILINE)}
    expected = expected_statuses()
    problems = []
    for name in (options.selftests / "list.txt").read_text().split():
        want = expected.get(name, 0)
        if name not in statuses:
            problems.append(f"{name} did not end")
        elif statuses[name] != want:
            problems.append(f"{name} ended with {statuses[name]} instead of {want}")
    if code != 0:
        problems.append(f"the run ended with exit code {code}")
    if problems:
        print(text)
    print(f"kernel self-tests: {len(statuses)} ran, {len(problems)} problems")
    for problem in problems:
        print(f"  {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
