#!/usr/bin/env python3
"""Builds Debian disk images as Debian's own tools would install them: systemd, GRUB, ext4, a swap partition.

Packages come from the machine's own apt sources through mmdebstrap; nothing third-party is kept in the source tree.
An image is put together without loop devices: ext4 by `mke2fs -d`, the partition table by sfdisk, GRUB's
boot.img and core.img (BIOS) into the gap before the first partition, or GRUB's signed-path EFI image on a FAT partition.

    build/disks/debian-bios.img      MBR, GRUB for BIOS, ext4 root, swap
    build/disks/debian-efi.img       GPT, EFI system partition, ext4 root, swap
    build/disks/debian-packages.txt  what is inside: package, version

With --desktop it is a graphical system (desktop.py).

Log in on ttyS0 as root, password `reprise`. Nobody is logged in automatically. The same packages give the same bytes,
but for what their installation scripts make at random.
"""

import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import desktop

KERNELS = {"generic": "linux-image-amd64", "cloud": "linux-image-cloud-amd64"}
# On top of Debian's priorities "required" and "important".
PACKAGES = ["systemd-sysv", "libpam-systemd", "dbus", "initramfs-tools", "zstd", "e2fsprogs", "fdisk", "procps", "iproute2",
            "grub-pc-bin", "grub-efi-amd64-bin", "grub-common"]
WITHOUT_DESKTOP = ["user-mode-linux"]
COMPILER = ["gcc", "libc6-dev", "make"]
# The initramfs of `--initramfs list`: what the emulated disks need.
MODULES = ["ata_piix", "ahci", "sd_mod", "sr_mod", "virtio_pci", "virtio_blk", "ext4"]

EPOCH = 1735689600  # 2025-01-01: the date of every file
ROOT_UUID = "5f2a8b1c-0d4e-4f6a-9b3c-7e1d2c3b4a59"
SWAP_UUID = "a1b2c3d4-1111-4222-8333-444455556666"
ESP_SERIAL = "52455052"
MIB = 1 << 20
SECTOR = 512
FIRST_PARTITION = 2048  # sectors: 1 MiB, the usual gap
# crypt(3) of "reprise" with a fixed salt.
PASSWORD_SALT = "$6$reprise"

HOST_TOOLS = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "sfdisk": "fdisk", "mkswap": "util-linux",
              "mkfs.fat": "dosfstools", "mcopy": "mtools", "openssl": "openssl"}


def fail(message):
    sys.exit(f"build_disk: {message}")


def say(message):
    print(f"disk: {message}", flush=True)


def environment():
    return dict(os.environ, SOURCE_DATE_EPOCH=str(EPOCH), E2FSPROGS_FAKE_TIME=str(EPOCH), LC_ALL="C.UTF-8", TZ="UTC",
                PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def run(*command, **kwargs):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment(), **kwargs)
    if done.returncode:
        fail(f"{' '.join(str(word) for word in command[:3])} ... failed:\n{done.stdout[-3000:]}")
    return done.stdout


