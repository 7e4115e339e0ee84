#!/usr/bin/env python3
"""A guest that does nothing but take exceptions and interrupts, or read timers, cannot hold its clock: --timeout ends it.

    storms.py --reprise build/release/reprise --engine jit storms.bin

Each kind of storms.asm must end by --timeout, not by --wall-timeout, which is far beyond what it takes on an idle host.
"""

import argparse
import shlex
import subprocess
import sys
import time

KINDS = ["#UD", "#PF", "INT3", "INT n", "single steps", "code breakpoints", "NMI by its own ICR", "SMI by its own ICR",
         "interrupts to itself", "a timer that is due at once", "exceptions without an instruction in between",
         "INIT to itself", "task gates", "reads of the HPET", "reads of the local APIC's count"]
EXIT_TIMEOUT = 12
WALL_LIMIT_S = 60


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", required=True)
    parser.add_argument("--engine", default="interp")
    parser.add_argument("--seconds", type=float, default=0.5, help="of the guest's time")
    parser.add_argument("--kind", type=int, help="one kind only, by its number")
    parser.add_argument("image")
    options = parser.parse_args()
    failures = 0
    for number, kind in enumerate(KINDS):
        if options.kind not in (None, number):
            continue
        command = [options.reprise, "run", "--kernel", options.image, "--append", str(number), "--memory", "16M",
                   "--serial", "null", "--engine", options.engine, "--debug-exit", "0xf4",
                   "--timeout", str(options.seconds), "--wall-timeout", str(WALL_LIMIT_S)]
        start = time.monotonic()
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                             timeout=WALL_LIMIT_S + 30)
        took = time.monotonic() - start
        print(f"{kind}: {took:.1f} s", flush=True)
        if run.returncode != EXIT_TIMEOUT:
            failures += 1
            print(f"  exit code {run.returncode} instead of {EXIT_TIMEOUT}: {run.stderr.strip()}")
            print(f"  {shlex.join(command)}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
