#!/usr/bin/env python3
"""What stock Linux sees of the outside when a state is loaded in another process: its connections are reset, its link goes down
and up, and new connections are made; of a shared folder that has moved, open files go on, and those that are not there any
more answer ESTALE; a copy with a seed of its own has other random numbers, and the kernel hears that it is one; disks that were
written through, and whose files went on or are gone, hold what they held.

Needs --storage to name what tests/guests/build_storage_guest.py makes.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import monitor
import runner

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "guests"))
import build_guests

EVERY = 100_000_000
CHAIN = re.compile(r"^state (\d+) ([0-9a-f]{16})", re.M)

NETWORK = """#!/bin/sh
load-drivers
device=$(ls /sys/class/net | grep -v '^lo$' | head -n 1)
ifconfig "$device" up
udhcpc -i "$device" -n -q -t 5 -s /bin/net-lease >/dev/null 2>&1
server=$(tr ' ' '\\n' </proc/cmdline | sed -n 's/^server=//p')
greeted() { for i in 1 2 3 4 5 6 7 8 9 10; do grep -q hello "$1" && return; sleep 1; done; echo 'after-load: FAILED no greeting'; }
downs() { cat "/sys/class/net/$device/carrier_down_count"; }
resets() { grep ^Tcp: /proc/net/snmp | tail -n 1 | cut -d' ' -f9; }
sleep 1000 | nc 10.0.2.2 "$server" >/tmp/first &
greeted /tmp/first
before=$(downs)
touch /tmp/second
echo "after-load: ready"
while kill -0 $! 2>/dev/null; do sleep 1; done
echo "after-load: connections that were reset: $(resets)"
echo "after-load: the link went down $(($(downs) - before)) times, carrier $(cat "/sys/class/net/$device/carrier")"
nc 10.0.2.2 "$server" </dev/null >/tmp/second &
greeted /tmp/second
echo "after-load: complete"
"""

SHARE = """#!/bin/sh
for module in $(cat /modules/list); do insmod /modules/$module; done
mkdir /mnt/folder
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none folder /mnt/folder || echo "after-load: FAILED mount"
cd /mnt/folder
echo removed >removed
exec 3<stays 4<goes 5<>removed
rm removed
read -r line <&3
echo "after-load: ready"
until [ -e flag ]; do sleep 1; done
echo "after-load: stays: $line, $(cat <&3 2>&1)"
echo "after-load: goes: $(cat <&4 2>&1)"
echo "after-load: removed: $(cat <&5 2>&1)"
echo "after-load: new: $(cat flag)"
echo made >made
echo "after-load: complete"
"""


COPY = """#!/bin/sh
echo "after-load: ready"
until dmesg | grep -q 'virtual machine fork' || [ "$((waited += 1))" -gt 3 ]; do sleep 1; done
echo "after-load: $(dmesg | grep -c 'virtual machine fork') forks"
echo "after-load: drawn $(head -c 16 /dev/urandom | md5sum)"
echo "after-load: complete"
"""

WRITTEN = """#!/bin/sh
for module in $(cat /modules/list); do insmod /modules/$module; done
for round in 1 2 3 4 5 6 7 8; do
  for disk in vda vdb; do
    dd if=/bin/busybox of=/dev/$disk bs=4096 skip=$round seek=$((round * 5)) count=9 conv=notrunc,fsync 2>/dev/null
  done
  echo "after-load: round $round $(cat /dev/vda /dev/vdb | md5sum)"
