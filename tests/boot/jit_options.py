#!/usr/bin/env python3
"""The same boot on the interpreter and on the JIT with its options: passes left out, short blocks, a small code cache,
early translation. The guest must not be able to tell: the same chain of state hashes and the same end."""

import re
import tempfile

import runner

HASH = re.compile(r"^state (\d+) ([0-9a-f]{16})$", re.MULTILINE)
PASSES = ("groups", "flags", "links", "jumps", "vectors", "x87", "strings", "host-flags", "second-level", "joins", "system")
VARIANTS = [["--no-pass", name] for name in PASSES] + [
    [],
    ["--no-pass", "all"],
    ["--max-block", "1"],
    ["--max-block", "7"],
    ["--code-cache", "1M"],
    ["--jit-threshold", "1"],
    ["--no-pass", "all", "--max-block", "3", "--code-cache", "256K", "--jit-threshold", "2"],
]


def observe(options, engine, words):
    options.engine = engine
    result = runner.boot(options, "reprise.exec=/bin/true", ["--hash-every", "50000000", "--seed", "3", *words])
    runner.expect(result.exit_code == 0, f"{engine} {words}: exit code {result.exit_code}: {result.messages}")
    chain = HASH.findall(result.messages)
    runner.expect(len(chain) >= 10, f"{engine} {words}: only {len(chain)} hashes: {result.messages}")
    return chain, {key: result.report[key] for key in ("instructions", "virtual_ns", "state_hash", "exit_reason")}


def test(options):
    chain, end = observe(options, "interp", [])
    for words in VARIANTS:
        other_chain, other_end = observe(options, "jit", words)
        for one, other in zip(chain, other_chain):
            runner.expect(one == other, f"jit {words}: after {one[0]} instructions {other[1]} instead of {one[1]}")
        runner.expect((chain, end) == (other_chain, other_end), f"jit {words}: the ends differ: {end} and {other_end}")
    # The first run leaves its code, the second begins with it, the third with less than all of it that fits.
    with tempfile.TemporaryDirectory() as folder:
        kept = ["--code-cache-dir", folder + "/code"]
        for words in (kept, kept, [*kept, "--code-cache", "1M"], [*kept, "--code-cache", "1M"]):
            runner.expect(observe(options, "jit", words) == (chain, end), f"jit {words}: another run than the interpreter's")
    print(f"{len(VARIANTS)} variants of the JIT agree with the interpreter in {len(chain)} hashes; {end}")


runner.main(test, __doc__)
