#!/usr/bin/env python3
"""Nothing that the guest has synced is lost: the emulator is killed at random moments of a journaled workload on an image
that it writes through; then the image must pass fsck and hold everything that the guest had reported as synced.

Three ways to end a round:
    kill       kill -9 of the emulator: the host lives on, qemu-nbd (of a qcow2 image) writes what it was told
    killall    kill -9 of the emulator and, at the same moment, of its qemu-nbd
    power-cut  of what the emulator wrote to a raw image only what a completed fdatasync covers is certain; of everything
               after it a random half survives, sector by sector (power_cut_log.cpp writes down what happened)

The guest comes from tests/guests/build_storage_guest.py. --seed repeats the random choices, though not the moment of the
kill to the instruction.
"""

import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guests"))
import build_guests  # noqa: E402  (for its cpio writer)

MIB = 1 << 20
IMAGE_BYTES = 96 * MIB
SECTOR = 512
SLOTS = 24
START_SECONDS = 180

# Files come and go under changing names. Each is complete and synced before it gets its name, and its name is synced before the guest
# says so. A second process writes without ever syncing.
WORKLOAD = f"""#!/bin/sh
for module in $(cat /modules/list); do insmod /modules/$module 2>/dev/null; done
for i in 1 2 3 4 5 6 7 8 9 10; do
  dev=$(ls /dev/sda /dev/vda 2>/dev/null | head -n 1)
  [ -n "$dev" ] && break
  usleep 300000
done
mount -t ext4 -o discard $dev /mnt || exit 1
generation=$(cat /mnt/generation 2>/dev/null || echo 0)
(while :; do
  dd if=/dev/urandom of=/mnt/noise bs=64k count=40 2>/dev/null
  rm /mnt/noise
done) &
echo "workload: begins at $generation"
while :; do
  generation=$((generation + 1))
  slot=$((generation * 7 % {SLOTS}))
  lines=$((generation * 7919 % 6000 + 1))
  if [ $((generation % 5)) -eq 4 ]; then
    rm -f /mnt/slot.$slot
    sync
    echo "workload: removed $slot $generation"
    continue
  fi
  yes "generation $generation of slot $slot" | head -n $lines | dd of=/mnt/fresh bs=4096 conv=fsync 2>/dev/null
  mv /mnt/fresh /mnt/slot.$slot
  echo $generation | dd of=/mnt/generation.new conv=fsync 2>/dev/null
  mv /mnt/generation.new /mnt/generation
  sync
  echo "workload: synced $slot $generation"
done
"""


