#!/usr/bin/env python3
"""Builds a guest that works its disks, shared folders and sound card: Debian's generic kernel (the one for clouds has no 9p
and no sound), and an initramfs with the modules for IDE, AHCI, virtio, disks, CD-ROM drives, ext4, 9p, network cards and AC'97, and with
e2fsprogs and alsa-utils.

    build_storage_guest.py --out build/storage [--kernel-deb FILE]

Outputs vmlinuz and initramfs.img, as build_guests.py does; `reprise.exec=/bin/storage` runs the work on disks
(STORAGE below), `reprise.exec=/bin/share` that on shared folders, `rdinit=/bin/share-root` makes one the root,
`reprise.exec=/bin/sound` plays and records.
Does nothing if its outputs are there and what they are made by is unchanged (stamp), unless --refresh.
"""

import argparse
import hashlib
import pathlib
import re
import shutil
import subprocess

import build_guests

MODULES = ["ata_piix", "ahci", "sd_mod", "sr_mod", "virtio_pci", "virtio_blk", "isofs", "ext4", "9p", "9pnet_virtio", "virtio_net",
           "snd_intel8x0"]
# The programs' libraries come from their packages; the loader and the C library from build_guests.
TOOLS = {"e2fsprogs": ["sbin/mke2fs", "sbin/e2fsck"], "libext2fs2": [], "libcom-err2": [], "libss2": [], "libuuid1": [],
         "libblkid1": [], "util-linux": ["usr/bin/flock"], "attr": ["usr/bin/setfattr", "usr/bin/getfattr"], "libattr1": [],
         "alsa-utils": ["usr/bin/aplay", "usr/bin/arecord", "usr/bin/amixer"], "libasound2": [], "libasound2-data": []}
LIBRARIES = "lib/x86_64-linux-gnu"
OUTPUTS = ["vmlinuz", "initramfs.img"]

STORAGE = """#!/bin/sh
# Works every disk and CD-ROM drive: patterns and checksums on the raw disk, then a file system made, filled, checked and
# read back through a cold cache. Each line "storage: ..." is for the test to read; checksums are of the content alone.
fail() { echo "storage: FAILED $*"; dmesg | tail -n 30; exit 1; }
for module in $(cat /modules/list); do insmod /modules/$module || fail "insmod $module"; done
for i in 1 2 3 4 5 6 7 8 9 10; do
  [ "$(grep -c ' sd[a-z]$' /proc/partitions)" -ge "$(sed 's/.*storage.disks=//;s/ .*//' /proc/cmdline)" ] && break
  sleep 1
done
cat /proc/partitions
drop() { sync; echo 3 >/proc/sys/vm/drop_caches; }
for disk in /sys/block/sd*; do
  name=${disk##*/}
  dev=/dev/$name
  echo "storage: $name $(cat $disk/size) sectors, model $(cat $disk/device/model)"
  cat /bin/busybox /bin/busybox /bin/linux.uml >/tmp/pattern
  size=$(wc -c </tmp/pattern)
  dd if=/tmp/pattern of=$dev bs=64k seek=17 conv=notrunc 2>/dev/null || fail "$name write"
  drop
  want=$(sha256sum </tmp/pattern)
  got=$(dd if=$dev bs=64k skip=17 2>/dev/null | head -c $size | sha256sum)
  [ "$want" = "$got" ] || fail "$name raw content"
  # small synchronous writes
  dd if=/tmp/pattern of=$dev bs=512 count=64 oflag=direct conv=notrunc,fsync 2>/dev/null || fail "$name direct"
  dd if=$dev bs=512 count=64 iflag=direct 2>/dev/null | cmp -n 32768 - /tmp/pattern || fail "$name direct content"
  /bin/mke2fs -q -F -t ext4 -U 11111111-2222-3333-4444-555555555555 -E hash_seed=11111111-2222-3333-4444-555555555555 $dev || fail "$name mke2fs"
  mount -t ext4 -o discard $dev /mnt || fail "$name mount"
  mkdir /mnt/tree
  for i in 1 2 3 4 5 6 7 8; do cp /bin/busybox /mnt/tree/busybox.$i; done
  cp -a /modules /mnt/tree/
  rm /mnt/tree/busybox.3
  (cd /mnt/tree && find . -type f | sort | xargs sha256sum) >/tmp/sums
  cp /tmp/sums /mnt/sums
  umount /mnt || fail "$name umount"
  /bin/e2fsck -f -n $dev || fail "$name e2fsck"
  drop
  mount -t ext4 $dev /mnt || fail "$name mount again"
  (cd /mnt/tree && sha256sum -c /tmp/sums >/dev/null) || fail "$name files"
  umount /mnt
  echo "storage: $name is good"
done
for drive in /sys/block/sr*; do
  [ -d $drive ] || continue
  name=${drive##*/}
  echo "storage: $name sha256 $(sha256sum </dev/$name | cut -d' ' -f1)"
done
grep -E "ata|ahci" /proc/interrupts
dmesg | grep -E "exception Emask|failed command|I/O error|frozen|timeout" && fail "errors in the kernel's log"
echo "storage: complete"
"""

