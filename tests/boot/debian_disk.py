#!/usr/bin/env python3
"""A Debian disk image from firmware to `login:` and back: GRUB, systemd, a login on the serial port, work on processor
and disk, the graphics card, sleep (ACPI S3) and waking up, swapping under memory pressure, user-mode Linux inside, floppies changed by the monitor, and a clean file system
after `poweroff`, after the power button, and after a reset in the middle of writing."""

import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import debian_shell
import monitor
import runner
import session

RESET = 14  # docs/command.md

# Touches more memory than there is, in an order that defeats any prediction, and adds it all up.
PRESSURE = r"""perl -e '
my ($n, $sum) = (%d, 0); my @mib;
for my $i (0..$n-1) { push @mib, pack("N", $i) x 262144; }
for my $k (0..2*$n-1) { my $i = ($k * 7919) %% $n; $sum += unpack("N", substr($mib[$i], 4 * (($k * 65521) %% 262144), 4)); }
print "pressure sum $sum\n"'"""

# A user-mode Linux whose root is the host's file system and whose disk is an image of its own.
UML_INIT = r"""#!/bin/sh
mount -t proc proc /proc
mount -t tmpfs tmpfs /mnt
mkdir /mnt/disk
mount /dev/ubda /mnt/disk && echo "data of $NUMBER" >/mnt/disk/file && sync && umount /mnt/disk
mount /dev/ubda /mnt/disk && echo "uml $NUMBER read: $(cat /mnt/disk/file)" && umount /mnt/disk
echo o >/proc/sysrq-trigger
sleep 60
"""
UML_RUN = r"""#!/bin/sh
for n in 1 2 3; do
  truncate -s 16M /root/uml$n.img
  mke2fs -q -t ext4 /root/uml$n.img
  linux.uml rootfstype=hostfs rootflags=/ rw init=/root/uml-init NUMBER=$n mem=48M ubd0=/root/uml$n.img con=null con0=fd:0,fd:1 </dev/null >/root/uml$n.log 2>&1 &
done
wait
grep -ha "^uml . read" /root/uml?.log | sort
rm -f /root/uml?.img
"""


class Guest(debian_shell.DebianShell):
    def __init__(self, terminal, folder):
        super().__init__(terminal)
        self.folder = pathlib.Path(folder)
        self.monitor = monitor.Client(self.folder / "monitor")

    def ends(self, how, expected=0):
        code = self.terminal.wait_for_end(300)
        runner.expect(code == expected, f"exit code {code} after {how}, not {expected}")

    def power_off(self):
        self.terminal.write(b"poweroff\r")
        self.ends("poweroff")

    def power_button(self):
        self.monitor.ask("powerdown")
        self.terminal.wait_for(b"Power down", 300)
        self.ends("the power button")

    def reboot(self):
        self.terminal.write(b"reboot\r")
        self.terminal.wait_for(b"Restarting system", 300)
        self.ends("reboot with --no-reboot", RESET)


def work(guest):
    text = guest.command("seq 1 200000 >/root/numbers; sha256sum /root/numbers | cut -c1-16; sync; echo 3 >/proc/sys/vm/drop_caches; "
                         "sha256sum /root/numbers | cut -c1-16")
    expected = subprocess.run("seq 1 200000 | sha256sum | cut -c1-16", shell=True, stdout=subprocess.PIPE,
                              check=True).stdout.decode().strip()
    runner.expect(text.count(expected) == 2, f"the guest's digests are not twice {expected}: {text!r}")


