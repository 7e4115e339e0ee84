#!/usr/bin/env python3
"""A kernel that panics with a crash kernel loaded: the crash kernel runs, sees the memory of the first, and powers off. Then
what the other choices of --on-panic do with a panic that has none."""

import pathlib
import tempfile

import kexec_guest
import runner

FIRST = """#!/bin/sh
kexec /kexec/vmlinuz /kexec/initrd "console=ttyS0 reprise.exec=/bin/second irqpoll nr_cpus=1 reset_devices" crash || exit 1
echo c >/proc/sysrq-trigger
"""
SECOND = """#!/bin/sh
echo "crash kernel: core of $(wc -c </proc/vmcore) bytes"
"""


def test(options):
    plain = options.initrd
    with tempfile.TemporaryDirectory() as folder:
        options.initrd = kexec_guest.initramfs(options, pathlib.Path(folder), FIRST, SECOND)
        run = runner.boot(options, "crashkernel=192M reprise.exec=/bin/first")
    runner.expect("Kernel panic - not syncing: sysrq triggered crash" in run.console, "the first kernel did not panic")
    runner.expect("crash kernel: core of " in run.console, f"the crash kernel did not run: {run.console[-500:]}")
    runner.expect(run.report["exit_reason"] == "poweroff" and run.exit_code == 0, f"{run.report['exit_reason']}")

    options.initrd = plain
    panic = "root=/dev/none rdinit=/none init=/none"
    run = runner.boot(options, panic)
    runner.expect(run.exit_code == 10, f"a panic without a crash kernel: {run.exit_code}")
    end_ns = run.report["virtual_ns"]
    run = runner.boot(options, panic, ["--on-panic", "continue", "--timeout", "20"])
    runner.expect(run.exit_code == 12, f"--on-panic continue: {run.exit_code}")
    run = runner.boot(options, panic, ["--on-panic", "wait"])
    runner.expect(run.exit_code == 10, f"--on-panic wait, and nobody who could look: {run.exit_code}")
    runner.expect(run.report["virtual_ns"] == end_ns, "it ended at another time")


runner.main(test, __doc__)