SHARE = """#!/bin/sh
# Works the shared folders "work" and "fixed" (read-only). Each line "share: ..." is for the test to read.
fail() { echo "share: FAILED $*"; dmesg | tail -n 20; exit 1; }
sum() { sha256sum | cut -d' ' -f1; }
is() { [ "$2" = "$3" ] || fail "$1: '$2' instead of '$3'"; }
for module in $(cat /modules/list); do insmod /modules/$module || fail "insmod $module"; done
options=trans=virtio,version=9p2000.L,msize=262144,$(sed 's/.*share.options=//;s/ .*//' /proc/cmdline)
mkdir /mnt/work /mnt/fixed
mount -t 9p -o $options work /mnt/work || fail "mount work"
mount -t 9p -o $options fixed /mnt/fixed || fail "mount fixed"

cd /mnt/fixed/tree || fail "no tree"
echo "share: names $(find . | sort | sum)"
echo "share: content $(find . -type f | sort | tr '\\n' '\\0' | xargs -0 sha256sum | sum)"
echo "share: links $(find . -type l | sort | while read -r link; do readlink "$link"; done | sum)"
echo "share: numbers $(ls -ilaR . | awk '{ print $1, $NF }' | sum)"
touch new 2>/dev/null && fail "a read-only share was written"
rm big 2>/dev/null && fail "a read-only share lost a file"
cd /mnt/work

# Content, programs, names
cp /bin/linux.uml big || fail copy
cmp big /bin/linux.uml || fail "copied content"
dd if=/bin/busybox of=big bs=1000 seek=777 conv=notrunc 2>/dev/null
echo 3 >/proc/sys/vm/drop_caches
is patched "$(dd if=big bs=1000 skip=777 2>/dev/null | head -c 100000 | sum)" "$(head -c 100000 /bin/busybox | sum)"
cp /bin/busybox busybox && chmod 755 busybox
is "a program" "$(./busybox echo it runs)" "it runs"
mkdir -p one/two/three && echo deep >one/two/three/file
mv one/two two && mv two/three/file two/file && echo other >two/target && mv two/file two/target
is renamed "$(cat two/target)" deep
rmdir one two/three || fail rmdir
ln two/target again || fail link
is "hard links" "$(stat -c %h again) $(stat -c %i again)" "2 $(stat -c %i two/target)"
rm two/target && is "the other name" "$(cat again) $(stat -c %h again)" "deep 1"
truncate -s 5000 again && is truncated "$(stat -c %s again)" 5000

# Removed while open
echo "still there" >gone
exec 3<>gone
rm gone
is "size after rm" "$(stat -L -c %s /proc/self/fd/3)" 12
is "content after rm" "$(cat <&3)" "still there"
is "opened again after rm" "$(cat /proc/self/fd/3)" "still there"
echo more >&3 || fail "write after rm"
exec 3>&-
[ -e gone ] && fail "a removed file is there"

# Attributes, devices, locks
touch owned && chown 1000:1001 owned && chmod 4750 owned
is attributes "$(stat -c '%u %g %a' owned)" "1000 1001 4750"
mkdir -m 000 closed && is "closed folder" "$(stat -c '%u %a' closed)" "0 0"
mkfifo fifo && mknod null c 1 3 || fail mknod
(echo through >fifo) & is fifo "$(cat fifo)" through
echo lost >null && is "a device" "$(stat -c '%F %t %T' null)" "character special file 1 3"
is "types in a list" "$(find . -type p) $(find . -type c)" "./fifo ./null"
setfattr -n user.colour -v green again || fail setfattr
is "an attribute" "$(getfattr --only-values -n user.colour again)" green
is "attributes" "$(getfattr owned again)" "# file: again
user.colour"
setfattr -n user.reprise.attributes -v x owned 2>/dev/null && fail "a hidden attribute was set"
setfattr -x user.colour again && getfattr -n user.colour again 2>/dev/null && fail "a removed attribute is there"
flock again sh -c 'flock -n again true && echo "share: FAILED two locks"; true' || fail flock
flock -n again true || fail "a lock that was let go"
touch -d '2020-02-02 02:02:02' again
sync

# Links lead where the guest says, and ".." ends at the root of the share
mkdir -p /etc && echo "the guest's own" >/etc/passwd
ln -s /etc/passwd absolute && ln -s ../../../../../../../../etc/passwd relative
is "an absolute link" "$(cat absolute)" "the guest's own"
is "a relative link" "$(cat relative)" "the guest's own"
mkdir swap && echo inside >swap/passwd
(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  mv swap kept; ln -s ../../../../../../etc swap; rm swap; mv kept swap
done) &
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  got=$(cat swap/passwd 2>/dev/null)
  case "$got" in ""|inside|"the guest's own") ;; *) fail "a race gave '$got'" ;; esac
done
wait
is "after the race" "$(cat swap/passwd)" inside
cd /
umount /mnt/work /mnt/fixed || fail umount
mount -t 9p -o $options work /mnt/work || fail "second mount"
is "after a mount" "$(stat -c '%u %g %a' /mnt/work/owned) $(cat /mnt/work/swap/passwd)" "1000 1001 4750 inside"
umount /mnt/work
dmesg | grep -iE "9p.*(error|fail)|Call Trace" && fail "the kernel complained"
echo "share: complete"
"""

