#!/usr/bin/env python3
"""Kernels that are started directly find what firmware would have left, and those of old boot protocols start through it."""

import pathlib
import subprocess
import sys
import tempfile

import runner

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "guests"))
import build_guests  # noqa: E402  (for its cpio writer)

# What only a kernel finds that was told of it by firmware's tables and registers.
LOOK = b"""#!/bin/sh
load-drivers
for disk in vda sda; do [ -b /dev/$disk ] && echo "look: first bytes $(head -c 8 /dev/$disk)"; done
echo "look: $(cat /sys/class/dmi/id/sys_vendor) $(cat /sys/class/dmi/id/product_name)"
grep -q ' [1-9][0-9]* .*ttyS0' /proc/interrupts && echo "look: console interrupts yes"
"""


def run(options, words, folder, timeout=30):
    console = folder / "console"
    console.unlink(missing_ok=True)
    command = [options.reprise, "run", "--serial", f"file:{console}", "--engine", options.engine, "--timeout", str(timeout),
               "--wall-timeout", "400", *words]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=460)
    return done.returncode, console.read_text(errors="replace") if console.exists() else "", done.stdout.decode()


def assemble(source, path, *defines):
    runner.assemble(HERE / source, path, *defines)


def old_protocols(options, folder):
    """Every layout of real-mode part, kernel and command line; with and without an initrd."""
    kernel, initrd = folder / "kernel", folder / "initrd"
    initrd.write_bytes(b"initrd\0".ljust(16, b"\0"))
    for version, high in ((0x200, 0), (0x201, 1), (0x202, 0), (0x203, 1)):
        assemble("real_mode_kernel.asm", kernel, f"-DVERSION={version}", f"-DHIGH={high}")
        words = ["--kernel", kernel, "--append", "some words", "--memory", "32M"]
        for extra, said in (([], ""), (["--initrd", initrd], " : initrd")):
            code, console, messages = run(options, words + extra, folder)
            want = f"kernel: some words : protected-mode part{said} : done"
            runner.expect(code == 0 and want in console,
                          f"protocol {version:x}, high={high}, {extra}: code {code}, {messages}{console[-300:]}")


def services(options, folder):
    """A Multiboot kernel goes back to real mode and asks the BIOS."""
    kernel = folder / "kernel"
    for magic, defines in (("2badb002", ()), ("36d76289", ("-DMULTIBOOT2",))):
        assemble("bios_services_kernel.asm", kernel, *defines)
        code, console, messages = run(options, ["--kernel", kernel, "--memory", "64M"], folder)
        want = [f"magic {magic}", "selectors 0008 0010", "base 027f", "equipment 0426", "extended fc00", "entries 0007",
                "ticks run", "vector 21 returns", "reset"]
        lines = [line for line in console.replace("\r", "").split("\n") if line]
        runner.expect(lines == want and "reset" in messages, f"code {code}: {messages}{lines}")


def disks_without_acpi(options, folder):
    """Linux finds its disk by whatever it may still read."""
    image = folder / "disk"
    image.write_bytes(b"R" * 1048576)
    initrd = folder / "initrd"
    guests = pathlib.Path(options.guests)
    look = build_guests.Cpio()
    look.add("bin/look", 0o100755, LOOK)
    initrd.write_bytes((guests / "initramfs.img").read_bytes() + (guests / "drivers.img").read_bytes() + look.bytes())
    for append in ("acpi=off noapic nolapic", "acpi=off", "acpi=noirq"):
        for bus in ("virtio", "ide"):
            code, console, messages = run(options, [
                "--kernel", options.kernel, "--initrd", initrd, "--memory", "512M", "--disk", f"{image},format=raw,bus={bus}",
                "--append", f"console=ttyS0 {append} reprise.exec=/bin/look"], folder, 60)
            for want in ("look: first bytes RRRRRRRR", "look: Reprise Reprise PC",
                         "look: console interrupts yes"):
                runner.expect(want in console, f"{append}, {bus}: {want!r} is missing; code {code}, {messages}{console[-600:]}")


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        old_protocols(options, folder)
        services(options, folder)
        disks_without_acpi(options, folder)


if __name__ == "__main__":
    runner.main(test, __doc__)
