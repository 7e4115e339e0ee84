#!/usr/bin/env python3
"""Stock Linux on a board with a Q35 and an ICH9, started directly and by SeaBIOS: it uses configuration space in memory, finds its
disk by ACPI, by MP tables and by firmware's interrupt routing, powers off, and is the same run on each engine. (Its AHCI: debian_disk.py.)"""

import pathlib
import tempfile

import runner

LOOK = """#!/bin/sh
load-drivers
echo "look: vda $(head -c 8 /dev/vda)"
for device in /sys/bus/pci/devices/*; do
  echo "look: ${device##*/} $(cat $device/vendor) $(cat $device/device) $(ls -l $device/config | tr -s ' ' | cut -d' ' -f5)"
done
grep -q ' [1-9][0-9]* .*ttyS0' /proc/interrupts && echo "look: console interrupts yes"
dmesg | grep -i -e mmconfig -e 'ecam' -e 'MCFG' | sed 's/^/look: /'
grep -i mmconfig /proc/iomem | sed 's/^/look: /'
dmesg | grep -i -e 'firmware bug' -e 'not reserved' -e 'acpi error' -e 'acpi bios' | sed 's/^/look: complaint /'
"""

HANG = 11  # docs/command.md

FUNCTIONS = ["0000:00:00.0 0x8086 0x29c0", "0000:00:1f.0 0x8086 0x2918", "0000:00:1f.2 0x8086 0x2922",
             "0000:00:1f.3 0x8086 0x2930"]


# The disk behind a bridge, so that its pin's interrupts go through it.
PORTS = ["--device", "pcie-root-port,id=rp0,addr=2,multifunction=yes", "--device", "pcie-root-port,id=rp,addr=2,function=1"]


def boot(options, folder, append, *words, in_port=False):
    image = folder / "disk"
    image.write_bytes(b"R" * 1048576)
    disk = [*PORTS, "--device", f"virtio-blk,file={image},format=raw,bus=rp"] if in_port else ["--disk", f"{image},format=raw,bus=virtio"]
    result = runner.boot(options, f"{append} reprise.exec=/bin/look", ["--machine", "q35", *disk, *words])
    text = result.console.replace("\r", "")
    what = f"{append} {' '.join(str(word) for word in words)}"
    for wanted in (*FUNCTIONS, "vda RRRRRRRR", "console interrupts yes"):
        runner.expect(f"look: {wanted}" in text, f"{what}: '{wanted}' is missing; code {result.exit_code}, {result.messages}{text[-1500:]}")
    runner.expect("look: complaint" not in text, f"{what}: {text[text.find('look: complaint'):][:400]}")
    # Without ACPI there is no way to switch off.
    runner.expect(result.exit_code == (HANG if "acpi=off" in append else 0), f"{what}: exit code {result.exit_code}: {result.messages}")
    return result, text


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.add_drivers(options, folder)
        runner.add_program(options, "look", LOOK)
        first, text = boot(options, folder, "")
        runner.expect("0xb0000000" in text, f"configuration space is not where MCFG says: {text[-1500:]}")
        engine, options.engine = options.engine, "interp"
        second, _ = boot(options, folder, "")
        options.engine = engine
        for key in "state_hash", "instructions", "virtual_ns":
            runner.expect(first.report[key] == second.report[key], f"{key} differs between engines")
        boot(options, folder, "", "--bios", "seabios", "--cpus", "2", "--memory", "4G")
        for append in ("acpi=off noapic nolapic", "acpi=off", "acpi=noirq"):
            boot(options, folder, append)
        boot(options, folder, "acpi=off", "--bios", "seabios")
        for append in ("pci=nomsi", "pci=nomsi acpi=off noapic nolapic"):
            _, text = boot(options, folder, append, in_port=True)
            runner.expect("look: 0000:02:00.0 0x1af4 0x1042" in text, f"{append}: the disk is not in its port: {text[-1500:]}")


runner.main(test, __doc__)
