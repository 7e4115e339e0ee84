#!/usr/bin/env python3
"""Fetches what other people made to be booted: CD-ROM and floppy images, kernels, all from Debian's packages.

Packages come from the machine's own apt sources through `apt-get download` and are only unpacked under the output
folder, never installed. Outputs, under build/media:

    memtest86+.iso  grub-rescue.iso  grub-rescue-floppy.img  ipxe.iso    for a PC's BIOS
    installer/linux  installer/initrd.gz                                 Debian's installer for the network, with what it
    installer/pxelinux.0  installer/ldlinux.c32  installer/grubx64.efi   is started by there
    ssh/                                                                 an ssh server for Debian's disk, and its libraries
    pae/vmlinuz  pae/initramfs.img                                       Debian's 32-bit PAE kernel with a busybox
    syslinux-floppy.img                                                  a FAT floppy with SYSLINUX, its prompt on COM1
    syslinux/                                                            its graphical menu
    packages.txt                                                         what was fetched: package, version
"""

import argparse
import pathlib
import re
import shutil
import stat
import subprocess
import sys

import build_guests

INSTALLER = "usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
# Package: the files that are wanted of it.
FILES = {
    "memtest86+": {"memtest86+.iso": "usr/lib/memtest86+/memtest86+x64.iso"},
    "grub-rescue-pc": {"grub-rescue.iso": "usr/lib/grub-rescue/grub-rescue-cdrom.iso",
                       "grub-rescue-floppy.img": "usr/lib/grub-rescue/grub-rescue-floppy.img"},
    "ipxe": {"ipxe.iso": "usr/lib/ipxe/ipxe.iso"},
    "debian-installer-12-netboot-amd64": {"installer/linux": f"{INSTALLER}/linux",
                                          "installer/initrd.gz": f"{INSTALLER}/initrd.gz",
                                          "installer/pxelinux.0": f"{INSTALLER}/pxelinux.0",
                                          "installer/ldlinux.c32": f"{INSTALLER}/boot-screens/ldlinux.c32",
                                          "installer/grubx64.efi": f"{INSTALLER}/grubx64.efi"},
    "dropbear-bin": {"ssh/dropbear": "usr/sbin/dropbear"},
    "libtomcrypt1": {"ssh/libtomcrypt.so.1": f"{LIBRARIES}/libtomcrypt.so.1"},
    "libtommath1": {"ssh/libtommath.so.1": f"{LIBRARIES}/libtommath.so.1"},
    "syslinux": {},
    "syslinux-common": {f"syslinux/{name}.c32": f"usr/lib/syslinux/modules/bios/{name}.c32"
                        for name in ("vesamenu", "libcom32", "libutil")},
}
# MEMDISK makes a disk of `inner.img`, which whoever boots this adds, and boots from it.
SYSLINUX_CONFIG = """SERIAL 0 115200
PROMPT 1
TIMEOUT 0
DEFAULT inner
LABEL inner
  KERNEL memdisk
  INITRD inner.img
"""
PAE_KERNEL = "linux-image-686-pae"
PAE_INIT = b"""#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox echo "pae: $(/bin/busybox uname -m) $(/bin/busybox seq 1 100000 | /bin/busybox sha256sum)"
/bin/busybox grep MemTotal /proc/meminfo
/bin/busybox poweroff -f
"""


def run(*command, **kwargs):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **kwargs).stdout


class ForeignApt:
    """apt for an architecture that this machine does not have, with lists of its own."""

    def __init__(self, architecture, folder):
        self.folder = folder
        (folder / "lists/partial").mkdir(parents=True)
        (folder / "cache/archives/partial").mkdir(parents=True)
        self.options = ["-q", "-o", f"APT::Architecture={architecture}", "-o", f"APT::Architectures={architecture}", "-o",
                        "APT::Sandbox::User=root", "-o", f"Dir::State::Lists={folder}/lists", "-o",
                        f"Dir::Cache={folder}/cache", "-o", "Dir::State::Status=/dev/null"]
        # A source without this architecture is an error that matters only if a package is missing in the end.
        subprocess.run(["apt-get", *self.options, "update"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def dependency(self, package, pattern):
        names = re.findall(pattern, run("apt-cache", *self.options, "depends", "--important", package))
        if not names:
            build_guests.fail(f"{package} is not what it was: none of its dependencies matches {pattern}")
        return names[0]

    def fetch(self, package):
        folder = self.folder / package
        folder.mkdir()
        run("apt-get", *self.options, "download", package, cwd=folder, stderr=subprocess.STDOUT)
        archive = next(folder.glob("*.deb"))
        run("dpkg-deb", "-x", str(archive), str(folder))
        return folder, archive.name.split("_")[1].replace("%3a", ":")


def build_pae(out, versions):
    work = out / "packages" / "i386"
    shutil.rmtree(work, ignore_errors=True)
    apt = ForeignApt("i386", work)
    build_guests.say("fetching a 32-bit PAE kernel")
    kernel = apt.dependency(PAE_KERNEL, r"Depends: (linux-image-\d\S*)")
    kernel_folder, versions[kernel] = apt.fetch(kernel)
    busybox_folder, versions["busybox-static:i386"] = apt.fetch("busybox-static")
    (out / "pae").mkdir(exist_ok=True)
    shutil.copyfile(next(kernel_folder.glob("boot/vmlinuz-*")), out / "pae/vmlinuz")
    archive = build_guests.Cpio()
    for name in ("bin", "dev", "proc"):
        archive.folder(name)
    archive.file("bin/busybox", busybox_folder / "bin/busybox")
    archive.device("dev/console", 5, 1)
    archive.add("init", stat.S_IFREG | 0o755, PAE_INIT)
    (out / "pae/initramfs.img").write_bytes(archive.bytes())


def build_syslinux_floppy(out):
    image = out / "syslinux-floppy.img"
    memdisk = out / "packages/syslinux-common/usr/lib/syslinux/memdisk"
    config = out / "packages/syslinux.cfg"
    config.write_text(SYSLINUX_CONFIG)
    image.unlink(missing_ok=True)
    run("/sbin/mkfs.fat", "-C", "-F", "12", str(image), "1440")
    run(str(out / "packages/syslinux/usr/bin/syslinux"), "--install", str(image))
    run("mcopy", "-i", str(image), str(config), str(memdisk), "::")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="build/media", help="output folder (default: build/media)")
    parser.add_argument("--refresh", action="store_true", help="fetch again even if everything is there")
    options = parser.parse_args()
    out = pathlib.Path(options.out).resolve()
    stamp = out / "packages.txt"
    made = stamp.read_text().split() if stamp.exists() else []
    outputs = [out / name for files in FILES.values() for name in files]
    if set(FILES) <= set(made) and all(output.exists() for output in outputs) and not options.refresh:
        return
    out.mkdir(parents=True, exist_ok=True)
    versions = {}
    for package, files in FILES.items():
        folder, versions[package] = build_guests.fetch(package, out)
        for name, path in files.items():
            (out / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / path, out / name)
    build_syslinux_floppy(out)
    build_pae(out, versions)
    shutil.rmtree(out / "packages")
    stamp.write_text("".join(f"{package} {version}\n" for package, version in sorted(versions.items())))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"build_media: '{' '.join(error.cmd)}' failed: {error.stdout or ''}")
