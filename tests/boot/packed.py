#!/usr/bin/env python3
"""Recordings that outlive their files: an image that the run wrote, files that moved, that are others now, that a recording has
itself; recordings that begin with a saved state, and those of runs that ended badly."""

import json
import pathlib
import resource
import shutil
import subprocess
import tempfile

import monitor
import runner

KEYS = ("state_hash", "instructions", "virtual_ns")


def command(options, folder, *words, code=0):
    run = subprocess.run([options.reprise, *map(str, words)], cwd=folder, capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, timeout=300)
    runner.expect(run.returncode == code, f"{words}: exit code {run.returncode}, not {code}: {run.stderr}")
    return run


def replay(options, folder, recording, *words, code=0):
    """What the guest prints, and what the report says."""
    text, report = folder / "replayed.text", folder / "replayed.json"
    command(options, folder, "replay", recording, "--serial", f"file:{text}", "--json", report, *words, code=code)
    return text.read_bytes(), json.loads(report.read_text())


def refused(options, folder, code, wanted, *words):
    said = command(options, folder, *words, code=code).stderr
    runner.expect(said.count("\n") == 1 and all(word in said for word in wanted), f"{words}: {said}")


def written_disk(options, folder):
    """A disk that its run writes, by a relative name; the recording stands afterwards, and packed without any file."""
    here = folder / "disk"
    here.mkdir()
    sector, image = here / "sector", here / "disk.img"
    runner.assemble(pathlib.Path(__file__).with_name("packed_boot.asm"), sector)
    before = sector.read_bytes() + bytes(4 * 512) + b"n".ljust(512) + b"o".ljust(512) + bytes(1 << 20)
    image.write_bytes(before)
    command(options, here, "run", "--disk", "disk.img,write=yes", "--debug-exit", "0xf4", "--serial", "file:text", "--json",
            "report", "--record", "rec", code=1)
    text, report = (here / "text").read_bytes(), json.loads((here / "report").read_text())
    runner.expect(text.endswith(b"onn"), f"the guest printed {text[-80:]}")
    after = image.read_bytes()
    runner.expect(before != after and after[6 * 512] == ord("n"), "the image was not written")

    away = folder / "away"
    away.mkdir()
    recording = here / "rec"

    def same(recording, *words):
        again, second = replay(options, away, recording, *words, code=1)
        runner.expect(again == text, f"{words}: the guest printed {again[-80:]}")
        for key in KEYS:
            runner.expect(report[key] == second[key], f"{words}: {key} is {second[key]}, was {report[key]}")

    same(recording)
    runner.expect(image.read_bytes() == after, "the replay has written to the image")
    # Where there is no room nothing is lost, and nothing is left.
    names, whole = sorted(away.iterdir()), recording.read_bytes()
    for words in [recording], [recording, "--output", away / "new"]:
        full = subprocess.run([options.reprise, "pack", *map(str, words)], cwd=away, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        runner.expect(full.returncode == 20 and "cannot be written" in full.stderr, f"pack without room: {full}")
    runner.expect(recording.read_bytes() == whole and sorted(away.iterdir()) == names, f"without room: {sorted(away.iterdir())}")
    packed = away / "packed"
    command(options, away, "pack", recording, "--output", packed)
    image.rename(away / "moved")
    refused(options, away, 20, ["disk.img", "does not exist", "--image disk.img=PATH"], "replay", recording)
    same(recording, "--image", f"disk.img={away / 'moved'}")
    other = bytearray(after)
    other[16384 + 3] ^= 1
    (away / "moved").write_bytes(other)
    refused(options, away, 2, ["disk.img", "disk0", "holds something else"], "replay", recording, "--image",
            f"{image}={away / 'moved'}")
    (away / "moved").unlink()
    same(packed, "--engine", "interp")
    # In place, and once more.
    command(options, away, "pack", packed)
    same(packed)
    refused(options, away, 20, ["none"], "replay", folder / "none")
    refused(options, away, 2, ["sector", "not a recording"], "replay", sector)
    refused(options, away, 2, ["text", "something other than a recording"], "pack", packed, "--output", here / "text")


def linux(options, folder):
    """A kernel and an initrd that are gone; a state of that run, and the recording of a run that begins with it."""
    here = folder / "linux"
    here.mkdir()
    for name, path in (("vmlinuz", options.kernel), ("initrd", options.initrd)):
        shutil.copy(path, here / name)
    words = ["--kernel", "vmlinuz", "--initrd", "initrd", "--append", "console=ttyS0 reprise.demo", "--memory", "256M",
             "--serial", "file:text", "--json", "report", "--engine", options.engine]
    socket = here / "socket"
    guest = subprocess.Popen([options.reprise, "run", *words, "--record-on", "failure=failed", "--stop-at", "700000000",
                              "--monitor", f"unix:{socket}", "--paused", "--expect", "poweroff"], cwd=here,
                             stderr=subprocess.PIPE, text=True)
    client = monitor.Client(socket)
    client.ask("step", count="400000000")
    while client.ask("status")["state"] != "stopped":
        pass
    client.ask("save", file=str(here / "state"))
    client.ask("cont")
    client.close()
    said = guest.communicate(timeout=300)[1]
    runner.expect(guest.returncode == 16 and "'failed'" in said, f"exit code {guest.returncode}: {said}")
    straight = json.loads((here / "report").read_text())
    _, second = replay(options, here, "failed", code=16)
    for key in KEYS:
        runner.expect(straight[key] == second[key], f"after a failure: {key} is {second[key]}, was {straight[key]}")

    copies = {}
    for seed in 1, 2, 3:
        command(options, here, "run", "--load", "state", "--seed", seed, "--serial", "file:copy", "--json", "copied",
                "--stop-at", "700000000", "--record", "fork")
        copies[seed] = json.loads((here / "copied").read_text())["state_hash"]
    runner.expect(copies[1] == straight["state_hash"] and len(set(copies.values())) == 3, f"{copies}")
    _, again = replay(options, here, "fork")
    runner.expect(again["state_hash"] == copies[3], "the replay of a copy with a seed of its own is another run")

    command(options, here, "run", "--load", "state", "--serial", "file:text", "--json", "report", "--record", "rec",
            "--stop-at", "700000000")
    loaded = json.loads((here / "report").read_text())
    runner.expect(loaded["state_hash"] == straight["state_hash"], "the loaded run went another way")
    command(options, here, "pack", "rec", "--output", "packed")
    (here / "other").write_bytes((here / "initrd").read_bytes() + bytes(512))
    refused(options, here, 2, ["initrd", "the one of that run", "--image initrd=PATH"], "replay", "rec", "--image", "initrd=other")
    (here / "state").rename(here / "moved")
    refused(options, here, 20, ["state", "--image state=PATH"], "replay", "rec")
    for name, words in (("rec", ["--image", "state=moved"]), ("packed", [])):
        if name == "packed":
            for gone in ("vmlinuz", "initrd", "moved"):
                (here / gone).unlink()
        text, again = replay(options, here, name, *words)
        runner.expect(text == (here / "text").read_bytes(), f"{name}: the output differs")
        for key in KEYS:
            runner.expect(straight[key] == again[key], f"{name}: {key} is {again[key]}, was {straight[key]}")


def test(options):
    options.reprise = pathlib.Path(options.reprise).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        written_disk(options, folder)
        linux(options, folder)


if __name__ == "__main__":
    runner.main(test, __doc__)
