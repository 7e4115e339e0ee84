#!/usr/bin/env python3
"""Builds the Linux guest: a stock Debian kernel and an initramfs with busybox and user-mode Linux.

Packages come from the machine's own apt sources through `apt-get download` and are only unpacked under
the output folder, never installed. Nothing third-party is kept in the source tree. Outputs:

    vmlinuz         the kernel, as packaged
    initramfs.img   cpio "newc" archive, uncompressed so that a boot does not spend its time in gunzip
    drivers.img     another, to be appended to it: the kernel's drivers of emulated devices, ext4's tools, and what
                    tests do with them (tests/guests/drivers)
    busybox         the guest's busybox, for native comparison
    packages.txt    what was fetched: package, version

The same inputs give the same bytes: entries are sorted, owned by root and dated at the epoch.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT_FILES = HERE / "root"
DRIVER_FILES = HERE / "drivers"
# Modules; those they depend on come with them. A kernel that has one built in needs none.
DRIVERS = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console", "virtio-rng", "pvpanic-mmio", "i6300esb", "ata_piix", "ahci",
           "sd_mod", "sr_mod", "virtio_scsi", "virtio_balloon", "isofs", "af_packet", "virtio_net", "e1000", "virtio_input", "evdev"]
TOOL_PACKAGES = ["e2fsprogs", "libext2fs2", "libcom-err2", "libblkid1", "libuuid1", "libss2"]
TOOLS = ["mke2fs", "e2fsck"]
KERNELS = {"cloud": "linux-image-cloud-amd64", "generic": "linux-image-amd64"}
# busybox is static; the UML binary needs the C library and its loader.
PACKAGES = ["busybox-static", "user-mode-linux", "libc6"]
EMPTY_FOLDERS = ["dev", "etc", "mnt", "proc", "root", "run", "sys", "tmp", "var", "lib64", "lib/x86_64-linux-gnu"]


def fail(message):
    sys.exit(f"build_guests: {message}")


def say(message):
    print(f"guests: {message}", flush=True)


def run(*command, **kwargs):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **kwargs).stdout


def resolve_kernel(meta_package):
    """The real kernel package behind Debian's meta package."""
    try:
        depends = run("apt-cache", "depends", "--important", meta_package, stderr=subprocess.PIPE)
    except (subprocess.CalledProcessError, FileNotFoundError):
        fail(f"apt does not know {meta_package}; run 'apt-get update' on a Debian machine and try again")
    names = re.findall(r"Depends: (linux-image-\d\S*)", depends)
    if not names:
        fail(f"{meta_package} names no kernel image; run 'apt-get update' and try again")
    return names[0]


def fetch(package, out):
    """Downloads and unpacks one package. Returns (folder, version)."""
    packages = out / "packages"
    folder = packages / package
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    size = re.search(r"^Size: (\d+)", run("apt-cache", "show", "--no-all-versions", package), re.MULTILINE)
    say(f"fetching {package}" + (f" ({int(size[1]) / 1e6:.1f} MB)" if size else ""))
    # As root, apt would drop to the user "_apt", which cannot write here.
    done = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package],
                          cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    archives = sorted(folder.glob("*.deb"))
    if done.returncode or not archives:
        fail(f"apt-get download {package} failed: {done.stdout.strip()}")
    version = archives[0].name.split("_")[1].replace("%3a", ":")
    run("dpkg-deb", "-x", str(archives[0]), str(folder))
    archives[0].unlink()
    return folder, version


