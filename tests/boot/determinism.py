#!/usr/bin/env python3
"""The same boot twice, the second time with another process keeping a core busy: the same chain of state hashes,
the same number of instructions, the same virtual time, the same console, the same final state.

The interpreter boots without user-mode Linux inside, which takes it four times as long."""

import re
import subprocess
import sys

import runner

HASH = re.compile(r"\b(?:0x)?[0-9a-f]{16}\b")
# Ends by itself, whatever becomes of the test.
BUSY = "import time\nend = time.time() + 600\nwhile time.time() < end: pass"


# Engine: the guest's work, what it says at the end, instructions between hashes.
WORK = {"interp": ("reprise.exec=/bin/true", "reprise: exec status 0", 100_000_000)}
DEMO = ("reprise.demo", "reprise: demo complete", 200_000_000)


def observe(options, extra):
    work, end, hash_every = WORK.get(options.engine, DEMO)
    result = runner.boot(options, work, ["--hash-every", str(hash_every), *extra])
    runner.expect(result.exit_code == 0, f"exit code {result.exit_code}: {result.messages}")
    runner.expect(end in result.console, f"the guest did not say '{end}'")
    chain = [line for line in result.messages.splitlines() if HASH.search(line)]
    runner.expect(len(chain) >= 5, f"--hash-every printed only {len(chain)} hashes: {result.messages}")
    facts = {key: result.report[key] for key in ("instructions", "virtual_ns", "state_hash", "exit_reason")}
    return chain, facts, result.console


def test(options):
    quiet = observe(options, ["--seed", "7"])
    busy_process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        busy = observe(options, ["--seed", "7"])
    finally:
        busy_process.kill()
        busy_process.wait()
    for index, (first, second) in enumerate(zip(quiet[0], busy[0])):
        runner.expect(first == second, f"hash {index} differs: '{first}' and '{second}'")
    runner.expect(quiet[0] == busy[0], "the chains differ in length")
    runner.expect(quiet[1] == busy[1], f"the reports differ: {quiet[1]} and {busy[1]}")
    runner.expect(quiet[2] == busy[2], "the consoles differ")
    print(f"{len(quiet[0])} hashes agree; {quiet[1]}")


runner.main(test, __doc__)
