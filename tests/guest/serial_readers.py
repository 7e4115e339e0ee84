#!/usr/bin/env python3
"""What is typed before the guest starts reaches it whatever its way of reading the serial port.

    serial_readers.py --reprise build/release/reprise --engine jit serial_readers.bin
"""

import argparse
import subprocess
import sys

WAYS = ["by interrupts with OUT2 clear", "LSR among other registers", "IIR with interrupts off", "after printing for long",
        "RBR alone"]
TYPED = b"typed early, in more than one FIFO of characters.\n"
DONE = 0x55  # 2Ah, as the debug-exit port makes exit codes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", required=True)
    parser.add_argument("--engine", default="interp")
    parser.add_argument("image")
    options = parser.parse_args()
    failures = 0
    for number, way in enumerate(WAYS):
        command = [options.reprise, "run", "--kernel", options.image, "--append", str(number), "--memory", "16M",
                   "--engine", options.engine, "--debug-exit", "0xf4", "--timeout", "20"]
        # No character twice in a row for the one that cannot tell.
        typed = TYPED if number != 4 else bytes(b for i, b in enumerate(TYPED) if i == 0 or b != TYPED[i - 1])
        run = subprocess.run(command, input=typed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        echoed = run.stdout.lstrip(b".")
        good = run.returncode == DONE and echoed.startswith(typed)
        print(f"{way}: {'ok' if good else 'FAILED'}", flush=True)
        if not good:
            failures += 1
            print(f"  exit code {run.returncode}, echoed {echoed!r}: {run.stderr.decode().strip()}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