SHARE_ROOT = """#!/bin/sh
# The first process: the shared folder "root" becomes the root file system.
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in $(cat /modules/list); do insmod /modules/$module; done
mount -t 9p -o $(sed 's/.*rootflags=//;s/ .*//' /proc/cmdline) root /mnt && exec switch_root /mnt /sbin/init
echo "share: FAILED no root"
poweroff -f
"""


SOUND = """#!/bin/sh
# Plays the WAV files in /tones on the first sound card, once more with the volume changed, and records.
fail() { echo "sound: FAILED $*"; dmesg | tail -n 30; exit 1; }
for module in $(cat /modules/list); do insmod /modules/$module || fail "insmod $module"; done
for i in 1 2 3 4 5 6 7 8 9 10; do [ -e /dev/snd/pcmC0D0p ] && break; sleep 1; done
dmesg | grep -iE "snd|intel8x0|ac97|alsa" | sed 's/^\\[[^]]*\\] /sound: kernel: /'
sed 's/^/sound: card: /' /proc/asound/cards
sed 's/^/sound: codec: /' '/proc/asound/card0/codec97#0/ac97#0-0'
amixer -q sset Master 31,31 unmute || fail amixer
amixer -q sset PCM 23,23 unmute || fail amixer
play() { aplay -q -D "$1" "$2" || fail "aplay $2"; usleep 200000; echo "sound: played $2"; }
for tone in /tones/*.wav; do play plughw:0 $tone; done
first=$(ls /tones/*.wav | head -n 1)
amixer -q sset Master 31,27
play plughw:0 $first
amixer -q sset PCM mute
play plughw:0 $first
arecord -q -D hw:0 -f S16_LE -c 2 -r 44100 -d 1 /tmp/recorded.wav || fail arecord
echo "sound: recorded $(wc -c </tmp/recorded.wav) bytes, $(tail -c +45 /tmp/recorded.wav | tr -d '\\0' | wc -c) of them not silent"
echo "sound: interrupts $(grep -c snd_intel8x0 /proc/interrupts)"
echo "sound: complete"
"""


