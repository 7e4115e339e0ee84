#!/usr/bin/env python3
"""A stock Debian disk with 2, 4 and 16 processors, by itself from power-on to power-off, with work on all of them and user-mode
Linux beside it: each run twice, the same to the last instruction; the beginning on the interpreter and in lockstep, too."""

import json
import pathlib
import subprocess
import sys
import tempfile

import debian_shell
import runner
import session

WORK = r"""#!/bin/bash
export HOME=/root
say() { while read -r line; do echo "$line" >/dev/kmsg; done; }  # the serial port is hung up when its login starts
echo "processors $(nproc)" | say
for cpu in $(seq 0 $(($(nproc) - 1))); do
  (taskset -c $cpu sh -c 'seq 1 20000 | sort -r | sort -n | sha256sum | cut -c1-16' >/root/sum$cpu) &
done
printf '#!/bin/sh\necho "uml $NUMBER says $(uname -m)"\nmount -t proc proc /proc\necho o >/proc/sysrq-trigger\nsleep 60\n' >/root/uml-init
chmod +x /root/uml-init
for n in 1 2 3; do
  linux.uml rootfstype=hostfs rootflags=/ rw init=/root/uml-init NUMBER=$n mem=48M con=null con0=fd:0,fd:1 </dev/null >/root/uml$n.log 2>&1 &
done
wait
echo "sums $(cat /root/sum* | sort -u | wc -l) of $(cat /root/sum* | wc -l)" | say
grep -ha "^uml . says" /root/uml?.log | sort | say
dmesg | grep -E '[Ss]tall|lockup|nstable|skew|hung|WARNING:|BUG:|Oops' && echo complaints | say
poweroff
"""
SERVICE = r"""[Unit]
After=multi-user.target
[Service]
ExecStart=/root/work
[Install]
WantedBy=multi-user.target
"""


def prepare(options, image, overlay):
    """The overlay has a service that does the work after each start."""
    def body(terminal):
        shell = debian_shell.DebianShell(terminal)
        shell.log_in()
        for path, text in (("/root/work", WORK), ("/etc/systemd/system/work.service", SERVICE)):
            shell.write_script(path, text)
        shell.command("systemctl enable work.service; sync")
        terminal.write(b"poweroff\r")
        runner.expect(terminal.wait_for_end(300) == 0, "the disk could not be prepared")

    session.run(options, ["--disk", f"{image},overlay={overlay}", "--memory", "512M", "--cpus", "2"], body)


def run(options, overlay, folder, cpus, engine, more=()):
    console, report = folder / "console", folder / "report.json"
    command = [options.reprise, "run", "--disk", overlay, "--memory", "512M", "--cpus", cpus, "--engine", engine, "--serial",
               f"file:{console}", "--json", report, "--hash-every", "500000000", "--timeout", "600", "--wall-timeout", "3000", *more]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return done.returncode, console.read_text(errors="replace").replace("\r", ""), json.loads(report.read_text())


def check_one(options, overlay, folder, cpus):
    code, console, report = run(options, overlay, folder, cpus, "jit")
    runner.expect(code == 0 and report["exit_reason"] == "poweroff", f"{cpus}: {code} {report['message']}: {console[-800:]}")
    for text in (f"processors {cpus}\n", f"sums 1 of {cpus}\n", *(f"uml {n} says x86_64" for n in (1, 2, 3))):
        runner.expect(text in console, f"{cpus}: '{text.strip()}' is missing: {console[console.find('processors ' + cpus):][:1500]}")
    runner.expect("complaints" not in console, f"{cpus}: {console[-2000:]}")
    code, _, again = run(options, overlay, folder, cpus, "jit")
    for key in ("instructions", "virtual_ns", "state_hash", "hashes"):
        runner.expect(again[key] == report[key], f"{cpus}: another run has other {key}: {again[key]} {report[key]}")
    for engine, end in (("interp", 4), ("lockstep", 2)):
        _, _, part = run(options, overlay, folder, cpus, engine, ["--stop-at", end * 500_000_000])
        runner.expect(part["hashes"] == report["hashes"][:end], f"{cpus}: {engine} is another run: {part['message']}")
    print(f"{cpus} processors: {report['instructions']} instructions, {len(report['hashes'])} hashes", flush=True)


def test(options):
    image = pathlib.Path(options.disks, "debian-bios.img")
    if not image.exists():
        print(f"SKIP: there is no {image}: tests/guests/build_disk.py makes it")
        sys.exit(77)
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        overlay = pathlib.Path(folder, "work.qcow2")
        prepare(options, image.resolve(), overlay)
        for cpus in options.cpus.split(","):
            check_one(options, overlay, pathlib.Path(folder), cpus)


def add_arguments(parser):
    parser.add_argument("--disks", default="build/disks", help="folder with debian-bios.img")
    parser.add_argument("--scratch", default=".", help="folder for the overlay")
    parser.add_argument("--cpus", default="2,4,16", help="numbers of processors (default: %(default)s)")


runner.main(test, __doc__, add_arguments)
