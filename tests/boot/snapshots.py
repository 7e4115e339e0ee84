#!/usr/bin/env python3
"""States that the monitor saves: in the middle of a boot, mapped and compressed, then loaded by every engine in another folder.
The chain of hashes and the end are those of the run that was never saved. And what is refused, in one sentence."""

import os
import pathlib
import re
import subprocess
import tempfile

import monitor
import runner

EVERY = 100_000_000
CHAIN = re.compile(r"^state (\d+) ([0-9a-f]{16})", re.M)


def chain(text):
    return {int(at): digest for at, digest in CHAIN.findall(text)}


def save(options, folder):
    """The demo, saved three times on its way. What it printed on stderr."""
    socket = folder / "socket"
    with (folder / "messages").open("w") as stderr:
        guest = subprocess.Popen(
            [options.reprise, "run", "--kernel", os.path.relpath(options.kernel, folder), "--initrd",
             os.path.relpath(options.initrd, folder), "--memory", "512M", "--append", "console=ttyS0 reprise.demo",
             "--engine", options.engine, "--serial", "null", "--monitor", f"unix:{socket}", "--device", "virtio-rng",
             "--hash-every", str(EVERY), "--wall-timeout", "600"], cwd=folder, stdin=subprocess.DEVNULL, stderr=stderr)
        try:
            client = monitor.Client(socket)
            client.ask("stop")
            points = []
            for number, name in enumerate(("first", "second,compress=zstd", "third")):
                client.ask("step", count=str(150_000_000 + 211_234_567 * number))
                while (now := client.ask("status"))["state"] != "stopped":
                    pass
                points.append(now["instructions"])
                runner.expect(client.ask("save", file=f"{folder}/{name}")["instructions"] == points[-1], "save moved the guest")
            client.ask("cont")
            client.close()
            runner.expect(guest.wait(600) == 0, f"exit code {guest.returncode}")
        finally:
            guest.kill()
            guest.wait()
    return points, (folder / "messages").read_text()


def load(options, state, *words):
    return subprocess.run([options.reprise, "run", "--load", state, "--serial", "null", *words], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=900)


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        points, messages = save(options, folder)
        straight = chain(messages)
        last = max(straight)
        for state, point, engine in (("first", points[0], "interp"), ("second", points[1], options.engine),
                                     ("third", points[2], "lockstep" if options.engine == "jit" else "interp")):
            end = point + 400_000_000 if engine != options.engine else last
            result = load(options, folder / state, "--engine", engine, "--hash-every", str(EVERY), "--stop-at", str(end))
            runner.expect(result.returncode == 0, f"{state}: exit code {result.returncode}: {result.stderr}")
            expected = {at: digest for at, digest in straight.items() if point < at <= end}
            runner.expect(chain(result.stderr) == expected and expected,
                          f"{state} on {engine} goes on otherwise: {result.stderr}\nexpected: {expected}")
        refused(options, folder)


def refused(options, folder):
    """Each is an error of one line that names the file: one of usage, but for a file that is not there."""
    whole = folder / "first"
    (folder / "short").write_bytes(whole.read_bytes()[:3 << 20])
    damaged = bytearray(whole.read_bytes())
    damaged[-30] ^= 1
    (folder / "damaged").write_bytes(damaged)
    for state, words in (("short", []), ("damaged", []), ("messages", []), ("missing", []), ("first", ["--memory", "256M"]),
                         ("first", ["--cpus", "2"])):
        result = load(options, folder / state, *words)
        runner.expect(result.returncode == (20 if state == "missing" else 2) and result.stderr.count("\n") == 1 and state in result.stderr,
                      f"{state} {words}: exit code {result.returncode}: {result.stderr}")


if __name__ == "__main__":
    runner.main(test, __doc__)
