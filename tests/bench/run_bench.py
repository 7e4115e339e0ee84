#!/usr/bin/env python3
"""Compares guest workloads on Reprise, QEMU TCG and this machine itself, turn by turn; prints medians, writes JSON.

One boot per turn runs every workload between marker lines on the serial console, and the times are those at which the
markers arrive. "boot" is from the start of the emulator to the guest's userland; "uml" is user-mode Linux in the guest,
from its start to its power-off, and has no native figure. The guest's results are compared between all three.
"""

import argparse
import json
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "guests"))
sys.dont_write_bytecode = True
import build_guests  # noqa: E402  (its cpio writer)

WORKLOADS = ["boot", "integer", "gzip", "sha256sum", "awk", "sort", "uml"]
# Run by sh, in the guest and natively, in the folder that holds the data and the program.
SCRIPTS = {
    "integer": "./integer_work",
    "gzip": "{busybox} gzip -c text | {busybox} md5sum",
    "sha256sum": "{busybox} cat text text text text | {busybox} sha256sum",
    "awk": "{busybox} awk '{{ n += NF; for (i = 1; i <= NF; i++) c[$i] += i * 0.5 }} END {{ print n, c[\"time\"] }}' short",
    "sort": "{busybox} sort short | {busybox} uniq -c | {busybox} sort -rn | {busybox} head -n 20",
}
APPEND = "console=ttyS0 quiet reprise.exec=/bench/guest_bench.sh"


def make_text(words, seed=1):
    """Text with the statistics of nothing in particular, the same every time."""
    vocabulary = "time of the and to a in that it was his for he with as had on at by which be this from but not is".split()
    state, line, lines = seed, [], []
    for _ in range(words):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        line.append(vocabulary[(state >> 33) % len(vocabulary)] if state >> 63 else f"{state >> 40:x}")
        if len(line) == 11:
            lines.append(" ".join(line))
            line = []
    return ("\n".join(lines) + "\n").encode()


