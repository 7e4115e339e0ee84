#!/usr/bin/env python3
"""Debian's kernel with four processors in two sockets: all come up, keep the TSC as clock, work, go offline and come back,
answer an NMI, and start a second kernel (kexec); a panic while all are busy ends the run. The whole run is the same on every engine."""

import pathlib
import tempfile

import kexec_guest
import runner

LOOK = """#!/bin/sh
cpus=/sys/devices/system/cpu
echo "nproc $(nproc)"
echo "packages $(cat $cpus/cpu*/topology/physical_package_id | tr '\\n' ' ')"
echo "cores $(cat $cpus/cpu*/topology/core_cpus_list | tr '\\n' ' ')"
echo "bogomips $(awk '/bogomips/ { print ($3 > 1900 && $3 < 2150) ? "right" : $3 }' /proc/cpuinfo | sort | uniq -c | xargs)"
echo "clock $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
"""
FIRST = LOOK + """
if grep -q crash /proc/cmdline; then
  for cpu in 0 1 2 3; do (while :; do :; done) & done
  echo c >/proc/sysrq-trigger
fi
for cpu in 0 1 2 3; do (taskset -c $cpu sh -c 'seq 1 20000 | sha256sum' | cut -c1-16) & done >/sums
wait
echo "sums $(sort -u /sums | wc -l) of $(wc -l </sums)"
for round in 1 2 3; do
  for cpu in 1 2 3; do echo 0 >$cpus/cpu$cpu/online || echo "cannot go offline"; done
  echo "online $(cat $cpus/online)"
  for cpu in 3 1 2; do echo 1 >$cpus/cpu$cpu/online || echo "cannot come back"; done
done
echo "online $(cat $cpus/online)"
echo l >/proc/sysrq-trigger
echo "backtraces $(dmesg | grep -c 'NMI backtrace for cpu')"
dmesg | grep -E '[Ss]tall|lockup|[Uu]nstable|skew|hung|WARNING:|BUG:|Oops|good estimate' && echo "complaints"
kexec /kexec/vmlinuz /kexec/initrd "console=ttyS0 reprise.exec=/bin/second"
"""
SECOND = LOOK + """
echo "second kernel"
"""


def check_console(console):
    topology = ["nproc 4", "packages 0 0 1 1", "cores 0 1 2 3", "bogomips 4 right", "clock tsc"]
    wanted = topology + ["sums 1 of 4", "online 0\n", "online 0-3", "backtraces 4", *topology, "second kernel"]
    at = 0
    for text in wanted:
        found = console.find(text, at)
        runner.expect(found >= 0, f"'{text}' is missing behind '{console[max(0, at - 60):at]}': {console[-1500:]}")
        at = found
    for text in ("cannot", "complaints"):
        runner.expect(text not in console, f"'{text}': {console[-3000:]}")


def test(options):
    machine = ["--cpus", "4,sockets=2", "--hash-every", "1000000000"]
    with tempfile.TemporaryDirectory() as folder:
        options.initrd = kexec_guest.initramfs(options, pathlib.Path(folder), FIRST, SECOND)
        whole = runner.boot(options, "reprise.exec=/bin/first", machine)
        runner.expect(whole.exit_code == 0 and whole.report["exit_reason"] == "poweroff", f"{whole.report} {whole.messages}")
        check_console(whole.console.replace("\r", ""))

        crash = runner.boot(options, "reprise.exec=/bin/first crash", machine)
        runner.expect(crash.exit_code == 10, f"a panic while others run programs: {crash.exit_code}, {crash.messages}")

        options.engine = "interp"
        part = runner.boot(options, "reprise.exec=/bin/first", machine + ["--stop-at", "3000000000"])
        runner.expect(part.report["hashes"] == whole.report["hashes"][:3], "the interpreter's run is another one")
        options.engine = "jit"
        other = runner.boot(options, "reprise.exec=/bin/first", machine + ["--sched-seed", "2", "--stop-at", "2000000000"])
        runner.expect(other.report["hashes"][1] != whole.report["hashes"][1], "another schedule is the same run")


runner.main(test, __doc__)