done
echo "after-load: complete"
"""


def initrd_with(options, folder, script, guest):
    archive = build_guests.Cpio()
    archive.add("bin/after-load", 0o100755, script.encode())
    path = folder / "initrd.img"
    parts = [guest / name for name in ("initramfs.img", "drivers.img") if (guest / name).exists()]
    path.write_bytes(b"".join(part.read_bytes() for part in parts) + archive.bytes())
    return path


def start(options, folder, name, *words):
    console = folder / f"{name}.console"
    process = subprocess.Popen(
        [str(word) for word in (options.reprise, "run", "--engine", options.engine, "--serial", f"file:{console}", "--wall-timeout",
                                "300", *words)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process, console


def save_when_ready(options, folder, guest, initrd, append, *words):
    """The guest is ended behind the save."""
    path = folder / "monitor"
    process, console = start(options, folder, "before", "--kernel", guest / "vmlinuz", "--initrd", initrd, "--append",
                             f"console=ttyS0 quiet reprise.exec=/bin/after-load {append}", "--memory", "256M", "--monitor",
                             f"unix:{path}", *words)
    try:
        end = time.monotonic() + 120
        while "after-load: ready" not in (text := console.read_text(errors="replace") if console.exists() else ""):
            runner.expect("FAILED" not in text and process.poll() is None and time.monotonic() < end,
                          f"the guest does not get ready:\n{text[-2000:]}")
            time.sleep(0.05)
        monitor.Client(path).ask("save", file=str(folder / "state"))
    finally:
        process.kill()
        process.communicate()


def load(options, folder, *words):
    process, console = start(options, folder, "after", "--load", folder / "state", *words)
    said = process.communicate(timeout=330)[0]
    text = console.read_text(errors="replace").replace("\r", "")
    runner.expect(process.returncode == 0 and "after-load: complete\n" in text and "FAILED" not in text,
                  f"exit code {process.returncode}: {said}\n{text[-2000:]}")
    return text


def greet(server, connections):
    while True:
        connection, _ = server.accept()
        connection.sendall(b"hello\n")
        connections.append(connection)


def network(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = socket.create_server(("127.0.0.1", 0))
        connections = []
        threading.Thread(target=greet, args=(server, connections), daemon=True).start()
        guest = pathlib.Path(options.guests)
        save_when_ready(options, folder, guest, initrd_with(options, folder, NETWORK, guest), f"server={server.getsockname()[1]}",
                        "--net", "user")
        text = load(options, folder)
        runner.expect("after-load: connections that were reset: 1\n" in text, f"no reset:\n{text}")
        runner.expect("after-load: the link went down 1 times, carrier 1\n" in text, f"the link:\n{text}")
        runner.expect(len(connections) == 2, f"the host saw {len(connections)} connections")


def the_generic_guest(options):
    guest = pathlib.Path(options.storage)
    if not (guest / "initramfs.img").exists():
        print(f"SKIP: there is no guest in '{guest}': './dev images' makes it")
        sys.exit(77)
    return guest


def copies(options):
    guest = the_generic_guest(options)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        save_when_ready(options, folder, guest, initrd_with(options, folder, COPY, guest), "")
        texts = [load(options, folder, *words) for words in ([], ["--seed", 2], ["--seed", 2], ["--seed", 3])]
    for text, forks in zip(texts, (0, 1, 1, 1)):
        runner.expect(f"after-load: {forks} forks\n" in text, f"not {forks} forks:\n{text}")
    runner.expect(texts[1] == texts[2], f"two copies with one seed:\n{texts[1]}\n{texts[2]}")
    drawn = {line for text in texts for line in text.splitlines() if "drawn" in line}
    runner.expect(len(drawn) == 3, f"the random numbers of three copies: {drawn}")


def share(options):
    guest = the_generic_guest(options)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shared = folder / "shared"
        shared.mkdir()
        (shared / "stays").write_text("one\ntwo\n")
        (shared / "goes").write_text("gone\n")
        save_when_ready(options, folder, guest, initrd_with(options, folder, SHARE, guest), "", "--share", f"{shared},tag=folder")
        moved = folder / "moved"
        shutil.move(shared, moved)
        (moved / "goes").unlink()
        (moved / "flag").write_text("a flag\n")
        without = subprocess.run([options.reprise, "run", "--load", folder / "state", "--serial", "null"], stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, timeout=60)
        runner.expect(without.returncode == 20 and without.stderr.count("\n") == 1 and str(shared) in without.stderr,
                      f"without its folder: exit code {without.returncode}: {without.stderr}")
        text = load(options, folder, "--share", f"{moved},tag=folder")
        for line in ("stays: one, two", "goes: cat: read error: Stale file handle", "removed: cat: read error: Stale file handle",
                     "new: a flag"):
            runner.expect(f"after-load: {line}\n" in text, f"not '{line}':\n{text}")
        runner.expect((moved / "made").read_text() == "made\n" and not os.path.exists(shared), "the guest wrote elsewhere")


def save_while_it_writes(options, folder, guest, disks):
    """The guest goes on behind the save, to its end. What it said from there on, and its chain of hashes."""
    path = folder / "monitor"
    words = [word for disk, how in disks for word in ("--disk", f"{disk},{how}")]
    process, console = start(options, folder, "before", "--kernel", guest / "vmlinuz", "--initrd",
                             initrd_with(options, folder, WRITTEN, guest), "--append", "console=ttyS0 quiet reprise.exec=/bin/after-load",
                             "--memory", "256M", "--monitor", f"unix:{path}", "--paused", "--hash-every", str(EVERY), *words)
    try:
        client = monitor.Client(path)
        while "after-load: round 4" not in (console.read_text(errors="replace") if console.exists() else ""):
            client.ask("step", count=20_000_000)
            while client.ask("status")["state"] != "stopped":
                time.sleep(0.01)
        printed = len(console.read_bytes())
        client.ask("save", file=str(folder / "state"))
        client.ask("cont")
        client.close()
        said = process.communicate(timeout=330)[0]
    finally:
        process.kill()
        process.communicate()
    runner.expect(process.returncode == 0, f"exit code {process.returncode}: {said}")
    return console.read_bytes()[printed:].decode(errors="replace"), CHAIN.findall(said)


def written(options):
    guest = the_generic_guest(options)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        through, under, overlay = folder / "through.img", folder / "under.img", folder / "overlay.qcow2"
        for image in through, under:
            image.write_bytes(image.name.encode().ljust(4 << 20, b"\0"))
        rest, chain = save_while_it_writes(options, folder, guest, [(through, "write=yes"), (under, f"overlay={overlay}")])
        runner.expect("round 5" in rest and "round 4" not in rest, f"it was saved elsewhere, before:\n{rest}")
        # Whatever becomes of the files that the run wrote.
        through.write_bytes(b"something else".ljust(4 << 20, b"\xff"))
        overlay.unlink()
        process, console = start(options, folder, "again", "--load", folder / "state", "--hash-every", str(EVERY))
        said = process.communicate(timeout=330)[0]
        runner.expect(process.returncode == 0 and console.read_bytes().decode(errors="replace") == rest,
                      f"exit code {process.returncode}: {said}\n{console.read_text(errors='replace')}\nand not\n{rest}")
        found = CHAIN.findall(said)
        runner.expect(found and found == chain[-len(found):], f"hashes are\n{found}\nand not\n{chain}")
        runner.expect(through.read_bytes().startswith(b"something else") and not overlay.exists(), "a file was written")
        under.rename(folder / "moved.img")
        process, _ = start(options, folder, "missing", "--load", folder / "state")
        said = process.communicate(timeout=60)[0]
        runner.expect(process.returncode == 20 and "--image under.img=PATH" in said, f"exit code {process.returncode}: {said}")
        process, _ = start(options, folder, "moved", "--load", folder / "state", "--image", f"under.img={folder / 'moved.img'}")
        said = process.communicate(timeout=330)[0]
        runner.expect(process.returncode == 0, f"exit code {process.returncode}: {said}")


def test(options):
    network(options)
    copies(options)
    share(options)
    written(options)


def add_arguments(parser):
    parser.add_argument("--storage", default="build/storage", help="folder with the guest that works disks")


if __name__ == "__main__":
    runner.main(test, __doc__, add_arguments)