def set_up(folder, guests):
    """Fills `folder` with what the workloads need; returns the guest's initramfs with it on board."""
    text = make_text(400_000)
    (folder / "text").write_bytes(text)
    (folder / "short").write_bytes(text[: len(text) // 4])
    subprocess.run(["gcc", "-O2", "-static", "-o", folder / "integer_work", HERE / "integer_work.c"], check=True)
    shutil.copy(guests / "busybox", folder / "busybox")
    for name, script in SCRIPTS.items():
        (folder / f"{name}.sh").write_text(script.format(busybox="/bin/busybox") + "\n")
    shutil.copy(HERE / "guest_bench.sh", folder)
    archive = build_guests.Cpio()
    archive.folder("bench")
    for path in sorted(folder.iterdir()):
        if path.name != "busybox":
            archive.file(f"bench/{path.name}", path)
    initramfs = folder / "initramfs.img"
    initramfs.write_bytes((guests / "initramfs.img").read_bytes() + archive.bytes())
    return initramfs


def time_markers(command, timeout):
    """Runs an emulator; returns ({workload: seconds}, {workload: result}) by the markers on its console."""
    started = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    seconds, results, began, tail = {}, {}, {}, []
    try:
        for raw in process.stdout:
            now = time.monotonic()
            line = raw.decode(errors="replace").strip()
            tail = (tail + [line])[-15:]
            words = line[line.find("BENCH "):].split() if "BENCH " in line else []
            if words[1:2] == ["userland"]:
                seconds["boot"] = now - started
            elif words[1:2] == ["start"]:
                began[words[2]] = now
            elif words[1:2] == ["end"]:
                seconds[words[2]] = now - began[words[2]]
                results[words[2]] = " ".join(words[3:])
            if now - started > timeout:
                raise TimeoutError
        process.wait()
    finally:
        process.kill()
        process.wait()
    if len(seconds) != len(WORKLOADS):
        sys.exit(f"bench: {command[0]} (exit code {process.returncode}) did not get through; its console ends:\n" + "\n".join(tail))
    return seconds, results


def run_reprise(options, folder, initramfs):
    report = folder / "report.json"
    seconds, results = time_markers(
        [options.reprise, "run", "--kernel", options.guests / "vmlinuz", "--initrd", initramfs, "--append", APPEND,
         "--memory", "1G", "--serial", "stdio", "--engine", options.engine, "--json", report], 1800)
    return seconds, results, json.loads(report.read_text())


def run_qemu(options, initramfs):
    return time_markers(
        ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", "max", "-m", "1G", "-nographic", "-no-reboot",
         "-kernel", options.guests / "vmlinuz", "-initrd", initramfs, "-append", APPEND], 900)


def run_native(folder):
    seconds, results = {}, {}
    for name, script in SCRIPTS.items():
        command = script.format(busybox="./busybox")
        started = time.monotonic()
        output = subprocess.run(["./busybox", "sh", "-c", command], cwd=folder, check=True, stdout=subprocess.PIPE).stdout
        seconds[name] = time.monotonic() - started
        results[name] = subprocess.run([folder / "busybox", "md5sum"], input=output, check=True,
                                       stdout=subprocess.PIPE).stdout.decode().split()[0]
    return seconds, results


def print_table(medians, mips):
    print(f"\n{'workload':<12}" + "".join(f"{name:>12}" for name in medians) + f"{'x native':>12}{'x QEMU':>12}")
    for workload in WORKLOADS:
        cells = [medians[name].get(workload) for name in medians]
        ours, native, qemu = (medians.get(name, {}).get(workload) for name in ("reprise", "native", "qemu"))
        print(f"{workload:<12}" + "".join(f"{cell:>10.3f} s" if cell is not None else f"{'-':>12}" for cell in cells)
              + (f"{ours / native:>12.1f}" if ours and native else f"{'-':>12}")
              + (f"{ours / qemu:>12.2f}" if ours and qemu else f"{'-':>12}"))
    if mips:
        print(f"\nreprise: {statistics.median(mips):.1f} million guest instructions a second over the whole run")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", default="build/release/reprise")
    parser.add_argument("--engine", default="interp")
    parser.add_argument("--guests", type=pathlib.Path, default=pathlib.Path("build/guests"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build"), help="folder for bench.json")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="comma-separated: reprise,qemu,native")
    options = parser.parse_args()
    contestants = options.only.split(",") if options.only else ["reprise", "qemu", "native"]
    unknown = set(contestants) - {"reprise", "qemu", "native"}
    if unknown:
        parser.error(f"--only: unknown {', '.join(sorted(unknown))}")

    rounds, mips, results = {name: [] for name in contestants}, [], {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        initramfs = set_up(folder, options.guests)
        for number in range(options.rounds):
            for name in contestants:
                print(f"bench: round {number + 1} of {options.rounds}: {name}", flush=True)
                if name == "reprise":
                    seconds, found, report = run_reprise(options, folder, initramfs)
                    mips.append(report["instructions"] / report["wall_s"] / 1e6)
                else:
                    seconds, found = run_qemu(options, initramfs) if name == "qemu" else run_native(folder)
                rounds[name].append(seconds)
                for workload, result in found.items():
                    if results.setdefault(workload, result) != result:
                        sys.exit(f"bench: {name} got another result for {workload}: {result} instead of {results[workload]}")

    medians = {name: {workload: statistics.median(turn[workload] for turn in turns) for workload in turns[0]}
               for name, turns in rounds.items()}
    print_table(medians, mips)
    options.out.mkdir(parents=True, exist_ok=True)
    output = options.out / "bench.json"
    output.write_text(json.dumps({"host": platform.processor() or platform.machine(), "engine": options.engine,
                                  "median_s": medians, "rounds_s": rounds, "reprise_mips": mips}, indent=1) + "\n")
    print(f"written to {output}")


if __name__ == "__main__":
    main()
