#!/usr/bin/env python3
"""Floppies of every drive type boot through SeaBIOS, are read and written through int 13h, and show on the VGA."""

import json
import pathlib
import subprocess
import tempfile

import runner

BOOT_SECTOR = pathlib.Path(__file__).with_name("floppy_boot.asm")
SECTOR = 512
SHAPES = {360: (40, 2, 9), 720: (80, 2, 9), 880: (80, 2, 11), 1120: (80, 2, 14), 1200: (80, 2, 15), 1440: (80, 2, 18),
          1680: (80, 2, 21), 1920: (80, 2, 24), 2880: (80, 2, 36)}

# What SeaBIOS takes the drive for, where that is not the disk's shape.
DRIVES = {880: (80, 2, 18), 1120: (80, 2, 18), 1680: (80, 2, 36), 1920: (80, 2, 36)}


def sector_text(number):
    return b"sector %d\r\n\0" % number


def make_image(path, kib):
    tracks, heads, sectors = SHAPES[kib]
    runner.assemble(BOOT_SECTOR, path, f"-DTRACKS={tracks}", f"-DHEADS={heads}", f"-DSECTORS={sectors}")
    image = bytearray(path.read_bytes().ljust(kib * 1024, b"\0"))
    for number in range(1, kib * 1024 // SECTOR):
        text = sector_text(number)
        image[number * SECTOR:number * SECTOR + len(text)] = text
    path.write_bytes(image)


def run(options, image, write, folder):
    screen, report = folder / "screen", folder / "report"
    command = [options.reprise, "run", "--bios", "seabios", "--floppy", f"{image}{',write=yes' if write else ''}",
               "--serial", "null", "--memory", "32M", "--engine", options.engine, "--timeout", "30", "--wall-timeout", "200",
               "--dump-screen", screen, "--json", report]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=260)
    lines = [line.strip() for line in screen.read_text().splitlines()]
    runner.expect(done.returncode == 0, f"{image.name}: exit code {done.returncode}, {done.stdout.decode()}{lines}")
    return lines, json.loads(report.read_text())["state_hash"]


def check(options, kib, folder):
    sectors, drive = SHAPES[kib][2], DRIVES.get(kib, SHAPES[kib])
    image = folder / f"{kib}.img"
    make_image(image, kib)
    before = image.read_bytes()
    last = kib * 1024 // SECTOR - 1
    lines, first_hash = run(options, image, False, folder)
    want = ["hello from the floppy", "sector 1", f"sector {sectors - 1}", f"sector {last}",
            f"{drive[0] - 1:02x}{drive[2]:02x}{drive[1] - 1:02x} done"]
    runner.expect([line for line in lines if line][-len(want):] == want, f"{kib}K: the screen shows {lines}")
    runner.expect(image.read_bytes() == before, f"{kib}K: the image was written without write=yes")
    runner.expect(run(options, image, False, folder)[1] == first_hash, f"{kib}K: two runs differ")
    run(options, image, True, folder)
    after = image.read_bytes()
    runner.expect(after[SECTOR:2 * SECTOR] == before[last * SECTOR:], f"{kib}K: the written sector is not on the image")
    runner.expect(after[:SECTOR] + after[2 * SECTOR:] == before[:SECTOR] + before[2 * SECTOR:],
                  f"{kib}K: other sectors changed too")


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        for kib in SHAPES:
            check(options, kib, pathlib.Path(folder))


if __name__ == "__main__":
    runner.main(test, __doc__)
