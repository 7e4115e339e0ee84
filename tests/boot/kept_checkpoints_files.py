#!/usr/bin/env python3
"""A replay begins in the middle of a recording whose guest works on a folder of the host, with files that stay open and one without
a name, and on a disk that is written through. Folder and image are gone then, or have something else.

Needs --guests to name what tests/guests/build_storage_guest.py makes.
"""

import json
import pathlib
import shutil
import subprocess
import tempfile

import runner
import time_travel_files

EVERY = 250_000_000
TIMED_OUT = 12


def replay(options, folder, *words):
    serial, report = folder / "serial", folder / "report"
    done = subprocess.run([str(word) for word in (options.reprise, "replay", folder / "recording", "--engine", options.engine, "--serial",
                                                  f"file:{serial}", "--json", report, "--hash-every", EVERY // 2, *words)],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=900)
    runner.expect(done.returncode == TIMED_OUT, f"exit code {done.returncode}: {done.stderr}")
    return [line for line in done.stderr.splitlines() if line.startswith("state ")], json.loads(report.read_text()), serial.read_text()


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        words = time_travel_files.guest_words(options, folder / "here")
        command = [options.reprise, "run", *words, "--engine", options.engine, "--serial", f"file:{folder / 'console'}", "--record",
                   folder / "recording", "--timeout", "14", "--json", folder / "recorded"]
        subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=900)
        runner.expect("files: complete" in (folder / "console").read_text(), (folder / "console").read_text())
        shutil.rmtree(folder / "here" / "folder")
        end = json.loads((folder / "recorded").read_text())["instructions"]
        states, whole, printed = replay(options, folder, "--keep-checkpoints", EVERY)
        kept = sorted(int(path.name[1:]) for path in (folder / "recording.checkpoints").iterdir())
        runner.expect(len(kept) >= 3 and whole["instructions"] == end, f"kept are {kept} of {end}")
        parts = 0
        for at in kept[len(kept) * 5 // 8:]:
            rest, report, text = replay(options, folder, "--begin", at)
            for key in "state_hash", "instructions", "virtual_ns", "exit_reason", "exit_code":
                runner.expect(report[key] == whole[key], f"from {at}: {key} is {report[key]}, and {whole[key]} of the whole")
            runner.expect(rest == [line for line in states if int(line.split()[1]) > at], f"from {at}: {rest}, and of the whole {states}")
            runner.expect(printed.endswith(text), f"from {at} it printed {text}")
            parts += "files: line 0" not in text and "files: line 5" in text
        runner.expect(parts >= 1, f"none of {kept} lies amid the work")


if __name__ == "__main__":
    runner.main(test, __doc__, guest_may_be_missing=True)
