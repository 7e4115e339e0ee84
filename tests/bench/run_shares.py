#!/usr/bin/env python3
"""What a shared folder costs beside QEMU's -virtfs (security_model=mapped-xattr): a walk over a tree that asks for the
attributes of every file, one that only lists, and large reads and writes.

usage: run_shares.py [--reprise PROGRAM] [--storage FOLDER] [--files N] [--mebibytes N] [--rounds N] [--cache MODE] [--only WORK,...]

The processor time of a run that does the work, less that of one that only boots and mounts. Turn by turn, so that the host's
moods hit both; the smallest of the rounds counts. --storage names what tests/guests/build_storage_guest.py makes.
"""

import argparse
import os
import pathlib
import random
import sys
import tempfile

import cost

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "guests"))
import build_guests  # noqa: E402

WORK = {
    "boot": "true",
    "walk": "find /mnt/tree | wc -l",  # busybox's asks for the attributes of every name
    "list": "ls -1 -R /mnt/tree | wc -l",
    "read": "cat /mnt/big >/dev/null",
    "write": "dd if=/dev/zero of=/mnt/new bs=1M count={mebibytes}",
}
SCRIPT = """#!/bin/sh
for module in $(cat /modules/list); do insmod /modules/$module; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache={cache} bench /mnt && {work} && echo "share bench: done"
"""
FILES_IN_FOLDER = 100


def make_tree(root, files):
    draw = random.Random(15)
    for number in range(files):
        folder = root / f"folder {number // FILES_IN_FOLDER // 10:04}" / f"{number // FILES_IN_FOLDER % 10}"
        if number % FILES_IN_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"file number {number}").write_bytes(draw.randbytes(draw.choice([0, 10, 300])))


def reprise(options, initrd, folder):
    return [options.reprise, "run", "--kernel", options.kernel, "--initrd", initrd, "--memory", "512M", "--append",
            options.append, "--serial", "stdio", "--share", f"{folder},tag=bench", "--clock", "free"]


def qemu(options, initrd, folder):
    return ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-kernel", options.kernel, "-initrd", initrd,
            "-append", options.append, "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-net", "none",
            "-virtfs", f"local,path={folder},mount_tag=bench,security_model=mapped-xattr"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", default="build/release/reprise")
    parser.add_argument("--storage", default="build/storage", type=pathlib.Path)
    parser.add_argument("--files", default=100_000, type=int)
    parser.add_argument("--mebibytes", default=1024, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--cache", default="none")
    parser.add_argument("--only", default=",".join(WORK))
    options = parser.parse_args()
    options.kernel = options.storage / "vmlinuz"
    options.append = "console=ttyS0 quiet reprise.exec=/bin/share-bench"
    wanted = [what for what in WORK if what in ["boot", *options.only.split(",")]]
    best = {}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        folder = scratch / "shared"
        make_tree(folder / "tree", options.files)
        with open(folder / "big", "wb") as big:
            piece = os.urandom(1 << 20)
            for _ in range(options.mebibytes):
                big.write(piece)
        for what in wanted:
            archive = build_guests.Cpio()
            script = SCRIPT.format(cache=options.cache, work=WORK[what].format(mebibytes=options.mebibytes))
            archive.add("bin/share-bench", 0o100755, script.encode())
            (scratch / what).write_bytes((options.storage / "initramfs.img").read_bytes() + archive.bytes())
        for _ in range(options.rounds):
            for what in wanted:
                for name, command in ("reprise", reprise), ("qemu", qemu):
                    (folder / "new").unlink(missing_ok=True)
                    spent = cost.measure(command(options, scratch / what, folder), "share bench: done\r")
                    best[what, name] = min(best.get((what, name), spent), spent)
    print(f"{options.files} files, {options.mebibytes} MiB, cache={options.cache}; processor seconds (wall seconds)")
    for what in wanted:
        cells = [f"{name} {best[what, name][0]:7.2f} ({best[what, name][1]:6.2f})" for name in ("reprise", "qemu")]
        ratio = ""
        if what != "boot":
            net = {name: best[what, name][0] - best["boot", name][0] for name in ("reprise", "qemu")}
            ratio = f"   {net['reprise']:.2f} against {net['qemu']:.2f}: {net['qemu'] / net['reprise']:.2f} times"
        print(f"{what:6} {'   '.join(cells)}{ratio}")


if __name__ == "__main__":
    main()
