#!/usr/bin/env python3
"""Runs the same on two builds for different hosts, the first under an emulator of its host, and compares.

    same_on_hosts.py --build build/aarch64 --peer build/release --emulator "qemu-aarch64-static;-L;..." WHAT

    instructions        digests of the hardware oracle's cases, for each row of the instruction table
    image FILE          chain of state hashes, report and console of a guest image
    linux --guests DIR  the same of a boot of Linux as far as its first program
    replay --guests DIR a recording of a typed session by the peer, replayed by the build
    states --guests DIR a state in the middle of a boot that either has saved: how both go on from it
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "boot"))
from monitor import Client  # noqa: E402

FACTS = ("exit_reason", "exit_code", "instructions", "virtual_ns", "state_hash")


class Failure(Exception):
    """The builds differ; the message says in what."""


class Build:
    def __init__(self, name, folder, emulator):
        self.name, self.folder, self.emulator = name, pathlib.Path(folder), emulator

    def command(self, program, *arguments):
        return [str(word) for word in [*self.emulator, self.folder / program, *arguments]]

    def run(self, program, *arguments, typed=None):
        done = subprocess.run(self.command(program, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=800,
                              **({"stdin": subprocess.DEVNULL} if typed is None else {"input": typed}))
        return done.returncode, done.stdout.decode(errors="replace")


def expect(condition, message):
    if not condition:
        raise Failure(message)


def compare_lists(what, builds, first, second):
    for index, (one, other) in enumerate(zip(first, second)):
        expect(one == other, f"{what} {index} differs: {builds[0].name} '{one}', {builds[1].name} '{other}'")
    expect(len(first) == len(second), f"{len(first)} and {len(second)} of {what}")


def compare_instructions(builds, _options):
    lines = []
    for build in builds:
        code, text = build.run("tests/native/instruction_digest")
        expect(code == 0, f"{build.name}: exit code {code}: {text[-500:]}")
        lines.append(text.splitlines())
    expect(len(lines[0]) > 500, f"digests of only {len(lines[0])} rows")
    compare_lists("row", builds, *lines)
    return f"{len(lines[0])} rows agree"


def observe(build, arguments, seed):
    with tempfile.TemporaryDirectory() as folder:
        console, report = pathlib.Path(folder, "console"), pathlib.Path(folder, "report")
        code, text = build.run("reprise", "run", *arguments, "--engine", "interp", *seed, "--serial", f"file:{console}",
                               "--json", report, "--wall-timeout", "700")
        expect(report.exists(), f"{build.name}: no report, exit code {code}: {text[-500:]}")
        facts = json.loads(report.read_text())
        expect(facts["exit_code"] == code, f"{build.name}: exit code {code}, but the report says {facts['exit_code']}")
        chain = re.findall(r"^state \d+ [0-9a-f]{16}$", text, re.MULTILINE)
        return chain, {key: facts[key] for key in FACTS}, console.read_text(errors="replace")


def compare_runs(builds, arguments, least_hashes, end, seed=("--seed", "7")):
    one, other = (observe(build, arguments, seed) for build in builds)
    for build, (_chain, facts, _console) in zip(builds, (one, other)):
        expect(facts["exit_reason"] == end, f"{build.name}: ended with {facts['exit_reason']} instead of {end}")
    expect(len(one[0]) >= least_hashes, f"only {len(one[0])} hashes")
    compare_lists("hash", builds, one[0], other[0])
    expect(one[1] == other[1], f"the reports differ: {one[1]} and {other[1]}")
    compare_lists("console line", builds, one[2].splitlines(), other[2].splitlines())
    return f"{len(one[0])} hashes agree; {one[1]}"


def compare_images(builds, options):
    return compare_runs(builds, ["--kernel", options.image, "--memory", "128M", "--debug-exit", "0xf4", "--hash-every", "1000000",
                                 "--timeout", "60"], 0, "debug-exit")


def compare_linux(builds, options):
    return compare_runs(builds, ["--kernel", options.guests / "vmlinuz", "--initrd", options.guests / "initramfs.img", "--memory", "1G",
                                 "--append", "console=ttyS0 reprise.exec=/bin/true", "--hash-every", "20000000",
                                 "--timeout", "600"], 20, "poweroff")


def linux_words(options):
    return ["--kernel", options.guests / "vmlinuz", "--initrd", options.guests / "initramfs.img", "--memory", "256M"]


def compare_replays(builds, options):
    build, peer = builds
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        recording = folder / "session.rec"
        code, text = peer.run("reprise", "run", *linux_words(options), "--append", "console=ttyS0 quiet", "--record", recording, "--json",
                              folder / "recorded", typed=b"echo typed $((6 * 7)); head -c 100000 /dev/urandom | sha256sum\npoweroff -f\n")
        expect(code == 0 and "typed 42" in text, f"{peer.name}: exit code {code}: {text[-500:]}")
        code, text = build.run("reprise", "replay", recording, "--serial", f"file:{folder / 'again'}", "--json", folder / "replayed")
        expect(code == 0, f"{build.name}: the replay ends with {code}: {text[-500:]}")
        recorded, replayed = ({key: json.loads((folder / name).read_text())[key] for key in FACTS} for name in ("recorded", "replayed"))
        expect(recorded == replayed, f"the reports differ: {recorded} and {replayed}")
        expect("typed 42" in (folder / "again").read_text(errors="replace"), f"{build.name}: the guest said something else")
        return f"the replay agrees; {replayed}"


def save_state(build, options, folder):
    """A state from the middle of a boot."""
    path, state = folder / "monitor", folder / f"{build.name}.state"
    guest = subprocess.Popen(build.command("reprise", "run", *linux_words(options), "--append", "console=ttyS0 quiet", "--serial", "null",
                                           "--engine", "interp", "--monitor", f"unix:{path}"), stdin=subprocess.DEVNULL)
    try:
        client = Client(path, 120)
        while client.ask("status")["instructions"] < 100_000_000:
            time.sleep(0.05)
        client.ask("stop")
        client.ask("save", file=str(state))
        retired = client.ask("status")["instructions"]
        client.ask("quit")
        client.close()
        guest.wait(60)
    finally:
        guest.kill()
        guest.wait()
        path.unlink(missing_ok=True)
    return state, retired


def compare_states(builds, options):
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for saver in builds:
            state, retired = save_state(saver, options, pathlib.Path(folder))
            results.append(f"saved by {saver.name}: " + compare_runs(
                builds, ["--load", state, "--stop-at", str(retired + 100_000_000), "--hash-every", "5000000", "--timeout", "600"], 20,
                "stop-at", seed=[]))
    return "\n".join(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--emulator", default="")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("instructions").set_defaults(test=compare_instructions)
    image = commands.add_parser("image")
    image.add_argument("image")
    image.set_defaults(test=compare_images)
    for name, test in (("linux", compare_linux), ("replay", compare_replays), ("states", compare_states)):
        command = commands.add_parser(name)
        command.add_argument("--guests", type=pathlib.Path, default=pathlib.Path("build/guests"))
        command.set_defaults(test=test)
    options = parser.parse_args()

    builds = Build("this build", options.build, [word for word in options.emulator.split(";") if word]), Build("peer", options.peer, [])
    try:
        print(options.test(builds, options))
    except Failure as failure:
        print(f"FAIL: {failure}")
        sys.exit(1)


if __name__ == "__main__":
    main()
