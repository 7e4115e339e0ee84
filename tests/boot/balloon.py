#!/usr/bin/env python3
"""Stock Linux gives memory back to a balloon, as a client of QMP asks it to, and takes it again. The recording of it is the same run on
each engine."""

import pathlib
import tempfile

import runner
from qmp_guest import QmpGuest

SCRIPT = r"""#!/bin/sh
load-drivers
say() { echo "balloon: $*"; }
kilobytes() { sed -n 's/MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo; }
all=$(kilobytes)
say begun
until [ $(kilobytes) -le $((all - 212 * 1024)) ]; do usleep 10000; done
say given $((all - $(kilobytes)))
until [ $(kilobytes) = $all ]; do usleep 10000; done
say taken
"""
MIB = 1 << 20


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.add_drivers(options, folder)
        runner.add_program(options, "balloon", SCRIPT)
        with QmpGuest(options, folder, "balloon", "-no-reboot", "-device", "virtio-balloon-pci") as guest:
            guest.said("begun")
            runner.expect(guest.qmp.ask("query-balloon")["actual"] == 512 * MIB, "it has not all of it")
            guest.qmp.ask("balloon", value=300 * MIB)
            guest.said("given")
            runner.expect(guest.qmp.ask("query-balloon")["actual"] == 300 * MIB, "it has other than was asked for")
            guest.qmp.ask("balloon", value=512 * MIB)
            text = guest.ended()
        runner.expect(f"balloon: given {212 * 1024}\n" in text and "balloon: taken" in text, text[-800:])
        guest.expect_same_again()


runner.main(test, __doc__)