def check_tools():
    missing = sorted({package for tool, package in HOST_TOOLS.items() if not shutil.which(tool, path=environment()["PATH"])})
    if missing:
        fail(f"these Debian packages are missing; install them as root: apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        fail("only root can make a root file system with its owners: run it as root")


# --- The root file system ---

FSTAB = f"""\
UUID={ROOT_UUID} /    ext4 errors=remount-ro 0 1
UUID={SWAP_UUID} none swap sw                0 0
"""


def grub_cfg(kernel_version, arguments):
    return f"""\
set default=0
set timeout=1
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
insmod part_msdos
insmod part_gpt
insmod ext2
search --no-floppy --fs-uuid --set=root {ROOT_UUID}
menuentry 'Debian GNU/Linux' {{
\techo 'Loading Linux {kernel_version} ...'
\tlinux /boot/vmlinuz-{kernel_version} root=UUID={ROOT_UUID} ro {arguments}
\techo 'Loading initial ramdisk ...'
\tinitrd /boot/initrd.img-{kernel_version}
}}
menuentry 'Debian GNU/Linux (recovery mode)' {{
\tlinux /boot/vmlinuz-{kernel_version} root=UUID={ROOT_UUID} ro single {arguments}
\tinitrd /boot/initrd.img-{kernel_version}
}}
"""


def bootstrap(tree, options):
    packages = [KERNELS[options.kernel], *PACKAGES, *(desktop.PACKAGES if options.desktop else WITHOUT_DESKTOP),
                *(COMPILER if options.compiler else [])]
    say(f"installing Debian with {', '.join(packages)} (some minutes)")
    # Before any package is unpacked: what the initramfs is to hold.
    config = tree.parent / "initramfs-driver-policy"
    config.write_text(f"MODULES={options.initramfs}\n")
    modules = tree.parent / "initramfs-modules"
    modules.write_text("".join(f"{name}\n" for name in MODULES))
    run("mmdebstrap", "--mode=root", "--variant=important", f"--include={','.join(packages)}",
        "--setup-hook=mkdir -p \"$1\"/etc/initramfs-tools/conf.d",
        f"--setup-hook=cp {config} \"$1\"/etc/initramfs-tools/conf.d/driver-policy",
        *([f"--setup-hook=cp {modules} \"$1\"/etc/initramfs-tools/modules"] if options.initramfs == "list" else []),
        "--dpkgopt=force-confold", "--aptopt=Acquire::Languages \"none\"", options.suite, tree)


def kernel_version_of(tree):
    images = sorted((tree / "boot").glob("vmlinuz-*"))
    if len(images) != 1:
        fail(f"the root file system holds {len(images)} kernels instead of one")
    return images[0].name.removeprefix("vmlinuz-")


def configure(tree, options):
    version = kernel_version_of(tree)
    (tree / "etc/fstab").write_text(FSTAB)
    (tree / "etc/hostname").write_text("debian\n")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 debian\n")
    # Not the first boot: systemd would make an identity at random and set everything up.
    (tree / "etc/machine-id").write_text(hashlib.md5(b"reprise").hexdigest() + "\n")
    password = run("openssl", "passwd", "-6", "-salt", PASSWORD_SALT.split("$")[2], "reprise").strip()
    run("chroot", tree, "usermod", "-p", password, "root")
    grub = tree / "boot/grub"
    for platform in ("i386-pc", "x86_64-efi"):
        shutil.copytree(tree / "usr/lib/grub" / platform, grub / platform, ignore=shutil.ignore_patterns("monolithic", "*.img"))
    if options.desktop:
        desktop.configure(tree)
        (grub / "fonts").mkdir(exist_ok=True)
        shutil.copy(tree / "usr/share/grub/unicode.pf2", grub / "fonts/unicode.pf2")
        fonts = sorted(font.name for font in (tree / desktop.THEME[1:]).glob("*.pf2"))
        (grub / "grub.cfg").write_text(desktop.grub_cfg(version, ROOT_UUID, options.append, fonts))
    else:
        (grub / "grub.cfg").write_text(grub_cfg(version, options.append))
    run("chroot", tree, "grub-mkimage", "-O", "i386-pc", "-o", "/boot/grub/i386-pc/core.img", "-p", "(,msdos1)/boot/grub",
        "biosdisk", "part_msdos", "ext2")
    shutil.copy(tree / "usr/lib/grub/i386-pc/boot.img", grub / "i386-pc/boot.img")
    versions = run("chroot", tree, "dpkg-query", "-W", "-f", "${Package} ${Version}\n")
    for log in [*(tree / "var/log").rglob("*"), *(tree / "var/cache/ldconfig").glob("*")]:
        if log.is_file():
            log.unlink()
    clamp_times(tree)
    return version, versions


def clamp_times(tree):
    for path in [tree, *tree.rglob("*")]:
        if path.lstat().st_mtime > EPOCH:
            os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


# --- The image ---

class Image:
    """A sparse file that is put together from parts."""

    def __init__(self, path, size_bytes):
        self.path = path
        path.unlink(missing_ok=True)
        with open(path, "wb") as file:
            file.truncate(size_bytes)

    def partition(self, script):
        run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", self.path, input=script)

    def write(self, offset, data):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def place(self, offset, part):
        """Copies the file `part` to `offset`, leaving its holes out."""
        run("dd", f"if={part}", f"of={self.path}", "bs=1M", f"seek={offset // MIB}", "conv=notrunc,sparse", "status=none")


def make_root(tree, path, size_bytes):
    Image(path, size_bytes)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-U", ROOT_UUID, "-L", "root", "-E", f"hash_seed={ROOT_UUID}", "-d", tree, path)


def make_swap(path, size_bytes):
    Image(path, size_bytes)
    run("mkswap", "-q", "-U", SWAP_UUID, path)


def make_esp(tree, path, size_bytes):
    Image(path, size_bytes)
    run("mkfs.fat", "-F", "32", "-i", ESP_SERIAL, "-n", "ESP", "--invariant", path)
    stub = path.with_suffix(".cfg")
    stub.write_text(f"search.fs_uuid {ROOT_UUID} root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n")
    for folder in ("EFI", "EFI/BOOT", "EFI/debian"):
        run("mmd", "-i", path, f"::{folder}")
    run("mcopy", "-i", path, tree / "usr/lib/grub/x86_64-efi/monolithic/grubx64.efi", "::EFI/BOOT/BOOTX64.EFI")
    run("mcopy", "-i", path, stub, "::EFI/debian/grub.cfg")
    stub.unlink()


def assemble_bios(tree, work, image, options):
    root_mib, swap_mib = options.root_mib, options.swap_mib
    make_root(tree, work / "root", root_mib * MIB)
    make_swap(work / "swap", swap_mib * MIB)
    disk = Image(image, (1 + root_mib + swap_mib) * MIB)
    boot = bytearray((tree / "boot/grub/i386-pc/boot.img").read_bytes())
    core = (tree / "boot/grub/i386-pc/core.img").read_bytes()
    if len(boot) != SECTOR or len(core) > (FIRST_PARTITION - 1) * SECTOR:
        fail("GRUB's boot.img or core.img has an unexpected size")
    # A hard disk: its number is what the BIOS says (boot.S, GRUB_BOOT_MACHINE_DRIVE_CHECK).
    boot[0x66:0x68] = b"\x90\x90"
    disk.write(0, bytes(boot))
    disk.write(SECTOR, core)
    disk.partition(f"label: dos\nlabel-id: 0x52455052\n"
                   f"start={FIRST_PARTITION}, size={root_mib * 2048}, type=83, bootable\n"
                   f"start={FIRST_PARTITION + root_mib * 2048}, size={swap_mib * 2048}, type=82\n")
    disk.place(MIB, work / "root")
    disk.place((1 + root_mib) * MIB, work / "swap")


def assemble_efi(tree, work, image, options):
    root_mib, swap_mib, esp_mib = options.root_mib, options.swap_mib, 64
    make_root(tree, work / "root", root_mib * MIB)
    make_swap(work / "swap", swap_mib * MIB)
    make_esp(tree, work / "esp", esp_mib * MIB)
    disk = Image(image, (1 + esp_mib + root_mib + swap_mib + 1) * MIB)
    root_start = FIRST_PARTITION + esp_mib * 2048
    swap_start = root_start + root_mib * 2048
    disk.partition("label: gpt\nlabel-id: 52455052-0000-4000-8000-000000000000\n"
                   f"start={FIRST_PARTITION}, size={esp_mib * 2048}, type=uefi, uuid=52455052-0000-4000-8000-000000000001\n"
                   f"start={root_start}, size={root_mib * 2048}, type=linux, uuid=52455052-0000-4000-8000-000000000002\n"
                   f"start={swap_start}, size={swap_mib * 2048}, type=swap, uuid=52455052-0000-4000-8000-000000000003\n")
    disk.place(MIB, work / "esp")
    disk.place(root_start * SECTOR, work / "root")
    disk.place(swap_start * SECTOR, work / "swap")


ASSEMBLE = {"bios": assemble_bios, "efi": assemble_efi}


def stamp_of(options):
    choice = [options.kernel, options.initramfs, options.compiler, options.suite, options.append, options.root_mib, options.swap_mib,
              options.desktop]
    sources = [__file__, desktop.__file__] if options.desktop else [__file__]
    return hashlib.sha256(repr(choice).encode() + b"".join(pathlib.Path(file).read_bytes() for file in sources)).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="build/disks", help="output folder (default: build/disks)")
    parser.add_argument("--name", default="debian", help="images are called NAME-bios.img and NAME-efi.img (default: debian)")
    parser.add_argument("--firmware", choices=[*ASSEMBLE, "both"], default="both")
    parser.add_argument("--kernel", choices=KERNELS, default="generic",
                        help="generic: linux-image-amd64 (default); cloud: linux-image-cloud-amd64")
    parser.add_argument("--initramfs", choices=["most", "list"], default="most",
                        help="most: as Debian installs it (default); list: only what the emulated disks need")
    parser.add_argument("--compiler", action="store_true", help="with gcc and make")
    parser.add_argument("--desktop", action="store_true", help="with X, a window manager and GRUB's graphical menu")
    parser.add_argument("--suite", default="bookworm")
    parser.add_argument("--append", default="console=tty0 console=ttyS0,115200", help="the kernel's arguments")
    parser.add_argument("--root-mib", type=int, default=2048)
    parser.add_argument("--swap-mib", type=int, default=256)
    parser.add_argument("--refresh", action="store_true", help="build again even if nothing changed")
    options = parser.parse_args()

    out = pathlib.Path(options.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    firmwares = list(ASSEMBLE) if options.firmware == "both" else [options.firmware]
    images = {firmware: out / f"{options.name}-{firmware}.img" for firmware in firmwares}
    stamps = {firmware: path.with_suffix(".stamp") for firmware, path in images.items()}
    wanted = stamp_of(options)
    if not options.refresh and all(images[f].exists() and stamps[f].exists() and stamps[f].read_text() == wanted for f in firmwares):
        return
    check_tools()
    for stamp in stamps.values():
        stamp.unlink(missing_ok=True)

    work = out / f"work-{options.name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    tree = work / "tree"
    bootstrap(tree, options)
    version, packages = configure(tree, options)
    (out / f"{options.name}-packages.txt").write_text(packages)
    for firmware in firmwares:
        say(f"putting {images[firmware].name} together")
        ASSEMBLE[firmware](tree, work, images[firmware], options)
        stamps[firmware].write_text(wanted)
    shutil.rmtree(work)
    say(f"{', '.join(str(path) for path in images.values())}: ready (Linux {version})")


if __name__ == "__main__":
    main()
