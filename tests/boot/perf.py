#!/usr/bin/env python3
"""Linux's own users of the performance counters: its PMU driver, the hard-lockup watchdog, and perf (Debian's package linux-perf, as
this host has it; skipped without).

A program of known length must be counted exactly, samples must come exactly at every N-th instruction of it, and two runs must
tell the same numbers."""

import pathlib
import re
import subprocess
import sys
import tempfile

import runner

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guests"))
import build_guests  # noqa: E402

PERF = pathlib.Path("/usr/bin/perf")
TURNS = 20_000_000
INSTRUCTIONS = 1 + 2 * TURNS + 3  # what WORK executes in user mode
PERIOD = 1_000_000

WORK = f"""
.globl _start
_start:
  mov ${TURNS}, %ecx
turn:
  dec %ecx
  jnz turn
  mov $60, %eax
  xor %edi, %edi
  syscall
"""

SCRIPT = f"""#!/bin/sh
exec 2>&1
export LC_ALL=C HOME=/tmp
cd /tmp
dmesg | grep -E "Performance Events|NMI watchdog"
echo 0 >/proc/sys/kernel/kptr_restrict
for n in 1 2; do
  echo "run $n"
  perf stat -x, -e instructions:u,instructions:k,cycles,cycles:u,ref-cycles:u,branches /work 2>&1 | sed "s/^/stat /"
done
perf record -q -c {PERIOD} -e instructions:u -o /tmp/data /work
perf script -i /tmp/data -F ip,event 2>/dev/null | sed "s/^/sample /"
perf report -i /tmp/data --stdio 2>/dev/null | grep -v "^#" | grep . | sed "s/^/report /"
perf record -q -F 1000 -e cycles -a -o /tmp/all -- /work
perf report -i /tmp/all --stdio --sort comm 2>/dev/null | grep "%" | sed "s/^/all /"
grep -E "NMI|PMI" /proc/interrupts
echo "watchdog $(cat /proc/sys/kernel/nmi_watchdog)"
"""


def archive_of_perf(folder):
    """Perf, its libraries, the program and the script."""
    archive = build_guests.Cpio()
    source = folder / "work.s"
    source.write_text(WORK)
    subprocess.run(["gcc", "-nostdlib", "-static", "-o", folder / "work", source], check=True)
    script = folder / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    archive.file("work", folder / "work")
    archive.file("perf-test", script)
    archive.file("bin/perf", PERF)
    listed = subprocess.run(["ldd", PERF], check=True, stdout=subprocess.PIPE, text=True).stdout
    folders = set()
    for library in re.findall(r"(/\S+) \(0x", listed):
        for parent in reversed(pathlib.Path(library).parents[:-1]):
            if parent not in folders:
                archive.folder(str(parent).lstrip("/"))
            folders.add(parent)
        archive.file(library.lstrip("/"), library)
    return archive.bytes()


def stats_in(text):
    """What `perf stat` counted, by event, for each run."""
    runs = []
    for part in re.split(r"^run \d", text, flags=re.MULTILINE)[1:]:
        runs.append({event: value for value, event in re.findall(r"^stat ([^,]*),,([^,]*),", part, re.MULTILINE)})
    return runs


def check(text):
    runner.expect("Performance Events: generic architected perfmon" in text and "Intel PMU driver" in text,
                  "the kernel's PMU driver is not there")
    runner.expect("NMI watchdog: Enabled" in text and "watchdog 1" in text, "the kernel's NMI watchdog is off")
    runs = stats_in(text)
    runner.expect(len(runs) == 2, f"perf stat did not run twice: {runs}")
    for run in runs:
        runner.expect(run.get("instructions:u") == str(INSTRUCTIONS), f"not {INSTRUCTIONS} instructions: {run}")
        runner.expect(run.get("branches") == "<not supported>", f"branches: {run}")
        runner.expect(int(run["cycles:u"]) == int(run["ref-cycles:u"]) >= INSTRUCTIONS, f"cycles: {run}")
        runner.expect(int(run["cycles"]) > int(run["cycles:u"]), f"cycles of both rings: {run}")
    samples = [int(ip, 16) for ip in re.findall(r"^sample +instructions:u: +([0-9a-f]+)", text, re.MULTILINE)]
    runner.expect(len(samples) == INSTRUCTIONS // PERIOD, f"{len(samples)} samples of {INSTRUCTIONS} instructions")
    # Always the same one of the loop's two instructions: no skid.
    runner.expect(len(set(samples)) == 1, f"samples skid: {samples}")
    runner.expect(re.search(r"^report +100.00% +work +work ", text, re.MULTILINE), "perf report does not see the program")
    runner.expect(re.search(r"^all +\d+.\d+% +work", text, re.MULTILINE), "perf record -a does not see the program")


def test(options):
    if not PERF.exists():
        print("SKIP: no linux-perf on this host")
        sys.exit(77)
    texts = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        initrd = folder / "initrd"
        initrd.write_bytes(pathlib.Path(options.initrd).read_bytes() + archive_of_perf(folder))
        options.initrd = initrd
        for _ in range(2):
            result = runner.boot(options, "reprise.exec=/perf-test")
            texts.append(result.console.replace("\r", ""))
            runner.expect(result.exit_code == 0, f"exit code {result.exit_code}: {texts[-1][-2000:]}")
    try:
        check(texts[0])
    except runner.Failure:
        print(texts[0][-6000:])
        raise
    runner.expect(texts[0] == texts[1], "two runs differ")


if __name__ == "__main__":
    runner.main(test, __doc__)
