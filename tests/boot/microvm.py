#!/usr/bin/env python3
"""Stock Linux on a microvm, started directly and by SeaBIOS for microvms: it finds its virtio devices by ACPI, with the legacy interface
and with the modern one, uses them, switches itself off, resets, and is the same run on each engine."""

import pathlib
import tempfile

import runner

LOOK = """#!/bin/sh
load-drivers
word() { sed -n "s/.*look.$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }
echo "look: vda $(head -c 8 /dev/vda)"
echo written | dd of=/dev/vda bs=512 seek=8 conv=fsync 2>/dev/null
echo 3 >/proc/sys/vm/drop_caches
echo "look: again $(dd if=/dev/vda bs=512 skip=8 count=1 2>/dev/null | head -c 7)"
for device in /sys/bus/virtio/devices/*; do
  echo "look: $(basename $(dirname $(readlink -f $device))) id $(cat $device/device) version_1 $(cut -c33 $device/features)"
done
echo "look: processors $(grep -c ^processor /proc/cpuinfo)"
echo "look: pci $(ls /sys/bus/pci/devices 2>/dev/null | wc -l)"
ifconfig eth0 up
udhcpc -i eth0 -n -q -s /bin/net-lease >/dev/null
ping -c 1 10.0.2.2 | grep -q '1 packets received' && echo "look: the network answers"
echo "through hvc0" >/dev/hvc0
echo "look: entropy $(head -c 8 /dev/hwrng | wc -c)"
grep -q ' [1-9][0-9]* .*ttyS0' /proc/interrupts && echo "look: console interrupts yes"
grep virtio /proc/interrupts | sed 's/^/look: /'
dmesg | grep -i -e 'firmware bug' -e 'acpi error' -e 'acpi bios' -e 'unstable' | sed 's/^/look: complaint /'
case $(word end) in
  reset)
    [ "$(dd if=/dev/vda bs=512 skip=16 count=1 2>/dev/null | head -c 5)" = reset ] && exit
    echo reset | dd of=/dev/vda bs=512 seek=16 conv=fsync 2>/dev/null
    reboot -f ;;
  panic) echo c >/proc/sysrq-trigger ;;
esac
"""

PANIC = 10  # docs/command.md
# In the order of our rows, from the last place down.
DEVICES = ["LNRO0005:00 id 0x0002", "LNRO0005:01 id 0x0003", "LNRO0005:02 id 0x0004", "LNRO0005:03 id 0x0001"]


def boot(options, folder, append, *words, code=0, version_1="0", machine="microvm"):
    image, hvc0 = folder / "disk", folder / "hvc0"
    image.write_bytes(b"R" * 1048576)
    result = runner.boot(options, f"{append} reprise.exec=/bin/look",
                         ["--machine", machine, "--disk", f"{image},format=raw", "--console", f"file:{hvc0}", "--device", "virtio-rng",
                          "--device", "virtio-net", "--net", "user", "--rtc", "2025-01-01", *words])
    text = result.console.replace("\r", "")
    what = f"{machine} {append} {' '.join(str(word) for word in words)}"
    wanted = [f"{device} version_1 {version_1}" for device in DEVICES]
    wanted += ["vda RRRRRRRR", "again written", "pci 0", "the network answers", "entropy 8", "console interrupts yes"]
    for line in wanted:
        runner.expect(f"look: {line}" in text, f"{what}: '{line}' is missing; code {result.exit_code}, {result.messages}{text[-2500:]}")
    runner.expect("look: complaint" not in text, f"{what}: {text[text.find('look: complaint'):][:400]}")
    runner.expect("through hvc0" in hvc0.read_text(), f"{what}: hvc0 got {hvc0.read_text()!r}")
    runner.expect(result.exit_code == code, f"{what}: exit code {result.exit_code}: {result.messages}")
    return result, text


def same_on_engines(options, folder):
    first, _ = boot(options, folder, "")
    engine, options.engine = options.engine, "interp"
    second, _ = boot(options, folder, "")
    options.engine = engine
    for key in "state_hash", "instructions", "virtual_ns":
        runner.expect(first.report[key] == second.report[key], f"{key} differs between engines")
    options.engine = "lockstep"
    begun = runner.boot(options, "", ["--machine", "microvm", "--device", "virtio-rng", "--stop-at", "100000000"])
    options.engine = engine
    runner.expect(begun.exit_code == 0, f"in lockstep: code {begun.exit_code}: {begun.messages}")


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.add_drivers(options, folder)
        runner.add_program(options, "look", LOOK)
        same_on_engines(options, folder)
        _, text = boot(options, folder, "", "--cpus", "4", machine="microvm,force-legacy=off,pic=off,pit=off,rtc=off,ioapic2=off",
                       version_1="1")
        runner.expect("look: processors 4" in text, text[-800:])
        boot(options, folder, "look.end=panic", code=PANIC)
        _, text = boot(options, folder, "look.end=reset reboot=acpi", "--bios", "seabios", "--memory", "4G")
        runner.expect(text.count("look: vda RRRRRRRR") == 2, f"it did not start again: {text[-800:]}")


runner.main(test, __doc__)
