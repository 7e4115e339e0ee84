#!/usr/bin/env python3
"""A boot is saved at random instructions. Each state is loaded in a fresh process by another engine, and the chain of state hashes
of what follows is that of the run that was never saved; the end of the run, too.

Guests: "disks" is stock Linux that makes file systems on virtio disks, with a CD-ROM and a disk on AHCI beside it; "firmware" is
SeaBIOS that boots from IDE and reads the disk to its end; "debian" is Debian's disk (--disks names where
tests/guests/build_disk.py put it), from firmware to login.
"""

import argparse
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "boot"))
import storage_boot  # noqa: E402

MIB = 1 << 20


def empty_image(path, size):
    with open(path, "wb") as image:
        image.truncate(size)
    return path


def disks_guest(options, folder):
    guests = pathlib.Path(options.guests)
    initrd = folder / "initrd.img"
    initrd.write_bytes((guests / "initramfs.img").read_bytes() + (guests / "drivers.img").read_bytes())
    disc = folder / "disc.iso"
    storage_boot.disc(disc, 2 * MIB)
    return ["--kernel", guests / "vmlinuz", "--initrd", initrd, "--append", "console=ttyS0 reprise.exec=/bin/disk-test",
            "--memory", "1G", "--disk", empty_image(folder / "raw.img", 64 * MIB), "--disk", empty_image(folder / "fs.img", 64 * MIB),
            "--disk", f"{empty_image(folder / 'ahci.img', 16 * MIB)},bus=ahci", "--cdrom", disc, "--device", "virtio-rng",
            "--console", "null"]


def firmware_guest(_options, folder):
    words = []
    for name, bus, media in (("ide", "ide", "disk"), ("ahci", "ahci", "disk"), ("cd", "ide", "cdrom")):
        image = folder / name
        (storage_boot.disc if media == "cdrom" else storage_boot.disk)(image, 4 * MIB)
        words += ["--disk", f"{image},bus={bus},media={media},format=raw"]
    return ["--bios", "seabios", "--memory", "32M", *words, "--floppy", empty_image(folder / "floppy", 1440 * 1024)]


def debian_guest(options, _folder):
    disks = sorted(pathlib.Path(options.disks).glob("*.qcow2")) + sorted(pathlib.Path(options.disks).glob("*.img"))
    if not disks:
        print(f"SKIP: no disk in {options.disks}")
        sys.exit(77)
    return ["--bios", "seabios", "--memory", "1G", "--disk", f"{disks[0]},bus=virtio"]


GUESTS = {"disks": disks_guest, "firmware": firmware_guest, "debian": debian_guest}


class Test:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.words = [str(word) for word in GUESTS[options.guest](options, folder)]

    def call(self, mode, engine, stop_at=None):
        """The chain of (instruction, hash) and the line that tells the end."""
        command = [self.options.tool, *mode, "run", *self.words, "--serial", "null", "--engine", engine,
                   "--hash-every", str(self.options.hash_every), "--timeout", "600"]
        if stop_at is not None:
            command += ["--stop-at", str(stop_at)]
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0 or not done.stdout.endswith("\n"):
            sys.exit(f"FAIL: {' '.join(map(str, mode))} on {engine}: exit code {done.returncode}: {done.stderr}")
        if done.stderr:
            print(done.stderr)
        *lines, end = done.stdout.splitlines()
        return [(int(line.split()[0]), line.split()[1]) for line in lines], end

    def run(self):
        options = self.options
        engines = options.engines
        chain, end = self.call(["save", self.folder, ""], engines[-1], options.until)
        total = int(end.split()[2])
        print(f"{len(chain)} hashes; {end}")
        if len(chain) < 5:
            sys.exit(f"FAIL: only {len(chain)} hashes")
        rng = random.Random(options.seed)
        points = sorted(rng.randrange(1, total - 1) for _ in range(options.points))
        loads = 0
        for first in range(0, len(points), options.batch):
            batch = points[first:first + options.batch]
            saver = engines[(first // options.batch) % len(engines)]
            if options.points > 20:
                saver = engines[-1]  # the fastest
            got, got_end = self.call(["save", self.folder, ",".join(map(str, batch))], saver, options.until)
            if (got, got_end) != (chain, end):
                sys.exit(f"FAIL: saving at {batch} on {saver} changed the run: {self.difference(chain + [end], got + [got_end])}")
            for point in batch:
                loads += 1
                others = [engine for engine in [*engines, *options.loaders] if engine != saver] or engines
                loader = others[loads % len(others)]
                state = self.folder / f"{point}.state"
                length = state.stat().st_size
                until = point + options.instructions
                until = options.until if until >= total else until
                after, after_end = self.call(["load", state], loader, until)
                wanted = [entry for entry in chain if entry[0] > point and (until is None or entry[0] <= until)]
                if after != wanted:
                    sys.exit(f"FAIL: saved at {point} by {saver}, loaded by {loader} (--seed {options.seed}): "
                             f"{self.difference(wanted, after)}")
                if until == options.until and after_end != end:
                    sys.exit(f"FAIL: saved at {point} by {saver}, loaded by {loader}: ends with '{after_end}', not '{end}'")
                print(f"saved at {point} by {saver}, {length / MIB:.0f} MiB; loaded by {loader}: {len(after)} hashes agree", flush=True)
                state.unlink()

    @staticmethod
    def difference(wanted, got):
        for one, other in zip(wanted, got):
            if one != other:
                return f"{other} instead of {one}"
        return f"{len(got)} hashes instead of {len(wanted)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", required=True, help="the program saved_state")
    parser.add_argument("--engines", nargs="+", default=["interp", "jit"])
    parser.add_argument("--loaders", nargs="*", default=[], help="engines that only load")
    parser.add_argument("--guests", default="build/guests")
    parser.add_argument("--disks", default="build/disks")
    parser.add_argument("--guest", choices=GUESTS, default="disks")
    parser.add_argument("--points", type=int, default=4)
    parser.add_argument("--batch", type=int, default=2, help="states that are kept at a time")
    parser.add_argument("--instructions", type=int, default=100_000_000, help="compared behind each point")
    parser.add_argument("--until", type=int, help="where the run is stopped; else it ends by itself")
    parser.add_argument("--hash-every", type=int, help="default: 5 million instructions, and half a million for firmware, which ends soon")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.hash_every is None:
        options.hash_every = 500_000 if options.guest == "firmware" else 5_000_000
    with tempfile.TemporaryDirectory() as folder:
        Test(options, pathlib.Path(folder)).run()
    print("PASS")


main()
