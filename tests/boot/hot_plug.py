#!/usr/bin/env python3
"""Stock Linux, whose ACPI drivers see disks and network cards come and go while it runs, by QMP and by a person's lines, as tools
ask QEMU for them: what is on a disk is read and written, a card gets an address. The recording of it is the same run on each engine."""

import hashlib
import pathlib
import tempfile

import runner
from qmp_guest import QmpGuest

SCRIPT = r"""#!/bin/sh
load-drivers
say() { echo "hot-plug: $*"; }
until_there() { while [ ! -e "$1" ]; do usleep 10000; done; }
until_gone() { while [ -e "$1" ]; do usleep 10000; done; }
say slots $(ls /sys/bus/pci/slots | wc -l)
for round in 1 2; do
  until_there /sys/block/vda
  dev=$(basename $(dirname $(readlink -f /sys/block/vda/device)))
  say disk $round at $dev serial $(cat /sys/block/vda/serial) sha256 $(sha256sum </dev/vda | cut -c1-16)
  echo "round $round" | dd of=/dev/vda bs=512 seek=8 conv=notrunc,fsync 2>/dev/null
  say written $round
  until_gone /sys/block/vda
  say gone $round
done
until_there /sys/class/net/eth0
say card $(cat /sys/class/net/eth0/address) $(basename $(readlink /sys/class/net/eth0/device/driver))
ip link set eth0 up
udhcpc -q -n -i eth0 >/dev/null 2>&1 && say address
until_gone /sys/class/net/eth0
# The kernel has no driver for this one.
card=/sys/bus/pci/devices/0000:00:0a.0
until_there $card/device
say card $(cat $card/vendor $card/device)
until_gone $card
# Drives on a virtio-scsi.
until_there /sys/block/sda
say unit $(basename $(readlink /sys/block/sda/device) | cut -d: -f2-) sha256 $(sha256sum </dev/sda | cut -c1-16)
echo "by scsi" | dd of=/dev/sda bs=512 seek=8 conv=notrunc,fsync 2>/dev/null
say unit written
until_gone /sys/block/sda
until_there /sys/block/sr0
say unit $(basename $(readlink /sys/block/sr0/device) | cut -d: -f2-) sha256 $(head -c 4096 /dev/sr0 | sha256sum | cut -c1-16)
until_gone /sys/block/sr0
say end
"""


def work_scsi(guest, disk):
    # As libvirt does.
    qmp = guest.qmp
    qmp.ask("blockdev-add", driver="raw", file={"driver": "file", "filename": str(disk)}, **{"node-name": "s"})
    qmp.ask("device_add", driver="scsi-hd", bus="scsi0.0", channel=0, lun=2, drive="s", id="scsi0-0-1-2", device_id="drive-scsi0-0-1-2",
            **{"scsi-id": 1, "write-cache": "on"})
    guest.said("unit written")
    qmp.ask("device_del", id="scsi0-0-1-2")
    qmp.deleted("scsi0-0-1-2")
    qmp.ask("blockdev-del", **{"node-name": "s"})
    qmp.person(f"drive_add 0 file={disk},if=none,id=disc,media=cdrom")
    qmp.person("device_add scsi-cd,drive=disc,id=cd,bus=scsi0.0")
    guest.said("unit 0:0:0 ")
    qmp.person("device_del cd")
    qmp.deleted("cd")


def work_cards(guest, disk):
    """What is on the disk afterwards."""
    qmp, base = guest.qmp, disk.read_bytes()
    guest.said("slots")
    # A card of the beginning.
    qmp.ask("device_del", id="first")
    qmp.deleted("first")
    # As libvirt does.
    qmp.ask("blockdev-add", driver="file", filename=str(disk), **{"node-name": "f"})
    qmp.ask("blockdev-add", driver="raw", file="f", **{"node-name": "d"})
    qmp.ask("device_add", driver="virtio-blk-pci", drive="d", id="disk", serial="ONE", bus="pci.0", addr="0x9")
    guest.said("written 1")
    runner.expect(qmp.raw("blockdev-del", **{"node-name": "d"})["error"]["desc"] == "Node 'd' is in use.", "a node in use")
    qmp.ask("device_del", id="disk")
    qmp.deleted("disk")
    runner.expect(qmp.raw("device_del", id="disk")["error"]["class"] == "DeviceNotFound", "it is not there")
    qmp.ask("blockdev-del", **{"node-name": "d"})
    guest.said("gone 1")
    written = disk.read_bytes()
    runner.expect(written[4096:4104] == b"round 1\n" and written[8192:] == base[8192:], "the disk was not written")

    # As autopkgtest does.
    def add_base():
        qmp.person(f"drive_add 0 file={disk},if=none,readonly=on,serial=BASEIMAGE,id=drive-base,format=raw")
        qmp.person("device_add virtio-blk-pci,drive=drive-base,id=base")

    add_base()
    guest.said("written 2")
    qmp.person("device_del base")
    qmp.deleted("base")
    guest.said("gone 2")
    add_base()
    runner.expect(disk.read_bytes() == written, "a disk that is only read was written")
    qmp.ask("netdev_add", type="user", id="n1")
    qmp.ask("device_add", driver="virtio-net-pci", netdev="n1", id="net", mac="52:54:00:aa:bb:cc")
    guest.said("address")
    qmp.ask("device_del", id="net")
    qmp.deleted("net")
    qmp.ask("netdev_del", id="n1")
    qmp.ask("device_add", driver="e1000", id="e", addr="0xa")
    guest.said("card 0x8086 0x100e")
    qmp.ask("device_del", id="e")
    qmp.deleted("e")
    qmp.person("device_del base")
    qmp.deleted("base")
    return written


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.add_drivers(options, folder)
        runner.add_program(options, "hot-plug", SCRIPT)
        disk = folder / "disk.img"
        disk.write_bytes(b"".join(b"%15d\n" % i for i in range(65536)))
        base = disk.read_bytes()
        with QmpGuest(options, folder, "hot-plug", "-no-reboot", "-netdev", "user,id=n0", "-device",
                      "virtio-net-pci,netdev=n0,id=first,addr=3", "-device", "virtio-rng-pci,id=rng", "-device",
                      "virtio-scsi-pci,id=scsi0") as guest:
            written = work_cards(guest, disk)
            work_scsi(guest, disk)
            text = guest.ended()
        by_scsi = written[:4096] + b"by scsi\n" + written[4104:]
        runner.expect(disk.read_bytes() == by_scsi, "the disk was not written by SCSI")
        sums = [hashlib.sha256(content).hexdigest()[:16] for content in (base, written, by_scsi[:4096])]
        for wanted in (f"disk 1 at 0000:00:09.0 serial ONE sha256 {sums[0]}", f"serial BASEIMAGE sha256 {sums[1]}",
                       "card 52:54:00:aa:bb:cc virtio_net", f"unit 0:1:2 sha256 {sums[1]}", f"unit 0:0:0 sha256 {sums[2]}", "end"):
            runner.expect(wanted in text, f"'{wanted}' is not there: {text[-1500:]}")
        guest.expect_same_again()


runner.main(test, __doc__)
