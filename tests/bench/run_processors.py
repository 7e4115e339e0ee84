#!/usr/bin/env python3
"""What several processors cost: the same workloads on Reprise with four processors and with one, and on QEMU TCG with four
on one host thread (thread=single) and on several (thread=multi), turn by turn. Prints medians of processor time (for
thread=multi of wall time too), writes JSON. "boot" is from the start of the emulator to the guest's first process."""

import argparse
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run_bench  # noqa: E402
import workloads  # noqa: E402

NAMES = list(workloads.PROCESSOR_SCRIPTS)
CONTESTANTS = ["one", "four", "single", "multi"]


def command(options, contestant, initramfs, names):
    append = run_bench.APPEND + ",".join(names)
    kernel = options.guests / "vmlinuz"
    if contestant in ("one", "four"):
        cpus = "1" if contestant == "one" else "4"
        return [options.reprise, "run", "--kernel", kernel, "--initrd", initramfs, "--append", append, "--memory", "1G",
                "--serial", "stdio", "--cpus", cpus, *options.reprise_arg]
    return ["qemu-system-x86_64", "-M", "pc", "-accel", f"tcg,thread={contestant}", "-cpu", "max", "-m", "1G", "-nographic",
            "-no-reboot", "-smp", "4", "-kernel", kernel, "-initrd", initramfs, "-append", append]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAMES", help="comma-separated: boot, " + ", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestants", default=",".join(CONTESTANTS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--reprise", default="build/release/reprise", help="the program to measure")
    parser.add_argument("--reprise-arg", action="append", default=[], metavar="ARG", help="further option for 'reprise run'")
    parser.add_argument("--guests", type=pathlib.Path, default=pathlib.Path("build/guests"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build"))
    options = parser.parse_args()
    names = options.only.split(",") if options.only else ["boot", *NAMES]
    contestants = options.contestants.split(",")
    for given, known in ((names, ["boot", *NAMES]), (contestants, CONTESTANTS)):
        if unknown := set(given) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")

    bench = run_bench.Bench(options)
    bench.set_up()
    rounds = {contestant: [] for contestant in contestants}
    started = time.monotonic()
    for number in range(options.rounds):
        for contestant in contestants:
            print(f"bench: round {number + 1} of {options.rounds}: {contestant}", flush=True)
            found = {}
            if "boot" in names:
                found["boot"] = run_bench.time_markers(
                    command(options, contestant, bench.folder / "boot.img", []), 1800)["userland"]
            if work := [name for name in names if name != "boot"]:
                found.update(run_bench.time_markers(command(options, contestant, bench.folder / "bench.img", work), 1800))
            rounds[contestant].append(found)

    def median(contestant, name, clock):
        values = [turn[name][clock] for turn in rounds.get(contestant, []) if name in turn]
        return statistics.median(values) if values else None

    def cell(value, form="{:.2f}"):
        return f"{form.format(value) if value else '-':>12}"

    print(f"\n{'workload':<18}" + "".join(f"{title:>12}" for title in
          ["one s", "four s", "four / one", "single s", "x faster", "multi s", "multi wall", "x by wall"]))
    for name in names:
        one, four = median("one", name, "cpu_s"), median("four", name, "cpu_s")
        single, multi = median("single", name, "cpu_s"), median("multi", name, "cpu_s")
        wall, ours = median("multi", name, "s"), median("four", name, "s")
        print(f"{name:<18}" + cell(one) + cell(four) + cell(four / one if one and four else None) + cell(single) +
              cell(single / four if single and four else None) + cell(multi) + cell(wall) +
              cell(wall / ours if wall and ours else None))
    output = options.out / "bench-processors.json"
    output.write_text(json.dumps(rounds, indent=1) + "\n")
    print(f"{time.monotonic() - started:.0f} s; written to {output}")


if __name__ == "__main__":
    main()
