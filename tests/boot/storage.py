#!/usr/bin/env python3
"""Stock Linux works IDE and AHCI disks and CD-ROM drives: raw content, ext4 made, filled, checked and read back, without an
error in its log; the same run on the interpreter and on another engine; the recording of the run, which wrote through to its images, is
replayed from what it left of them; and the images left behind pass the host's fsck.

Needs --guests to name what tests/guests/build_storage_guest.py makes.
"""

import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import runner

MIB = 1 << 20
DISKS = {"ide": 96 * MIB, "ahci": 64 * MIB}


def repeated(options, folder, facts):
    """The run that was recorded, from the images that it has written: they stay as they are."""
    images = {bus: (folder / f"{bus}.img").read_bytes() for bus in DISKS}
    console, report = folder / "replayed", folder / "replay.json"
    replay = subprocess.run([options.reprise, "replay", folder / "recording", "--engine", "jit", "--serial",
                             f"file:{console}", "--json", report], capture_output=True, text=True, timeout=900)
    runner.expect(replay.returncode == 0, f"replay: exit code {replay.returncode}: {replay.stderr}")
    runner.expect("storage: complete" in console.read_text(errors="replace"), "replay: the guest did not get to its end")
    second = json.loads(report.read_text())
    for key in facts:
        runner.expect(facts[key] == second[key], f"replay: {key} is {second[key]}, was {facts[key]}")
    for bus in DISKS:
        runner.expect((folder / f"{bus}.img").read_bytes() == images[bus], f"the replay has written to {bus}.img")


def work(options, engine, folder):
    """One run with new images. Returns what must be equal on every engine."""
    options.engine = engine
    extra = []
    for bus, size in DISKS.items():
        disk, disc = folder / f"{bus}.img", folder / f"{bus}.iso"
        with disk.open("wb") as image:
            image.truncate(size)
        disc.write_bytes(b"".join(hashlib.sha512(f"{bus} {i}".encode()).digest() for i in range(16 * MIB // 64)))
        extra += ["--disk", f"{disk},bus={bus},write=yes,format=raw", "--disk", f"{disc},bus={bus},media=cdrom,format=raw"]
    extra += ["--record", folder / "recording"]
    result = runner.boot(options, f"reprise.exec=/bin/storage storage.disks={len(DISKS)}", extra)
    runner.expect("storage: complete" in result.console, f"{engine}: {result.messages}{result.console[-3000:]}")
    runner.expect(result.exit_code == 0, f"{engine}: exit code {result.exit_code}: {result.messages}")
    for name in ("sda", "sdb"):
        runner.expect(f"storage: {name} is good" in result.console, f"{engine}: {name} is not good")
    sums = sorted(re.findall(r"storage: sr\d sha256 ([0-9a-f]{64})", result.console))
    wanted = sorted(hashlib.sha256((folder / f"{bus}.iso").read_bytes()).hexdigest() for bus in DISKS)
    runner.expect(sums == wanted, f"{engine}: the CD-ROM drives read {sums}, not {wanted}")
    images = {}
    for bus in DISKS:
        disk = folder / f"{bus}.img"
        images[bus] = hashlib.sha256(disk.read_bytes()).hexdigest()
        if shutil.which("e2fsck"):
            check = subprocess.run(["e2fsck", "-f", "-n", disk], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            runner.expect(check.returncode == 0, f"{engine}: e2fsck of {disk.name}: {check.stdout}")
    facts = {key: result.report[key] for key in ("instructions", "virtual_ns", "state_hash", "exit_reason")}
    return facts, images


def test(options):
    engine = options.engine
    with tempfile.TemporaryDirectory() as folder:
        first = work(options, engine, pathlib.Path(folder))
        print(f"{engine}: {first[0]}")
        if engine == "interp":
            return
        repeated(options, pathlib.Path(folder), first[0])
        second = work(options, "interp", pathlib.Path(folder))
    runner.expect(first == second, f"the runs differ: {engine} {first}, interp {second}")


runner.main(test, __doc__, guest_may_be_missing=True)
