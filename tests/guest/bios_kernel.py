#!/usr/bin/env python3
"""A Multiboot kernel that firmware starts finds a whole BIOS, again after a reset; without --bios it does not.

    bios_kernel.py --reprise build/release/reprise --engine jit bios_kernel.bin
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

DONE = 0x55  # 2Ah, as the debug-exit port makes exit codes
DISK_FAILED = 3  # 1 likewise


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", required=True)
    parser.add_argument("--engine", default="interp")
    parser.add_argument("image")
    options = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        disk = pathlib.Path(folder) / "disk.img"
        disk.write_bytes(b"boot".ljust(1 << 20, b"\0"))
        for title, bios, number, wanted in [("by SeaBIOS", ["--bios", "seabios"], 0, DONE),
                                            ("by SeaBIOS, after a reset", ["--bios", "seabios"], 1, DONE),
                                            ("directly", [], 0, DISK_FAILED)]:
            command = [options.reprise, "run", "--disk", f"{disk},format=raw", "--kernel", options.image, *bios,
                       "--append", str(number), "--memory", "16M", "--engine", options.engine, "--debug-exit", "0xf4",
                       "--serial", "null", "--timeout", "20"]
            run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
            good = run.returncode == wanted
            print(f"{title}: {'ok' if good else 'FAILED'}", flush=True)
            if not good:
                failures += 1
                print(f"  exit code {run.returncode}: {run.stderr.decode().strip()}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
