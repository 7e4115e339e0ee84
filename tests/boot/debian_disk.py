#!/usr/bin/env python3
"""A Debian disk image from firmware to `login:` and back: GRUB, systemd, a login on the serial port, work on processor
and disk, swapping under memory pressure, user-mode Linux inside, `poweroff`, and a clean file system afterwards."""

import pathlib
import re
import subprocess
import sys
import tempfile

import runner
import session

PROMPT = b"root@debian:~# "

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


class Guest:
    def __init__(self, terminal):
        self.terminal = terminal

    def log_in(self):
        self.terminal.wait_for(b"debian login: ", 900)
        self.terminal.type(b"root\r")
        self.terminal.wait_for(b"Password: ")
        self.terminal.type(b"reprise\r")
        self.terminal.wait_for(PROMPT)
        self.command("stty -echo; bind 'set enable-bracketed-paste off'")

    def command(self, line, seconds=600):
        """Runs `line` in the shell; what it prints."""
        self.terminal.seen = b""
        self.terminal.write(line.encode() + b"\r")
        self.terminal.wait_for(PROMPT, seconds)
        return self.terminal.before.decode(errors="replace").replace("\r", "")

    def power_off(self):
        self.terminal.write(b"poweroff\r")
        code = self.terminal.wait_for_end(300)
        runner.expect(code == 0, f"exit code {code} after poweroff")


def write_script(guest, path, text):
    lines = "\n".join(line for line in text.splitlines())
    guest.command(f"cat >{path} <<'END'\n".replace("\n", "\r") + lines.replace("\n", "\r") + "\rEND")
    guest.command(f"chmod +x {path}")


def work(guest):
    text = guest.command("seq 1 200000 >/root/numbers; sha256sum /root/numbers | cut -c1-16; sync; echo 3 >/proc/sys/vm/drop_caches; "
                         "sha256sum /root/numbers | cut -c1-16")
    expected = subprocess.run("seq 1 200000 | sha256sum | cut -c1-16", shell=True, stdout=subprocess.PIPE,
                              check=True).stdout.decode().strip()
    runner.expect(text.count(expected) == 2, f"the guest's digests are not twice {expected}: {text!r}")


def swap(guest, mib):
    before = counters(guest)
    text = guest.command(PRESSURE % mib)
    total = sum((k * 7919) % mib for k in range(2 * mib))
    runner.expect(f"pressure sum {total}" in text, f"memory pressure gave a wrong sum, not {total}: {text!r}")
    after = counters(guest)
    for name in ("pswpin", "pswpout", "pgmajfault"):
        runner.expect(after[name] > before[name], f"{name} did not rise: {before} {after}")


def counters(guest):
    text = guest.command("grep -E '^(pswpin|pswpout|pgmajfault) ' /proc/vmstat")
    return {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", text)}


def user_mode_linux(guest):
    write_script(guest, "/root/uml-init", UML_INIT)
    write_script(guest, "/root/run-uml", UML_RUN)
    text = guest.command("/root/run-uml", 900)
    for n in (1, 2, 3):
        runner.expect(f"uml {n} read: data of {n}" in text, f"user-mode Linux {n} did not finish: {text!r}\n" +
                      guest.command(f"tail -n 30 /root/uml{n}.log"))


def check_file_system(image, offset):
    result = subprocess.run(["/sbin/e2fsck", "-f", "-n", f"{image}?offset={offset}"], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    runner.expect(result.returncode == 0, f"fsck found errors: {result.stdout.decode(errors='replace')}")


def swap_a_lot(guest):
    swap(guest, 330)


# Name: image, options of the disk, memory, other options, what is done in the guest, where the root file system begins.
# UEFI firmware and GRUB keep copies of kernel and initrd: 256 MiB are too little.
DISKS = {
    "ide": ("debian-bios.img", ["bus=ide"], "256M", [], [work], 1 << 20),
    "virtio": ("debian-bios.img", ["bus=virtio"], "256M", [], [work, swap_a_lot, user_mode_linux], 1 << 20),
    "efi": ("debian-efi.img", [], "512M", ["--bios", "ovmf"], [work], None),
}


def run(options, name, folder):
    image, of_disk, memory, words, parts, root_offset = DISKS[name]
    source, copy = pathlib.Path(options.disks, image), pathlib.Path(folder, image)
    if not source.exists():
        print(f"SKIP: '{source}' is missing: tests/guests/build_disk.py makes it")
        sys.exit(77)
    print(f"{image} ({name})", flush=True)
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, copy], check=True)

    def body(terminal):
        guest = Guest(terminal)
        guest.log_in()
        for part in parts:
            print(part.__name__, flush=True)
            part(guest)
        guest.power_off()

    words = ["--disk", ",".join([str(copy), "write=yes", *of_disk]), "--memory", memory, "--wall-timeout", "1500", *words]
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
