#!/usr/bin/env python3
"""The same boot on the interpreter and on another engine: the same chain of state hashes, number of instructions,
virtual time, console and final state."""

import re

import runner

HASH = re.compile(r"\b(?:0x)?[0-9a-f]{16}\b")


def observe(options, engine):
    options.engine = engine
    result = runner.boot(options, "reprise.exec=/bin/true", ["--hash-every", "50000000", "--seed", "7"])
    runner.expect(result.exit_code == 0, f"{engine}: exit code {result.exit_code}: {result.messages}")
    chain = [line for line in result.messages.splitlines() if HASH.search(line)]
    runner.expect(len(chain) >= 10, f"--hash-every printed only {len(chain)} hashes: {result.messages}")
    facts = {key: result.report[key] for key in ("instructions", "virtual_ns", "state_hash", "exit_reason")}
    return chain, facts, result.console


def test(options):
    engine = options.engine
    first = observe(options, "interp")
    second = observe(options, engine)
    for index, (one, other) in enumerate(zip(first[0], second[0])):
        runner.expect(one == other, f"hash {index} differs: interp '{one}', {engine} '{other}'")
    runner.expect(first == second, f"the reports differ: {first[1]} and {second[1]}")
    print(f"{len(first[0])} hashes agree; {first[1]}")


runner.main(test, __doc__)
