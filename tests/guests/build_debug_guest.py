#!/usr/bin/env python3
"""Builds what a kernel developer has: Debian's stock kernel, its vmlinux with all symbols, the kernel's own gdb scripts, and an
initramfs with modules that have bugs (tests/guests/bugs).

Packages come from the machine's own apt sources and are only unpacked under the output folder, never installed: some 450 MB to
fetch, 700 MB that stay. Outputs:

    vmlinuz, vmlinux, System.map   the kernel, as packaged
    vmlinux-gdb.py, scripts/gdb    the kernel's gdb scripts, from Debian's linux-source
    bugs/NAME.ko                   the modules, with their symbols
    initramfs.img                  busybox and the modules; reprise.bug=NAME on the command line chooses one
"""

import argparse
import hashlib
import pathlib
import re
import shutil
import stat
import subprocess

import build_guests
from build_guests import fail, fetch, resolve_kernel, run, say

HERE = pathlib.Path(__file__).resolve().parent
BUGS = HERE / "bugs"
# What dice.ko's device needs, and itself.
DRIVERS = ["virtio_pci"]
APPLETS = ["cat", "insmod", "mount", "poweroff", "printf", "sh", "sleep"]


def download(package, out):
    """The package's file, not unpacked."""
    folder = out / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    say(f"fetching {package}")
    done = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package], cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    archives = sorted(folder.glob(f"{package}_*.deb"))
    if done.returncode or not archives:
        fail(f"apt-get download {package} failed: {done.stdout.strip()}")
    return archives[0]


def unpack(archive, out, *tar_words):
    """A part of a package, or of a tar archive in it."""
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", out, *tar_words], stdin=tar.stdout, check=True)
    tar.stdout.close()
    if tar.wait() not in (0, -13):
        fail(f"{archive} is damaged")


def get_vmlinux(kernel, out):
    archive = download(f"{kernel}-dbg", out)
    unpack(archive, out / "packages", "--exclude=*.ko")
    boot = out / "packages/usr/lib/debug/boot"
    shutil.move(next(boot.glob("vmlinux-*")), out / "vmlinux")
    shutil.move(next(boot.glob("System.map-*")), out / "System.map")
    archive.unlink()


def get_gdb_scripts(source, out):
    archive = download(source, out)
    unpack(archive, out / "packages", "--wildcards", "*.tar.xz")
    tree = next((out / "packages").rglob(f"{source}.tar.xz"))
    subprocess.run(["tar", "-xf", tree, "-C", out / "packages", "--wildcards", "*/scripts/gdb"], check=True)
    tree.unlink()
    archive.unlink()
    scripts = next((out / "packages").glob("*/scripts/gdb"))
    shutil.rmtree(out / "scripts", ignore_errors=True)
    shutil.copytree(scripts, out / "scripts/gdb")
    shutil.move(out / "scripts/gdb/vmlinux-gdb.py", out / "vmlinux-gdb.py")


def build_modules(kernel, out):
    """Modules, and constants.py of the gdb scripts, against the kernel's headers."""
    headers = kernel.replace("image", "headers")
    depends = run("apt-cache", "depends", "--important", headers)
    common = re.search(r"Depends: (linux-headers-\S*-common)", depends)
    kbuild = re.search(r"Depends: (linux-kbuild-\S*)", depends)
    if not common or not kbuild:
        fail(f"{headers} names neither its common headers nor linux-kbuild")
    tree = out / "packages/headers"
    tree.mkdir()
    for package in (headers, common[1], kbuild[1]):
        archive = download(package, out)
        run("dpkg-deb", "-x", str(archive), str(tree))
        archive.unlink()
    (tree / "usr/src" / headers / "Makefile").write_text(f"include {tree / 'usr/src' / common[1] / 'Makefile'}\n")
    shutil.rmtree(out / "bugs", ignore_errors=True)
    shutil.copytree(BUGS, out / "bugs")
    shutil.copy(out / "scripts/gdb/linux/constants.py.in", out / "bugs")
    say("building the modules")
    made = subprocess.run(["make", "-s", "-C", tree / "usr/src" / headers, f"M={out / 'bugs'}", "modules"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode:
        fail(f"the modules could not be built: {made.stdout}")
    shutil.move(out / "bugs/constants.py", out / "scripts/gdb/linux/constants.py")


def build_initramfs(kernel, busybox, out):
    archive = build_guests.Cpio()
    for name in ["bin", "dev", "lib", "lib/bugs", "proc", "sys"]:
        archive.folder(name)
    archive.device("dev/console", 5, 1)
    archive.device("dev/null", 1, 3)
    archive.file("bin/busybox", busybox / "bin/busybox")
    for applet in APPLETS:
        archive.link(f"bin/{applet}", "busybox")
    files = {path.stem.replace("-", "_"): path for path in sorted(kernel.rglob("*.ko"))}
    modules = build_guests.in_load_order(DRIVERS, files)
    for module in [*modules, *(out / "bugs").glob("*.ko")]:
        archive.file(f"lib/bugs/{module.name}", module)
    archive.add("lib/bugs/order", stat.S_IFREG | 0o644, "".join(f"{m.name}\n" for m in modules).encode())
    archive.file("init", BUGS / "init")
    (out / "initramfs.img").write_bytes(archive.bytes())


def stamp_of():
    digest = hashlib.sha256()
    for path in [pathlib.Path(__file__), pathlib.Path(build_guests.__file__), *sorted(BUGS.iterdir())]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="build/kernel-debug", help="output folder (default: build/kernel-debug)")
    out = pathlib.Path(parser.parse_args().out).resolve()
    stamp = out / "stamp"
    if stamp.exists() and stamp.read_text() == stamp_of():
        return
    out.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    shutil.rmtree(out / "packages", ignore_errors=True)

    kernel = resolve_kernel(build_guests.KERNELS["cloud"])
    image, version = fetch(kernel, out)
    shutil.copyfile(next((image / "boot").glob("vmlinuz-*")), out / "vmlinuz")
    get_vmlinux(kernel, out)
    get_gdb_scripts(f"linux-source-{'.'.join(version.split('.')[:2])}", out)
    build_modules(kernel, out)
    build_initramfs(image, fetch("busybox-static", out)[0], out)
    shutil.rmtree(out / "packages")
    stamp.write_text(stamp_of())
    say(f"{out / 'vmlinux'} and initramfs.img are ready ({kernel} {version})")


if __name__ == "__main__":
    main()
