#!/usr/bin/env python3
"""Stock Linux on a q35 with PCI Express ports, as libvirt asks QEMU for them, started directly and by SeaBIOS: it finds what is in the ports,
and disks and network cards come to ports and go by its own driver of hot plug. The recording of it is the same run on each engine."""

import hashlib
import pathlib
import tempfile

import runner
from qmp_guest import QmpGuest

SCRIPT = r"""#!/bin/sh
load-drivers
say() { echo "ports: $*"; }
until_there() { while [ ! -e "$1" ]; do usleep 10000; done; }
until_gone() { while [ -e "$1" ]; do usleep 10000; done; }
for device in /sys/bus/pci/devices/*; do
  say function ${device##*/} $(cat $device/vendor) $(cat $device/device) $(basename $(readlink $device/driver || echo none))
done
say random $(cat /sys/class/misc/hw_random/rng_available)
say slots $(ls /sys/bus/pci/slots)
for round in 1 2; do
  until_there /sys/block/vda
  say disk $round at $(basename $(dirname $(readlink -f /sys/block/vda/device))) sha256 $(sha256sum </dev/vda | cut -c1-16)
  echo "round $round" | dd of=/dev/vda bs=512 seek=8 conv=notrunc,fsync 2>/dev/null
  say written $round
  until_gone /sys/block/vda
  say gone $round
done
until_there /sys/class/net/eth1
say card $(cat /sys/class/net/eth1/address) at $(basename $(dirname $(readlink -f /sys/class/net/eth1/device)))
ip link set eth1 up
udhcpc -q -n -i eth1 >/dev/null 2>&1 && say address
until_gone /sys/class/net/eth1
say interrupts $(grep -c pciehp /proc/interrupts)
dmesg | grep -i -e 'firmware bug' -e 'acpi error' -e 'no space' -e "can't assign" | sed 's/^/ports: complaint /'
say end
"""

PORT = "pcie-root-port,port=0x{0:x},chassis={1},id=pci.{1},bus=pcie.0,{2}addr=0x2{3}"


def work(guest, disk):
    qmp = guest.qmp
    guest.said("slots")
    refused = qmp.raw("device_add", driver="e1000", id="e")["error"]["desc"]
    runner.expect(refused == "Bus 'pcie.0' does not support hotplugging.", refused)
    buses = {device["bus"] for bus in qmp.ask("query-pci") for device in bus["devices"]}
    runner.expect(buses == {0, 1, 2}, f"functions are on the buses {buses}")
    for round in 1, 2:
        qmp.ask("blockdev-add", driver="raw", file={"driver": "file", "filename": str(disk)}, **{"node-name": "d"})
        qmp.ask("device_add", driver="virtio-blk-pci", drive="d", id="disk", bus=f"pci.{round + 2}", addr="0x0")
        guest.said(f"written {round}")
        qmp.ask("device_del", id="disk")
        qmp.deleted("disk")
        qmp.ask("blockdev-del", **{"node-name": "d"})
        guest.said(f"gone {round}")
    qmp.ask("netdev_add", type="user", id="n1")
    qmp.ask("device_add", driver="virtio-net-pci", netdev="n1", id="net", mac="52:54:00:aa:bb:cc", bus="pci.3")
    guest.said("address")
    qmp.ask("device_del", id="net")
    qmp.deleted("net")


def boot(options, folder, *words):
    disk = folder / "disk.img"
    disk.write_bytes(b"".join(b"%15d\n" % i for i in range(65536)))
    base = disk.read_bytes()
    cards = ["-netdev", "user,id=n0"]
    for i in range(1, 5):
        function = f".0x{i - 1}" if i > 1 else ""
        cards += ["-device", PORT.format(15 + i, i, "multifunction=on," if i == 1 else "", function)]
    cards += ["-device", "virtio-net-pci,netdev=n0,id=first,bus=pci.1", "-device", "virtio-rng-pci,id=rng,bus=pci.2,addr=0x0"]
    with QmpGuest(options, folder, "ports", "-M", "q35", *words, *cards) as guest:
        work(guest, disk)
        text = guest.ended()
    written = base[:4096] + b"round 1\n" + base[4104:]
    runner.expect(disk.read_bytes() == base[:4096] + b"round 2\n" + base[4104:], "the disk was not written")
    sums = [hashlib.sha256(content).hexdigest()[:16] for content in (base, written)]
    for wanted in ("function 0000:00:02.3 0x1b36 0x000c pcieport", "function 0000:02:00.0 0x1af4 0x1044 virtio-pci", "random virtio_rng",
                   f"disk 1 at 0000:03:00.0 sha256 {sums[0]}", f"disk 2 at 0000:04:00.0 sha256 {sums[1]}",
                   "card 52:54:00:aa:bb:cc at 0000:03:00.0", "end"):
        runner.expect(f"ports: {wanted}" in text, f"'{wanted}' is not there: {text[-2500:]}")
    runner.expect("ports: complaint" not in text, text[text.find("ports: complaint"):][:400])
    runner.expect("ports: interrupts 0" not in text, "the slots have no interrupts")
    return guest


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.add_drivers(options, folder)
        runner.add_program(options, "ports", SCRIPT)
        boot(options, folder)  # by SeaBIOS
        boot(options, folder, "-no-reboot").expect_same_again()


runner.main(test, __doc__)