def swap(guest, mib):
    before, faults_before, disk_before = counters(guest), page_faults(guest), disk_counters(guest)
    text = guest.command(PRESSURE % mib)
    total = sum((k * 7919) % mib for k in range(2 * mib))
    runner.expect(f"pressure sum {total}" in text, f"memory pressure gave a wrong sum, not {total}: {text!r}")
    after = counters(guest)
    for name in ("pswpin", "pswpout", "pgmajfault"):
        runner.expect(after[name] > before[name], f"{name} did not rise: {before} {after}")
    # What the guest counts can be seen from outside: a page of 4 KiB for each swap-in and swap-out, a fault for each touch.
    disk, faults = disk_counters(guest), page_faults(guest)
    for ours, theirs in (("bytes_read", "pswpin"), ("bytes_written", "pswpout")):
        least = 4096 * (after[theirs] - before[theirs])
        runner.expect(disk[ours] - disk_before[ours] >= least, f"{ours} rose by less than {least}: {disk_before} {disk}")
    missing = faults["user write, not present"] - faults_before["user write, not present"]
    runner.expect(missing >= mib * 256 // 2, f"only {missing} page faults for {mib} MiB: {faults}")


def page_faults(guest):
    return guest.monitor.ask("info stats")["processors"][0]["page_faults_by_kind"]


def disk_counters(guest):
    return guest.monitor.ask("info disks")["disks"][0]["counters"]


def counters(guest):
    text = guest.command("grep -E '^(pswpin|pswpout|pgmajfault) ' /proc/vmstat")
    return {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", text)}


def user_mode_linux(guest):
    guest.write_script("/root/uml-init", UML_INIT)
    guest.write_script("/root/run-uml", UML_RUN)
    text = guest.command("/root/run-uml", 900)
    for n in (1, 2, 3):
        runner.expect(f"uml {n} read: data of {n}" in text, f"user-mode Linux {n} did not finish: {text!r}\n" +
                      guest.command(f"tail -n 30 /root/uml{n}.log"))


def address_space(guest):
    """A shell that counts, seen from outside: its code may be executed, its stack written, the kernel not touched."""
    guest.command("sh -c 'while :; do :; done' & sleep 0.1")
    for _ in range(50):
        guest.monitor.ask("stop")
        registers = guest.monitor.ask("info registers")
        if registers["cpl"] == 3:
            break
        guest.monitor.ask("cont")
        time.sleep(0.05)
    runner.expect(registers["cpl"] == 3, f"the guest is never in user mode: {registers}")
    code, stack = (guest.monitor.ask("info pagewalk", address=name) for name in ("rip", "rsp"))
    runner.expect(code["user"] and code["executable"] and not code["writable"], f"code: {code}")
    runner.expect(stack["user"] and stack["writable"] and not stack["executable"], f"stack: {stack}")
    runs = guest.monitor.ask("info memory-map")["runs"]
    for walk in (code, stack):
        at = int(walk["linear"], 16)
        within = [run for run in runs if int(run["first"], 16) <= at <= int(run["last"], 16)]
        runner.expect(len(within) == 1 and within[0]["executable"] == walk["executable"], f"{walk['linear']}: {within}")
    runner.expect(any(not run["user"] for run in runs), "the kernel is not in the address space")
    guest.monitor.ask("cont")
    guest.command("kill %1; wait 2>/dev/null")


def suspend(guest):
    """To memory and to idle, and back by the RTC's alarm."""
    runner.expect("deep" in (text := guest.command("cat /sys/power/mem_sleep")), f"no suspend to RAM: {text}")
    for number, mode in enumerate(("mem", "freeze", "mem"), 1):
        before = int(re.search(r"T(\d+)", guest.command("echo T$(date +%s)"))[1])
        guest.command(f"rtcwake -m {mode} -s 3", 120)
        text = guest.command("echo T$(date +%s) successes $(cat /sys/power/suspend_stats/success); sha256sum /root/numbers | cut -c1-16")
        runner.expect(f"successes {number}" in text, f"rtcwake -m {mode}: {text}")
        passed = int(re.search(r"T(\d+)", text)[1]) - before
        runner.expect(2 <= passed <= 20, f"rtcwake -m {mode} -s 3 took {passed} s of the guest's time")
    guest.terminal.write(b"echo deep >/sys/power/mem_sleep; echo mem >/sys/power/state\r")
    while guest.monitor.ask("status")["state"] != "asleep":
        time.sleep(0.1)
    guest.monitor.ask("powerdown")
    guest.terminal.wait_for(debian_shell.PROMPT, 120)
    runner.expect("successes 4" in guest.command("echo successes $(cat /sys/power/suspend_stats/success)"),
                  "the power button did not wake the guest")
    work(guest)


def reset_button(guest):
    """In the middle of writing; what was synced before is there afterwards."""
    guest.command("echo kept >/root/kept; sync")
    guest.terminal.write(b"while :; do seq 1 50000 >/root/lost; done\r")
    time.sleep(1)
    guest.monitor.ask("reset")
    guest.log_in()
    runner.expect("kept" in guest.command("cat /root/kept"), "a synced file is gone after a reset")


def floppies(guest):
    text = guest.command("modprobe floppy; sleep 1; sha256sum /dev/fd0")
    runner.expect("fd0" in text and not re.search("[0-9a-f]{64}", text), f"an empty floppy drive can be read: {text}")
    for number, kib in enumerate((1440, 720)):
        image = guest.folder / f"floppy {kib}"
        image.write_bytes(b"".join(b"%15d\n" % (i + number) for i in range(kib << 6)))
        guest.monitor.ask("change", drive="floppy0", file=str(image), options="write")
        wanted = hashlib.sha256(image.read_bytes()).hexdigest()
        runner.expect(wanted in (text := guest.command("sha256sum /dev/fd0")), f"the guest reads another floppy: {text}")
        guest.command("echo written by the guest | dd of=/dev/fd0 conv=notrunc,fsync 2>/dev/null")
        guest.monitor.ask("eject", drive="floppy0")
        runner.expect(image.read_bytes().startswith(b"written by the guest\n"), "the guest's write is not on the floppy")


def scsi(guest):
    """What the kernel's driver finds; a disc is read, changed and read again; what a file system frees is discarded."""
    text = guest.command("lsscsi 2>/dev/null; cat /sys/block/sda/device/vendor /sys/block/sda/device/model /sys/block/sda/queue/write_cache; "
                         "od -An -c /sys/block/sda/device/vpd_pg80; cat /sys/bus/scsi/drivers/sd/*/model; ls /sys/bus/virtio/drivers/virtio_scsi")
    for wanted in ("REPRISE", "DISK", "write back", "virtio"):
        runner.expect(wanted in text, f"no {wanted} of the SCSI disk: {text!r}")
    before = disk_counters(guest)
    guest.command("seq 1 3000000 >/root/freed; sync; rm /root/freed; sync; fstrim -v /")
    after = disk_counters(guest)
    runner.expect(after["discards"] > before["discards"] and after["flushes"] > before["flushes"], f"nothing was freed: {after}")
    for number, blocks in enumerate((300, 700)):
        disc = guest.folder / f"disc {number}"
        disc.write_bytes(b"".join(b"%15d\n" % (i + number) for i in range(blocks << 7)))
        guest.monitor.ask("change", drive="cdrom0", file=str(disc), options="force")
        wanted = hashlib.sha256(disc.read_bytes()).hexdigest()
        text = guest.command("sleep 3; blockdev --getsize64 /dev/sr0; sha256sum /dev/sr0")
        runner.expect(wanted in text, f"the guest reads another disc: {text}")


def mouse(guest):
    names = guest.command("grep Name /proc/bus/input/devices")
    for name in ("AT Translated Set 2 keyboard", "ImExPS/2 Generic Explorer Mouse"):
        runner.expect(name in names, f"there is no '{name}': {names}")
    guest.command("dd if=$(ls /dev/input/by-path/*i8042*event-mouse) bs=24 count=4 2>/dev/null | od -An -v -w24 -tu2 >/root/mouse & sleep 0.5")
    guest.monitor.ask("mouse move", dx=5, dy=-3, wheel=1)
    text = guest.command("wait; awk '{ print $9 \".\" $10 \"=\" $11 }' /root/mouse")
    for event in ("2.0=5", "2.1=65533", "2.8=1", "0.0=0"):
        runner.expect(event in text.split(), f"no {event} among the mouse's events: {text}")


def check_file_system(image, offset):
    result = subprocess.run(["/sbin/e2fsck", "-f", "-n", f"{image}?offset={offset}"], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    runner.expect(result.returncode == 0, f"fsck found errors: {result.stdout.decode(errors='replace')}")


# A band of the screen, below what the console shows.
FIRST_LINE, LINES, WIDTH, HEIGHT = 600, 50, 1280, 800
# One write: a driver of fb0 may see nothing to show in a write of one line.
DRAW = f"""perl -e 'open(my $f, "+<", "/dev/fb0") or die; sysseek($f, {FIRST_LINE * WIDTH * 4}, 0); my $all = "";
for my $y (0..{LINES - 1}) {{ $all .= pack("V*", map {{ ($_ * 66051 + $y * %d) & 0xffffff }} 0..{WIDTH - 1}); }}
syswrite($f, $all) == length($all) or die'"""


def draw(guest, factor=7):
    """The kernel's driver for the graphics card, and what the screen shows."""
    text = guest.command("cat /sys/class/graphics/fb0/name /sys/class/graphics/fb0/virtual_size; cat /sys/class/drm/*/modes | head -1")
    for wanted in ("bochs-drm", f"{WIDTH},{HEIGHT}", f"{WIDTH}x{HEIGHT}"):
        runner.expect(wanted in text, f"no {wanted} for the graphics card: {text!r}")
    guest.command(DRAW.replace("\n", " ") % factor + "; sync; sleep 1")
    path = guest.folder / f"screen{factor}.ppm"
    guest.monitor.ask("screenshot", file=str(path))
    magic, size, _, pixels = path.read_bytes().split(b"\n", 3)
    runner.expect((magic, size) == (b"P6", b"%d %d" % (WIDTH, HEIGHT)), f"the picture is {magic} {size}")
    for y in range(LINES):
        at = 3 * WIDTH * (FIRST_LINE + y)
        wanted = b"".join(((x * 66051 + y * factor) & 0xffffff).to_bytes(3, "big") for x in range(WIDTH))
        runner.expect(pixels[at:at + 3 * WIDTH] == wanted, f"line {FIRST_LINE + y} of the screen is not what was drawn")
    path.unlink()


def draw_again(guest):
    draw(guest, 11)


def swap_a_lot(guest):
    swap(guest, 330)


# Name: image, options of the disk, memory, other options, what is done in the guest, how it ends, where the root file system
# begins. UEFI firmware and GRUB keep copies of kernel and initrd: 256 MiB are too little.
DISKS = {
    "ide": ("debian-bios.img", ["bus=ide"], "256M", ["--floppy", ""], [work, mouse, draw, suspend, draw_again, reset_button, floppies], Guest.power_button, 1 << 20),
    "virtio": ("debian-bios.img", ["bus=virtio"], "256M", [], [work, suspend, address_space, swap_a_lot, user_mode_linux], Guest.power_off,
               1 << 20),
    "scsi": ("debian-bios.img", [], "256M", ["--device", "scsi-cd"], [work, scsi, suspend], Guest.power_off, 1 << 20),
    "efi": ("debian-efi.img", [], "512M", ["--bios", "ovmf", "--no-reboot"], [work, draw, suspend, draw_again], Guest.reboot, None),
}


def run(options, name, folder):
    image, of_disk, memory, words, parts, end, root_offset = DISKS[name]
    source, copy = pathlib.Path(options.disks, image), pathlib.Path(folder, image)
    if not source.exists():
        print(f"SKIP: '{source}' is missing: tests/guests/build_disk.py makes it")
        sys.exit(77)
    print(f"{image} ({name})", flush=True)
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, copy], check=True)

    def body(terminal):
        guest = Guest(terminal, folder)
        guest.log_in()
        for part in parts:
            print(part.__name__, flush=True)
            part(guest)
        print(end.__name__, flush=True)
        end(guest)
        guest.monitor.close()

    disk = ["--device", f"scsi-hd,file={copy},write=yes"] if name == "scsi" else ["--disk", ",".join([str(copy), "write=yes", *of_disk])]
    words = [*disk, "--memory", memory, "--wall-timeout", "1500", "--monitor",
             f"unix:{folder}/monitor", *words]
    session.run(options, words, body)
    if root_offset is not None:
        check_file_system(copy, root_offset)
    copy.unlink()


def test(options):
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        for name in [options.disk] if options.disk else DISKS:
            run(options, name, folder)


def add_arguments(parser):
    parser.add_argument("--disks", default="build/disks", help="folder with debian-bios.img and debian-efi.img")
    parser.add_argument("--scratch", help="folder for copies of images")
    parser.add_argument("--disk", choices=DISKS, help="only this one")


runner.main(test, __doc__, add_arguments)