class Failure(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


def say(message):
    print(message, flush=True)


def run(*command, check=True):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    expect(not check or done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}")
    return done


def make_initrd(options, folder):
    """The guest's initramfs and the workload behind it: the kernel unpacks archives that follow each other."""
    archive = build_guests.Cpio()
    archive.add("bin/crash-workload", 0o100755, WORKLOAD.encode())
    path = folder / "initramfs.img"
    path.write_bytes((options.guests / "initramfs.img").read_bytes() + archive.bytes())
    return path


def children_of(pid):
    try:
        words = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(word) for word in words]


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, f"{what} after {seconds} s")
        time.sleep(0.05)


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def crash(options, image, initrd, ending, seconds, folder):
    """Runs the workload and ends it after `seconds` of work. Returns what the guest said."""
    console = folder / "console"
    console.unlink(missing_ok=True)
    environment = dict(os.environ)
    if ending == "power-cut":
        (folder / "log").unlink(missing_ok=True)
        environment.update(LD_PRELOAD=str(options.power_cut_log), POWER_CUT_IMAGE=str(image), POWER_CUT_LOG=str(folder / "log"))
    command = [options.reprise, "run", "--kernel", options.guests / "vmlinuz", "--initrd", initrd, "--append",
               "console=ttyS0 quiet reprise.exec=/bin/crash-workload", "--memory", "256M", "--serial", f"file:{console}",
               "--engine", options.engine, "--disk", f"{image},bus={options.bus},write=yes"]
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=environment)

    def said():
        return console.read_text(errors="replace") if console.exists() else ""

    try:
        wait_until(lambda: "workload: begins" in said() or process.poll() is not None, START_SECONDS, "the guest has not begun")
        if process.poll() is None:
            time.sleep(seconds)
        if process.poll() is not None:
            raise Failure(f"the emulator ended by itself: {process.stdout.read().decode(errors='replace')} {said()[-1000:]}")
    finally:
        servers = children_of(process.pid)
        process.kill()
        if ending == "killall":
            for server in servers:
                os.kill(server, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    wait_until(lambda: not any(alive(server) for server in servers), 30, "qemu-nbd lives on")
    return said()


def cut_power(before, log, after, chance):
    """Forms in `after`, from `before`, what a power cut at the end of `log` may have left. Returns how many writes were certain and not."""
    shutil.copyfile(before, after)
    data = log.read_bytes() if log.exists() else b""
    records, at = [], 0
    while at + 40 <= len(data):
        kind, offset, size, _, _ = struct.unpack_from("<5Q", data, at)
        at += 40
        payload = None
        if chr(kind) == "W":
            payload = data[at:at + size]
            at += size
            if len(payload) < size:
                break
        records.append((chr(kind), offset, size, payload))
    flushes = [index for index, record in enumerate(records) if record[0] == "F"]
    certain = flushes[-1] if flushes else 0
    with open(after, "r+b") as image:
        for index, (kind, offset, size, payload) in enumerate(records):
            if kind == "F":
                continue
            payload = payload if kind == "W" else bytes(size)
            for start in range(0, size, SECTOR) if index > certain else [0]:
                if index > certain and chance.random() < 0.5:
                    continue
                image.seek(offset + start)
                image.write(payload[start:start + SECTOR] if index > certain else payload)
    return certain, len(records) - certain


def check(image, console, folder, ending, removed_or_synced):
    """fsck, then every slot against what the guest said. `removed_or_synced` remembers earlier rounds: slot -> (generation, removed)."""
    first = run("e2fsck", "-f", "-y", image, check=False)
    expect(first.returncode in (0, 1), f"e2fsck gives {first.returncode}: {first.stdout}")
    complaints = first.stdout
    if ending == "power-cut":
        # Of a commit block that no flush has covered yet one sector may survive without the other. Its transaction was
        # never reported as synced; were one corrupt that was, its files would be missing below.
        complaints = re.sub(r"Journal transaction \d+ was corrupt, replay was aborted", "", complaints, count=1)
    for word in ("UNEXPECTED", "Illegal", "Multiply", "corrupt", "Corrupt", "invalid"):
        expect(word not in complaints, f"e2fsck found more than a journal to replay: {first.stdout}")
    run("e2fsck", "-f", "-n", image)
    for verb, slot, generation in re.findall(r"^workload: (synced|removed) (\d+) (\d+)\r?$", console, re.MULTILINE):
        removed_or_synced[int(slot)] = (int(generation), verb == "removed")
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    run("debugfs", "-R", f"rdump / {tree}", image)
    newest = max((generation for generation, _ in removed_or_synced.values()), default=0)
    for slot in range(SLOTS):
        path = tree / f"slot.{slot}"
        least, removed = removed_or_synced.get(slot, (0, True))
        if not path.exists():
            # It may have been removed again by the one step that the guest could not report any more.
            unreported = range(least + 1, newest + 3)
            expect(removed or any(g * 7 % SLOTS == slot and g % 5 == 4 for g in unreported),
                   f"slot {slot}: generation {least} is lost (the newest of all is {newest})")
            continue
        text = path.read_text(errors="replace")
        match = re.match(r"generation (\d+) of slot (\d+)\n", text)
        expect(match and int(match[2]) == slot, f"slot {slot} holds {text[:60]!r}")
        generation = int(match[1])
        expect(generation >= least and not (removed and generation == least), f"slot {slot}: generation {least} was synced, {generation} is there")
        expect(generation * 7 % SLOTS == slot, f"slot {slot} has generation {generation}")
        wanted = f"generation {generation} of slot {slot}\n" * (generation * 7919 % 6000 + 1)
        expect(text == wanted, f"slot {slot}: the content of generation {generation} is damaged")


def rounds(options, image_format, ending, folder, chance):
    raw = folder / "disk.img"
    with raw.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    run("mke2fs", "-q", "-F", "-t", "ext4", raw)
    image = raw
    if image_format == "qcow2":
        image = folder / "disk.qcow2"
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image)
    initrd = make_initrd(options, folder)
    remembered = {}
    for number in range(options.rounds):
        seconds = chance.uniform(0.2, options.max_seconds)
        before = folder / "before.img"
        if ending == "power-cut":
            shutil.copyfile(image, before)
        console = crash(options, image, initrd, ending, seconds, folder)
        synced = len(re.findall(r"^workload: (?:synced|removed)", console, re.MULTILINE))
        note = ""
        if ending == "power-cut":
            certain, uncertain = cut_power(before, folder / "log", image, chance)
            note = f", {certain} writes certain, {uncertain} not"
        if image_format == "qcow2":
            run("qemu-img", "check", "-q", "-r", "leaks", image)
            run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw)
        check(raw, console, folder, ending, remembered)
        if image_format == "qcow2":
            run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image)
        say(f"{image_format} {ending} {number + 1}: killed after {seconds:.2f} s, {synced} syncs{note}: all there")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", required=True, type=pathlib.Path)
    parser.add_argument("--engine", default="interp")
    parser.add_argument("--guests", type=pathlib.Path, default=pathlib.Path("build/storage"), help="folder with vmlinuz and initramfs.img")
    parser.add_argument("--power-cut-log", type=pathlib.Path, help="the preloaded library; without it no power is cut")
    parser.add_argument("--bus", default="ide")
    parser.add_argument("--rounds", type=int, default=3, help="of each kind")
    parser.add_argument("--max-seconds", type=float, default=3)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    options.reprise = options.reprise.resolve()
    if not (options.guests / "initramfs.img").exists():
        say(f"{options.guests} holds no guest: make it with tests/guests/build_storage_guest.py --out {options.guests}")
        sys.exit(77)  # skipped
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    say(f"seed {seed}")
    chance = random.Random(seed)
    kinds = [("raw", "kill")]
    if options.power_cut_log:
        options.power_cut_log = options.power_cut_log.resolve()
        kinds.append(("raw", "power-cut"))
    if shutil.which("qemu-nbd"):
        kinds += [("qcow2", "kill"), ("qcow2", "killall")]
    try:
        for image_format, ending in kinds:
            with tempfile.TemporaryDirectory() as folder:
                rounds(options, image_format, ending, pathlib.Path(folder), chance)
    except Failure as failure:
        print(f"FAIL: {failure}")
        sys.exit(1)
    print("PASS")


if __name__ == "__main__":
    main()