class Cpio:
    """Writer for the cpio "newc" format (kernel: Documentation/driver-api/early-userspace/buffer-format)."""

    def __init__(self):
        self.entries = {}

    def add(self, name, mode, data=b"", device=(0, 0)):
        self.entries[name] = (mode, data, device)

    def folder(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def file(self, name, host_path):
        executable = os.access(host_path, os.X_OK)
        self.add(name, stat.S_IFREG | (0o755 if executable else 0o644), pathlib.Path(host_path).read_bytes())

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor):
        self.add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def tree(self, host_folder, at=""):
        for path in sorted(pathlib.Path(host_folder).rglob("*")):
            name = str(pathlib.PurePosixPath(at) / path.relative_to(host_folder))
            if path.is_symlink():
                self.link(name, os.readlink(path))
            elif path.is_dir():
                self.folder(name)
            else:
                self.file(name, path)

    def bytes(self):
        parts = []
        for inode, name in enumerate(sorted(self.entries), start=1):
            mode, data, device = self.entries[name]
            parts.append(self._record(inode, name, mode, data, device))
        parts.append(self._record(0, "TRAILER!!!", 0, b"", (0, 0)))
        archive = b"".join(parts)
        return archive + b"\0" * (-len(archive) % 512)

    @staticmethod
    def _record(inode, name, mode, data, device):
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = [inode, mode, 0, 0, links, 0, len(data), 0, 0, device[0], device[1], len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        head += b"\0" * (-len(head) % 4)
        return head + data + b"\0" * (-len(data) % 4)


def build_initramfs(folders):
    archive = Cpio()
    for name in EMPTY_FOLDERS:
        for parent in reversed(pathlib.PurePosixPath(name).parents):
            if str(parent) != ".":
                archive.folder(str(parent))
        archive.folder(name)
    # The kernel opens /dev/console for init before anything is mounted.
    archive.device("dev/console", 5, 1)
    archive.device("dev/null", 1, 3)
    archive.folder("bin")
    busybox = folders["busybox-static"] / "bin/busybox"
    archive.file("bin/busybox", busybox)
    for applet in run(str(busybox), "--list").split():
        if applet != "busybox":
            archive.link(f"bin/{applet}", "busybox")
    archive.file("bin/linux.uml", folders["user-mode-linux"] / "usr/bin/linux.uml")
    libc = folders["libc6"] / "lib/x86_64-linux-gnu"
    archive.file("lib/x86_64-linux-gnu/libc.so.6", libc / "libc.so.6")
    archive.file("lib64/ld-linux-x86-64.so.2", libc / "ld-linux-x86-64.so.2")
    archive.tree(ROOT_FILES)
    return archive.bytes()


def depends_of(module):
    """The names of the modules that `module`, a file, needs, from its .modinfo section."""
    found = re.search(rb"\0depends=([^\0]*)\0", b"\0" + module.read_bytes())
    return [name for name in found[1].decode().split(",") if name] if found else []


def in_load_order(names, files):
    """The files of `names` and of all they need, each after what it needs."""
    order = []

    def visit(name):
        module = files.get(name.replace("-", "_"))
        if module is None or module in order:
            return
        for needed in depends_of(module):
            visit(needed)
        order.append(module)

    for name in names:
        visit(name)
    return order


def build_drivers(folders, kernel_package):
    archive = Cpio()
    for name in ["lib", "lib/drivers", "lib/x86_64-linux-gnu", "bin"]:
        archive.folder(name)
    files = {path.stem.replace("-", "_"): path for path in sorted(folders[kernel_package].rglob("*.ko"))}
    modules = in_load_order(DRIVERS, files)
    for module in modules:
        archive.file(f"lib/drivers/{module.name}", module)
    archive.add("lib/drivers/order", stat.S_IFREG | 0o644, "".join(f"{m.name}\n" for m in modules).encode())
    for package in TOOL_PACKAGES:
        for path in sorted(folders[package].rglob("*")):
            if path.name in TOOLS and path.is_file():
                archive.file(f"bin/{path.name}", path)
            elif re.search(r"/lib/x86_64-linux-gnu/lib[^/]*\.so\.\d+$", str(path)):
                archive.file(f"lib/x86_64-linux-gnu/{path.name}", path.resolve())
    archive.link("bin/mkfs.ext4", "mke2fs")
    archive.tree(DRIVER_FILES)
    return archive.bytes()


def stamp_of(kernel):
    digest = hashlib.sha256(kernel.encode())
    files = sorted(p for folder in (ROOT_FILES, DRIVER_FILES) for p in folder.rglob("*") if p.is_file())
    for path in [pathlib.Path(__file__), *files]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="build/guests", help="output folder (default: build/guests)")
    parser.add_argument("--kernel", choices=KERNELS, default="cloud",
                        help="cloud: linux-image-cloud-amd64 (default); generic: linux-image-amd64")
    parser.add_argument("--refresh", action="store_true", help="fetch again even if nothing changed")
    options = parser.parse_args()

    out = pathlib.Path(options.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    stamp = out / "stamp"
    outputs = [out / "vmlinuz", out / "initramfs.img", out / "drivers.img"]
    wanted = stamp_of(options.kernel)
    if not options.refresh and stamp.exists() and stamp.read_text() == wanted and all(p.exists() for p in outputs):
        return
    stamp.unlink(missing_ok=True)

    kernel_package = resolve_kernel(KERNELS[options.kernel])
    folders, versions = {}, []
    for package in [kernel_package, *PACKAGES, *TOOL_PACKAGES]:
        folders[package], version = fetch(package, out)
        versions.append(f"{package} {version}\n")

    say("building the initramfs")
    images = sorted((folders[kernel_package] / "boot").glob("vmlinuz-*"))
    if not images:
        fail(f"{kernel_package} holds no boot/vmlinuz-*")
    shutil.copyfile(images[0], out / "vmlinuz")
    (out / "initramfs.img").write_bytes(build_initramfs(folders))
    (out / "drivers.img").write_bytes(build_drivers(folders, kernel_package))
    shutil.copy(folders["busybox-static"] / "bin/busybox", out / "busybox")
    (out / "packages.txt").write_text("".join(versions))
    shutil.rmtree(out / "packages")
    stamp.write_text(wanted)
    say(f"{out / 'vmlinuz'} and initramfs.img are ready ({kernel_package})")


if __name__ == "__main__":
    main()
