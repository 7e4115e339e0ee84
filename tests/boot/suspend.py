#!/usr/bin/env python3
"""A stock kernel, started directly, sleeps: to RAM (ACPI S3), from which its waking vector brings it back, and to idle. The
RTC's alarm ends both. The run is the same each time, and in its time the sleeps take what they should."""

import json
import pathlib
import subprocess
import tempfile

import runner

SCRIPT = """for mode in mem freeze mem; do
before=$(date +%s)
echo +20 >/sys/class/rtc/rtc0/wakealarm
echo $mode >/sys/power/state
echo "slept $mode $(($(date +%s) - before)) $(cat /sys/power/suspend_stats/success)"
done
exit
"""


def run(options, folder):
    report = pathlib.Path(folder, "report.json")
    command = [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--engine",
               options.engine, "--timeout", "120", "--wall-timeout", "600", "--json", report, "--append", "console=ttyS0 quiet"]
    done = subprocess.run([str(word) for word in command], input=SCRIPT.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=660)
    output = done.stdout.decode(errors="replace").replace("\r", "")
    runner.expect(done.returncode == 0, f"exit code {done.returncode}: {output[-600:]}")
    for number, mode in enumerate(("mem", "freeze", "mem"), 1):
        lines = [line.split() for line in output.splitlines() if line.startswith(f"slept {mode} ") and line.endswith(f" {number}")]
        runner.expect(len(lines) == 1 and 19 <= int(lines[0][2]) <= 21, f"sleep {number} ({mode}): {lines}; {output[-600:]}")
    return json.loads(report.read_text())


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        first, again = (run(options, folder) for _ in range(2))
    for key in ("instructions", "virtual_ns", "state_hash"):
        runner.expect(first[key] == again[key], f"{key} differs: {first[key]} and {again[key]}")


runner.main(test, __doc__)