def module_order(root):
    """Files of MODULES and what they need, those needed first."""
    files = {path.name.removesuffix(".ko").replace("-", "_"): path for path in root.rglob("*.ko")}
    order = []

    def add(name):
        path = files.get(name)
        if path is None or path in order:
            return  # built in, or there already
        depends = re.search(rb"\0depends=([^\0]*)", b"\0" + path.read_bytes())
        soft = re.findall(rb"\0softdep=pre: ([^\0]*)", path.read_bytes())
        for other in ",".join([depends[1].decode() if depends else "", *(s.decode().replace(" ", ",") for s in soft)]).split(","):
            if other:
                add(other.replace("-", "_"))
        order.append(path)

    # What ext4 asks for by name when it mounts.
    for name in ["crc32c_generic", *MODULES]:
        add(name)
    return order


def stamp_of(kernel_deb):
    """What the outputs are made by; the common part of the initramfs is build_guests'."""
    digest = hashlib.sha256(build_guests.stamp_of(str(kernel_deb)).encode())
    digest.update(pathlib.Path(__file__).read_bytes())
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--kernel-deb", type=pathlib.Path, help="a linux-image package that is already there")
    parser.add_argument("--refresh", action="store_true", help="fetch again even if nothing changed")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    stamp = out / "stamp"
    wanted = stamp_of(options.kernel_deb)
    made = stamp.exists() and stamp.read_text() == wanted and all((out / name).exists() for name in OUTPUTS)
    if made and not options.refresh:
        return
    stamp.unlink(missing_ok=True)

    if options.kernel_deb:
        kernel = out / "packages" / "kernel"
        kernel.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg-deb", "-x", options.kernel_deb, kernel], check=True)
    else:
        kernel, _ = build_guests.fetch(build_guests.resolve_kernel("linux-image-amd64"), out)
    folders = {package: build_guests.fetch(package, out)[0] for package in [*build_guests.PACKAGES, *TOOLS]}

    archive = build_guests.Cpio()
    modules = module_order(kernel)
    archive.folder("modules")
    for path in modules:
        archive.file(f"modules/{path.name}", path)
    archive.add("modules/list", 0o100644, "".join(f"{path.name}\n" for path in modules).encode())
    for package, programs in TOOLS.items():
        for program in programs:
            archive.file(f"bin/{pathlib.PurePath(program).name}", folders[package] / program)
        for folder in [LIBRARIES, f"usr/{LIBRARIES}"]:
            for path in sorted((folders[package] / folder).glob("*.so*")):
                archive.file(f"{LIBRARIES}/{path.name}", path.resolve())
    for name, text in [("storage", STORAGE), ("share", SHARE), ("share-root", SHARE_ROOT), ("sound", SOUND)]:
        archive.add(f"bin/{name}", 0o100755, text.encode())
    archive.file(f"{LIBRARIES}/libm.so.6", folders["libc6"] / LIBRARIES / "libm.so.6")
    for name in ["usr", "usr/share", "usr/share/alsa"]:
        archive.folder(name)
    archive.tree(folders["libasound2-data"] / "usr/share/alsa", "usr/share/alsa")
    # The kernel unpacks archives that follow each other.
    (out / "initramfs.img").write_bytes(build_guests.build_initramfs(folders) + archive.bytes())
    (out / "vmlinuz").write_bytes(next((kernel / "boot").glob("vmlinuz-*")).read_bytes())
    shutil.rmtree(out / "packages", ignore_errors=True)
    stamp.write_text(wanted)
    build_guests.say(f"{out / 'vmlinuz'} and initramfs.img are ready, with {len(modules)} modules")


if __name__ == "__main__":
    main()
