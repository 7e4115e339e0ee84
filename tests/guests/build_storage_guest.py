#!/usr/bin/env python3
"""Builds a guest that works its disks: Debian's generic kernel, and an initramfs with the modules for IDE, AHCI, virtio,
disks, CD-ROM drives and ext4, and with e2fsprogs.

    build_storage_guest.py --out build/storage [--kernel-deb FILE]

Outputs vmlinuz and initramfs.img, as build_guests.py does; `reprise.exec=/bin/storage` runs the work (STORAGE below).
Does nothing if its outputs are there and what they are made by is unchanged (stamp), unless --refresh.
"""

import argparse
import hashlib
import pathlib
import re
import shutil
import subprocess

import build_guests

MODULES = ["ata_piix", "ahci", "sd_mod", "sr_mod", "virtio_pci", "virtio_blk", "isofs", "ext4"]
# The programs' libraries come from their packages; the loader and the C library from build_guests.
TOOLS = {"e2fsprogs": ["sbin/mke2fs", "sbin/e2fsck"], "libext2fs2": [], "libcom-err2": [], "libss2": [], "libuuid1": [],
         "libblkid1": []}
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
    archive.add("bin/storage", 0o100755, STORAGE.encode())
    # The kernel unpacks archives that follow each other.
    (out / "initramfs.img").write_bytes(build_guests.build_initramfs(folders) + archive.bytes())
    (out / "vmlinuz").write_bytes(next((kernel / "boot").glob("vmlinuz-*")).read_bytes())
    shutil.rmtree(out / "packages", ignore_errors=True)
    stamp.write_text(wanted)
    build_guests.say(f"{out / 'vmlinuz'} and initramfs.img are ready, with {len(modules)} modules")


if __name__ == "__main__":
    main()
