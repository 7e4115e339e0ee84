#!/usr/bin/env python3
"""A guest that works on a folder of the host and on a disk that is written through goes back and forth through its past: folder
and image have what the run did once, and the state is everywhere that of a run that went straight there. A branch of the
run has its own content in the image. A recording stands after kill -9, whatever has become of folder and image.

Needs --guests to name what tests/guests/build_storage_guest.py makes.
"""

import hashlib
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

import after_load
import runner
import time_travel

DISK_BYTES = 4 << 20
# One that stays open, one without a name, one that is made, written, read and renamed; sectors that are written twice.
SCRIPT = """#!/bin/sh
for module in $(cat /modules/list); do insmod /modules/$module; done
mkdir /mnt/folder
mount -t 9p -o trans=virtio,version=9p2000.L,msize=65536,cache=none folder /mnt/folder || echo "files: FAILED mount"
cd /mnt/folder
exec 3<kept 5<>nameless
rm nameless
for round in 1 2 3 4 5 6; do
  read -r line <&3
  echo "files: $line"
  echo "$round $line" >>grown
  echo "$round" >&5
  cp grown "copy $round"
  mv "copy $round" "moved $round"
  [ $round -lt 4 ] || rm "moved $((round - 2))"
  dd if=/mnt/folder/kept of=/dev/vda bs=4096 seek=$((round * 7)) count=3 conv=notrunc,fsync 2>/dev/null
  dd if=grown of=/dev/vda bs=512 seek=$((round % 2)) conv=notrunc,fsync 2>/dev/null
  md5sum /dev/vda
done
ls -l >/dev/null
cat grown
echo "files: complete"
while :; do sleep 1; done
"""


def guest_words(options, here):
    guest = pathlib.Path(options.guests)
    folder, image = here / "folder", here / "disk.img"
    folder.mkdir(parents=True)
    (folder / "kept").write_text("".join(f"line {number} of what is kept\n" for number in range(1000)))
    (folder / "nameless").write_text("")
    image.write_bytes(b"first" + bytes(DISK_BYTES - 5))
    initrd = after_load.initrd_with(options, here, SCRIPT, guest)
    return ["--kernel", guest / "vmlinuz", "--initrd", initrd, "--memory", "256M", "--append",
            "console=ttyS0 quiet reprise.exec=/bin/after-load", "--disk", f"{image},write=yes", "--share",
            f"{folder},tag=folder,times=fixed"]


def content_of(here):
    files = {path.name: path.read_bytes() for path in (here / "folder").iterdir()}
    return files, (here / "disk.img").read_bytes()


def check_image(guest, content):
    """The guest has looked at its disk."""
    seen = re.findall(r"([0-9a-f]{32})  /dev/vda", guest.console.read_text(errors="replace"))[-1]
    runner.expect(hashlib.md5(content[1]).hexdigest() == seen, f"the guest's disk is {seen}, and the image holds something else")


def until(guest, text):
    """Runs it in steps until it has printed that."""
    while text not in guest.console.read_text(errors="replace"):
        runner.expect("FAILED" not in guest.console.read_text(errors="replace"), "the guest could not do its work")
        guest.go("step", count=20_000_000)
    return guest.where()


def killed(options, folder):
    """What was recorded until then replays."""
    words = guest_words(options, folder / "killed")
    recorder = time_travel.Traveller(options, folder, "recorder", "--record", str(folder / "killed.rec"), guest=words)
    try:
        until(recorder, "files: line 4")
    finally:
        recorder.close()
    image, shared = folder / "killed" / "disk.img", folder / "killed" / "folder"
    image.write_bytes(bytes(DISK_BYTES))
    shutil.rmtree(shared)
    text = folder / "again"
    run = subprocess.run([options.reprise, "replay", folder / "killed.rec", "--engine", options.engine, "--serial", f"file:{text}"],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    printed = recorder.console.read_bytes()
    runner.expect("cut off" in run.stderr and "differs" not in run.stderr, f"exit code {run.returncode}: {run.stderr}")
    runner.expect(printed.startswith(text.read_bytes()) and b"files: line 3" in text.read_bytes(),
                  f"the replay printed {text.read_bytes()[-300:]}, the run {printed[-300:]}")


def test(options):
    if not (pathlib.Path(options.guests) / "initramfs.img").exists():
        print(f"SKIP: there is no guest in '{options.guests}': './dev images' makes it")
        sys.exit(77)
    random.seed(options.moves)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        killed(options, folder)
        walker = time_travel.Traveller(options, folder, "walk", "--checkpoints", "on", guest=guest_words(options, folder / "walked"))
        try:
            begun = time_travel.retired(until(walker, "files: line 1")[0])
            end = until(walker, "files: complete")
            last = time_travel.retired(end[0])
            printed, made = walker.console.read_bytes(), content_of(folder / "walked")
            check_image(walker, made)
            states = dict([end])
            for _ in range(options.moves):
                position, state = walker.go("run", position=f"@{random.randrange(begun - 50_000_000, last)}")
                runner.expect(states.setdefault(position, state) == state, f"{position}: {state} and {states[position]}")
                walker.go("reverse-step")
            runner.expect(walker.go("run", position=end[0]) == end, "the end is another one")
            runner.expect(walker.console.read_bytes() == printed and content_of(folder / "walked") == made, "it was done again")
            # On another way from the middle.
            middle = sorted(time_travel.retired(position) for position in states)[len(states) // 2]
            walker.go("run", position=f"@{middle}")
            walker.ask("branch")
            walker.console.write_bytes(b"")
            until(walker, "files: complete")
            check_image(walker, content_of(folder / "walked"))
        finally:
            walker.close()
        straight = time_travel.Traveller(options, folder, "straight", guest=guest_words(options, folder / "straight"))
        try:
            for position in sorted(states, key=time_travel.retired):
                if "." in position:
                    continue
                straight.go("step", count=time_travel.retired(position) - time_travel.retired(straight.where()[0]))
                where = straight.where()
                runner.expect(where == (position, states[position]), f"the straight run is at {where}, {states[position]}")
            runner.expect(content_of(folder / "straight") == made, "the straight run made something else")
        finally:
            straight.close()


if __name__ == "__main__":
    runner.main(test, __doc__, lambda parser: parser.add_argument("--moves", type=int, default=15))
