#!/usr/bin/env python3
"""Firmware boots from the network, by the option ROMs of ipxe-qemu: a small program by TFTP on SeaBIOS, twice, and in the
boot order that is asked for. With --installer Debian's installer as it is made for networks, on SeaBIOS (pxelinux, both cards)
and OVMF (GRUB), up to its first question."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import runner

PROGRAM = pathlib.Path(__file__).with_name("network_boot.asm")
APPEND = "console=ttyS0 DEBIAN_FRONTEND=text"
PXELINUX = f"""DEFAULT install
LABEL install
  KERNEL debian-installer/amd64/linux
  INITRD debian-installer/amd64/initrd.gz
  APPEND {APPEND}
"""
GRUB = f"""linux /debian-installer/amd64/linux {APPEND}
initrd /debian-installer/amd64/initrd.gz
boot
"""
FOUND_NOTHING = 15  # docs/command.md


def run(options, words, seconds, expected):
    """Exit code `expected` after at most `seconds` of the guest's time. The serial output and the report."""
    with tempfile.TemporaryDirectory() as folder:
        console, report = pathlib.Path(folder, "console"), pathlib.Path(folder, "report.json")
        command = [options.reprise, "run", *words, "--engine", options.engine, "--serial", f"file:{console}", "--timeout",
                   seconds, "--wall-timeout", 1500, "--json", report]
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=1600)
        text = console.read_text(errors="replace") if console.exists() else ""
        runner.expect(done.returncode == expected,
                      f"{words}: exit code {done.returncode}: {done.stdout.decode(errors='replace')}\n{text[-1500:]}")
        return text, json.loads(report.read_text())


def expect_all(text, *wanted):
    for words in wanted:
        runner.expect(words in text, f"the guest does not say '{words}': ...{text[-1500:]}")


def offered(tftp, name):
    return f"user,restrict=yes,tftp={tftp},bootfile={name}"


def small_program(options, folder):
    """Before a disk, when that is asked for; twice."""
    words = ["--boot", "network", "--disk", f"{folder / 'disk'},format=raw", "--net", offered(folder, "program"), "--memory",
             "64M", "--hash-every", "100000000"]
    (text, first), (_, second) = (run(options, words, 30, 0) for _ in range(2))
    expect_all(text, "using virtio-net on", "Filename: program", "hello from the network", "to its end")
    runner.expect("Booting from Hard Disk" not in text, "the disk was tried before the network")
    runner.expect(first["network"]["sockets"] == "closed", f"{first['network']}")
    for key in "hashes", "state_hash":
        runner.expect(first[key] == second[key], f"two boots from the network differ in {key}")
    runner.expect(any("ipxe" in str(file) for file in first["files"]), f"no ROM among {first['files']}")


def only_when_asked(options, folder):
    """A disk that does not boot is the end, unless the network was named behind it or there is no disk."""
    disk = ["--disk", f"{folder / 'disk'},format=raw"]
    words = ["--device", "e1000", "--net", offered(folder, "program"), "--memory", "64M"]
    text, _ = run(options, [*words, *disk], 30, FOUND_NOTHING)
    expect_all(text, "Booting from Hard Disk")
    runner.expect("iPXE initialising devices" not in text, "the network was tried")
    text, _ = run(options, [*words, *disk, "--boot", "disk,network"], 30, 0)
    expect_all(text, "Booting from Hard Disk", "using 82540em on", "hello from the network")
    text, _ = run(options, [*words[:1], "e1000,romfile=", *words[2:], "--bios", "seabios"], 30, FOUND_NOTHING)
    runner.expect("iPXE" not in text, "a card without a ROM has one")


def installer(options, folder):
    media = pathlib.Path(options.media, "installer")
    if not (media / "grubx64.efi").exists():
        print(f"SKIP: '{media}' is missing: tests/guests/build_media.py makes it")
        sys.exit(77)
    files = folder / "debian-installer/amd64"
    for path in files / "grub", folder / "pxelinux.cfg":
        path.mkdir(parents=True)
    for name in "linux", "initrd.gz", "grubx64.efi":
        shutil.copyfile(media / name, files / name)
    for name in "pxelinux.0", "ldlinux.c32":
        shutil.copyfile(media / name, folder / name)
    (folder / "pxelinux.cfg/default").write_text(PXELINUX)
    (files / "grub/grub.cfg").write_text(GRUB)
    for words, name, loader in ([["--device", "virtio-net"], "pxelinux.0", "PXELINUX"],
                                [["--device", "e1000"], "pxelinux.0", "PXELINUX"],
                                [["--bios", "ovmf"], "debian-installer/amd64/grubx64.efi", "Welcome to GRUB"]):
        text, report = run(options, ["--boot", "network", "--net", offered(folder, name), "--memory", "1G", *words], 60, 12)
        expect_all(text, loader, "Select a language", "English")
        runner.expect(report["network"]["sockets"] == "closed", f"{report['network']}")


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if options.installer:
            installer(options, folder)
        else:
            (folder / "disk").write_bytes(bytes(1 << 20))
            runner.assemble(PROGRAM, folder / "program")
            small_program(options, folder)
            only_when_asked(options, folder)


def add_arguments(parser):
    parser.add_argument("--installer", action="store_true", help="Debian's installer instead of a small program")
    parser.add_argument("--media", default="build/media", help="folder made by tests/guests/build_media.py")


runner.main(test, __doc__, add_arguments)
