#!/usr/bin/env python3
"""How many schedules it takes to find known races (races.asm), by PCT and by turns in a round.

    races.py --reprise build/release/reprise --tool build/release/tests/guest/schedule_seeds races.bin

For each race: PCT finds it within 100 seeds in 9 of 10 batches of seeds, and with a fifth of the seeds that round robin
takes; a seed that finds it does so always, on every engine, to the same state; and no seed of any policy fails the same
program without the mistake.
"""

import argparse
import dataclasses
import itertools
import json
import subprocess
import sys
import tempfile

HELD, BROKE = 0x21, 0x23  # exit codes
SEEDS_OF_A_BATCH = 100
FACTOR = 5
SHORT_TURNS = ["--quantum", "100-1000"]


@dataclasses.dataclass
class Race:
    name: str
    depth: int  # how many events must come in one order


RACES = [Race("lost update", 2), Race("missed wake-up", 2), Race("double-checked initialisation", 2),
         Race("broken publication", 2), Race("ABA", 2), Race("deadlock of three locks", 3)]


class Failure(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


class Runs:
    """Of the program with one race, or without its mistake."""

    def __init__(self, options, number, mended):
        self.options = options
        self.words = ["run", "--kernel", options.image, "--append", str(2 * number + mended),
                        "--memory", "4M", "--cpus", "4", "--serial", "null", "--debug-exit", "0xf4", "--timeout", "1"]

    def seeds(self, schedule, first, count, until=0):
        """For each seed whether it finds the mistake; no further than one that ends with exit code `until`."""
        words = [self.options.tool, str(first), str(count), str(until), *self.words, *schedule, "--engine", "interp"]
        run = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        codes = [int(line) for line in run.stdout.split()]
        expect(run.returncode == 0 and all(code in (HELD, BROKE) for code in codes),
               f"exit codes {run.returncode}; {sorted(set(codes))}: {' '.join(words)}")
        return [code == BROKE for code in codes]

    def report(self, schedule, seed, engine="interp", extra=()):
        words = [self.options.reprise, *self.words, *schedule, "--sched-seed", str(seed), "--engine", engine, *extra]
        run = subprocess.run([*words, "--json", "-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        expect(run.returncode in (HELD, BROKE), f"exit code {run.returncode}: {' '.join(words)}")
        report = json.loads(run.stdout)
        return run.returncode, report["instructions"], report["virtual_ns"], report["state_hash"]


def seeds_needed(runs, schedule, batch):
    """Until one finds it, of a batch; None: no seed of it does."""
    found = runs.seeds(schedule, batch * SEEDS_OF_A_BATCH + 1, SEEDS_OF_A_BATCH, BROKE)
    return len(found) if found[-1] else None


def average(found, tried):
    return f"{tried / found:.1f}" if found else f"more than {tried}" if tried else "-"


def examine(options, number, race):
    broken, mended = Runs(options, number, 0), Runs(options, number, 1)
    # What a user knows: how long it takes when nothing goes wrong.
    length = mended.report([], 1)[1]
    pct = ["--schedule", f"pct:{race.depth},{length}"]

    needed = [seeds_needed(broken, pct, batch) for batch in range(options.batches)]
    hits = [seeds for seeds in needed if seeds is not None]
    tried = sum(seeds or SEEDS_OF_A_BATCH for seeds in needed)
    counts = [sum(broken.seeds(schedule, 1, tries)) for schedule, tries in
              (([], options.round_robin), (SHORT_TURNS, options.short_turns))]
    print(f"| {race.name} | {race.depth} | {length} | {len(hits)} of {options.batches} | {average(len(hits), tried)} | "
          f"{max(hits, default='')} | {average(counts[0], options.round_robin)} | "
          f"{average(counts[1], options.short_turns)} |", flush=True)
    expect(len(hits) * 10 >= options.batches * 9, f"{race.name}: found in {len(hits)} of {options.batches} batches only")
    # With none found the average is above what was tried.
    expect(options.round_robin * len(hits) >= FACTOR * tried * max(1, counts[0]),
           f"{race.name}: not {FACTOR} times fewer seeds than in a round")

    batch, seeds = next((batch, seeds) for batch, seeds in enumerate(needed) if seeds is not None)
    seed = batch * SEEDS_OF_A_BATCH + seeds
    first = broken.report(pct, seed)
    expect(first[0] == BROKE, f"{race.name}: seed {seed} found it, but not again")
    # Also when the run stops in between for other reasons.
    for engine, extra in itertools.product(options.engines.split(","), ([], ["--hash-every", "1009"])):
        again = broken.report(pct, seed, engine, extra)
        expect(again == first, f"{race.name}: seed {seed} on {engine} {' '.join(extra)}: {again}, not {first}")

    deeper = ["--schedule", f"pct:{race.depth + 2},{length}"]
    for schedule in (pct, deeper, [], SHORT_TURNS):
        found = mended.seeds(schedule, 1, options.mended)
        expect(not any(found), f"{race.name}, mended: a seed of 1 to {options.mended} fails it, {' '.join(schedule)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", required=True)
    parser.add_argument("--tool", required=True, help="schedule_seeds, built with it")
    parser.add_argument("--engines", default="interp,jit,lockstep", help="on which a seed that fails must fail alike")
    parser.add_argument("--batches", type=int, default=50, help=f"of {SEEDS_OF_A_BATCH} seeds of PCT each")
    parser.add_argument("--round-robin", type=int, default=1000, help="seeds of it")
    parser.add_argument("--short-turns", type=int, default=200, help="seeds of round robin with turns of 100 to 1000")
    parser.add_argument("--mended", type=int, default=100, help="seeds of each policy without the mistake")
    parser.add_argument("image")
    options = parser.parse_args()
    print("| race | depth | instructions | found within 100 seeds of PCT | seeds on average | at most | round robin | turns of 100-1000 |")
    print("|---|---|---|---|---|---|---|---|")
    failures = []
    for number, race in enumerate(RACES):
        try:
            examine(options, number, race)
        except Failure as failure:
            failures.append(str(failure))
    for failure in failures:
        print(f"FAIL: {failure}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
