#!/usr/bin/env python3
"""A kernel that panics with a crash kernel loaded: the crash kernel runs, sees the memory of the first, and powers off. Then
what the other choices of --on-panic do with a panic that has none."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guests"))
import build_guests  # noqa: E402
import runner  # noqa: E402

# kexec_file_load(2), the flag KEXEC_FILE_ON_CRASH.
LOADER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char** argv) {
  int kernel = open(argv[1], O_RDONLY), initrd = open(argv[2], O_RDONLY);
  if (argc < 4 || syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[3]) + 1, argv[3], 2UL) == 0) return 0;
  perror("kexec_file_load");
  return 1;
}
"""
FIRST = """#!/bin/sh
crash_load /crash/vmlinuz /crash/initrd "console=ttyS0 reprise.exec=/bin/second irqpoll nr_cpus=1 reset_devices" || exit 1
echo c >/proc/sysrq-trigger
"""
SECOND = """#!/bin/sh
echo "crash kernel: core of $(wc -c </proc/vmcore) bytes"
"""


def initramfs(options, folder):
    source, loader = folder / "loader.c", folder / "crash_load"
    source.write_text(LOADER)
    subprocess.run(["cc", "-static", "-O1", "-o", loader, source], check=True)
    base = pathlib.Path(options.initrd).read_bytes()
    second = build_guests.Cpio()
    second.add("bin/second", 0o100755, SECOND.encode())
    first = build_guests.Cpio()
    first.file("bin/crash_load", loader)
    first.add("bin/first", 0o100755, FIRST.encode())
    first.folder("crash")
    first.file("crash/vmlinuz", pathlib.Path(options.kernel))
    first.add("crash/initrd", 0o100644, base + second.bytes())
    path = folder / "initramfs.img"
    path.write_bytes(base + first.bytes())
    return path


def test(options):
    if shutil.which("cc") is None:
        print("SKIP: there is no C compiler")
        sys.exit(77)
    plain = options.initrd
    with tempfile.TemporaryDirectory() as folder:
        options.initrd = initramfs(options, pathlib.Path(folder))
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
