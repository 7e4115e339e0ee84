#!/usr/bin/env python3
"""A stock Debian disk with several processors, under schedules that look for races: it comes to its login, all processors
work, and nothing in its log tells of a stall, a lockup or a clock that cannot be trusted."""

import pathlib
import re
import sys

import debian_shell
import runner
import session

# Until the login it is 5 to 15 thousand million instructions.
LENGTH = 10_000_000_000
COMPLAINTS = re.compile(r"detected (expedited )?stall|self-detected|kthread starved|soft lockup|hard LOCKUP|blocked for more than|"
                        r"hogged CPU|as unstable|[Ss]kew|RT throttling|BUG:|WARNING: CPU|Oops|did not report alive|"
                        r"failed to (start|come online)|not responding")


def boot(options, seed):
    def body(terminal):
        shell = debian_shell.DebianShell(terminal)
        console = shell.log_in()
        text = shell.command("nproc")
        runner.expect(text.split() == [str(options.cpus)], f"seed {seed}: nproc says {text!r}")
        # All of them at work at once, and each wants what the others have.
        text = shell.command("for i in 1 2 3 4 5 6 7 8; do seq 1 30000 | sort -r | sort -n | sha256sum | cut -c1-16 & done; wait")
        sums = set(re.findall(r"^[0-9a-f]{16}$", text, re.MULTILINE))
        runner.expect(len(sums) == 1, f"seed {seed}: eight times the same work gives {text!r}")
        log = shell.command("dmesg")
        for line in (console + log).splitlines():
            runner.expect(not COMPLAINTS.search(line), f"seed {seed}: {line}")
        runner.expect(f"Brought up 1 node, {options.cpus} CPUs" in log, f"seed {seed}: not all processors came up: {log}")
        terminal.write(b"poweroff\r")
        code = terminal.wait_for_end(300)
        runner.expect(code == 0, f"seed {seed}: exit code {code}")

    image = pathlib.Path(options.disks, "debian-bios.img")
    session.run(options, ["--disk", image, "--memory", "512M", "--cpus", str(options.cpus), "--schedule",
                          f"pct:{options.depth},{LENGTH}", "--sched-seed", str(seed), "--wall-timeout", "900"], body)


def test(options):
    if not pathlib.Path(options.disks, "debian-bios.img").exists():
        print(f"SKIP: there is no debian-bios.img in '{options.disks}': tests/guests/build_disk.py makes it")
        sys.exit(77)
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        boot(options, seed)
        print(f"seed {seed}: nothing to complain of", flush=True)


def add_arguments(parser):
    parser.add_argument("--disks", default="build/disks", help="folder with debian-bios.img")
    parser.add_argument("--cpus", type=int, default=4)
    parser.add_argument("--depth", type=int, default=3, help="of the schedule")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)


runner.main(test, __doc__, add_arguments)
