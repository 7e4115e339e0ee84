#!/usr/bin/env python3
"""Compares guest workloads on Reprise, QEMU TCG and this machine itself, turn by turn; prints medians, writes JSON.

Every turn boots the guest for one group of workloads; each workload runs between two marker lines on the serial console,
and its time is that between the arrivals of the markers. "boot" is from the start of the emulator to the guest's first
process, for several of Debian's kernels; "disk" is from power-on to `login:` of Debian's disk image (firmware, GRUB, systemd),
whose waiting times Reprise skips and QEMU does not: compare processor time; "uml" is user-mode Linux from its start to its
power-off. The results of the
workloads are compared between all three. For Reprise the guest's time-stamp counter gives the instructions of each
workload: one instruction is one tick (idle time, of which these have next to none, counts as well).
"""

import argparse
import hashlib
import json
import math
import os
import pathlib
import platform
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "guests"))
import build_guests  # noqa: E402
import workloads  # noqa: E402

CONTESTANTS = ["reprise", "before", "qemu", "native"]
DEFAULT_CONTESTANTS = ["reprise", "qemu", "native"]
# Kernels to boot beside the one that the guest images use; a package that apt does not know is left out.
KERNELS = {"boot-generic": "linux-image-amd64", "boot-6.12": "linux-image-6.12-cloud-amd64"}
DISK_BUSES = {"disk-ide": "ide", "disk-virtio": "virtio"}
GROUPS = {"boot": ["boot", *KERNELS], "disk": list(DISK_BUSES), **{group: list(scripts) for group, scripts in workloads.SCRIPTS.items()}}
APPEND = "console=ttyS0 quiet reprise.exec=/bench/guest_bench.sh bench="


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = (options.out / "bench").resolve()
        self.work = self.folder / "work"
        self.native_root = self.folder / "root"

    def set_up(self):
        """Builds what is missing under the output folder."""
        stamp = self.folder / "stamp"
        digest = hashlib.sha256((self.options.guests / "stamp").read_bytes())
        for path in sorted([HERE / "workloads.py", HERE / "guest_bench.sh", *(HERE / "work").iterdir()]):
            digest.update(path.read_bytes())
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return
        stamp.unlink(missing_ok=True)
        for folder in (self.work, self.native_root):
            shutil.rmtree(folder, ignore_errors=True)
        workloads.build_folder(self.work, self.options.guests, self.folder)
        shutil.rmtree(self.folder / "packages")
        initramfs = (self.options.guests / "initramfs.img").read_bytes()
        (self.folder / "bench.img").write_bytes(initramfs + workloads.archive_of(self.work))
        script = build_guests.Cpio()
        script.folder("bench")
        script.file("bench/guest_bench.sh", HERE / "guest_bench.sh")
        (self.folder / "boot.img").write_bytes(initramfs + script.bytes())
        # User-mode Linux runs natively on the files of the guest.
        self.native_root.mkdir()
        with (self.options.guests / "initramfs.img").open("rb") as archive:
            subprocess.run([self.options.guests.resolve() / "busybox", "cpio", "-idm"], stdin=archive, cwd=self.native_root,
                           stderr=subprocess.DEVNULL)
        stamp.write_text(digest.hexdigest())

    def kernel(self, workload):
        """The kernel image of a boot, or None."""
        if workload not in KERNELS:
            return self.options.guests / "vmlinuz"
        image = self.folder / f"vmlinuz-{workload}"
        missing = self.folder / f"missing-{workload}"
        if image.exists() or missing.exists():
            return image if image.exists() else None
        try:
            package, _ = build_guests.fetch(build_guests.resolve_kernel(KERNELS[workload]), self.folder)
            shutil.copyfile(next((package / "boot").glob("vmlinuz-*")), image)
            shutil.rmtree(self.folder / "packages")
        except SystemExit as error:
            print(f"bench: no {workload}: {error}")
            missing.touch()
            return None
        return image

    # --- One turn: {workload: {"s":, "ticks":, "result":}} ---

    def program(self, contestant):
        """The Reprise that a contestant is."""
        return self.options.before if contestant == "before" else self.options.reprise

    def run_reprise(self, contestant, kernel, initramfs, names):
        report = self.folder / "report.json"
        turn = time_markers([self.program(contestant), "run", "--kernel", kernel, "--initrd", initramfs, "--append",
                             APPEND + ",".join(names), "--memory", "1G", "--serial", "stdio", "--engine",
                             self.options.engine, "--json", report, *self.options.reprise_arg], 1800)
        facts = json.loads(report.read_text())
        if "userland" in turn:
            turn["userland"]["ticks"] = None if names else facts["virtual_ns"]
        return turn

    def run_guest(self, contestant, kernel, initramfs, names):
        if contestant == "qemu":
            return self.run_qemu(kernel, initramfs, names)
        return self.run_reprise(contestant, kernel, initramfs, names)

    def run_qemu(self, kernel, initramfs, names):
        return time_markers(["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", "max", "-m", "1G", "-nographic",
                             "-no-reboot", "-kernel", kernel, "-initrd", initramfs, "-append",
                             APPEND + ",".join(names)], 1800)

    def run_disk(self, contestant, bus):
        """Power-on to the login prompt; the image is not written."""
        image = self.options.disks / "debian-bios.img"
        if not image.exists():
            return None
        if contestant != "qemu":
            command = [self.program(contestant), "run", "--disk", f"{image},bus={bus}", "--memory", "256M", "--serial", "stdio",
                       "--engine", self.options.engine, *self.options.reprise_arg]
        else:
            command = ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", "max", "-m", "256M", "-nographic", "-snapshot",
                       "-drive", f"file={image},format=raw,if={bus}"]
        return time_to(b"debian login: ", command, 600)

    def run_native(self, names):
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=memory) as temporary:
            if names == ["uml"]:
                return self.run_native_uml(temporary)
            return time_markers([self.work / "bench_run", self.work, *names], 600, {"TMP": temporary}, native=True)

    def run_native_uml(self, temporary):
        """Not everywhere possible: it needs ptrace and an executable /dev/shm."""
        pathlib.Path(temporary, "command").write_text("echo inside\n")
        command = [self.native_root / "bin/linux.uml", "mem=96M", "rootfstype=hostfs", f"rootflags={self.native_root}", "rw",
                   "init=/uml/init", "con=null", "con0=fd:0,fd:1", f"uml_work={temporary}", "quiet", "loglevel=1"]
        started = time.monotonic()
        try:
            done = subprocess.run(command, env={**os.environ, "TMPDIR": "/dev/shm"}, stdin=subprocess.DEVNULL, timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            return {}
        if b"inside" not in done.stdout:
            return {}
        seconds = time.monotonic() - started
        return {"uml": {"s": seconds, "cpu_s": seconds, "result": "inside"}}

    def turn(self, contestant, group, names):
        """One boot for each workload of the boot group, one for all of another group."""
        found = {}
        if group == "boot":
            for name in names:
                kernel = self.kernel(name)
                if contestant == "native" or kernel is None:
                    continue
                found[name] = self.run_guest(contestant, kernel, self.folder / "boot.img", [])["userland"]
        elif group == "disk":
            for name in names if contestant != "native" else []:
                if (time_taken := self.run_disk(contestant, DISK_BUSES[name])) is not None:
                    found[name] = time_taken
        elif contestant == "native":
            found = self.run_native(names)
        else:
            found = self.run_guest(contestant, self.options.guests / "vmlinuz", self.folder / "bench.img", names)
        missing = [name for name in names if name not in found and group not in ("boot", "disk", "uml")]
        if missing:
            sys.exit(f"bench: {contestant}: no end of {', '.join(missing)}")
        return {name: found[name] for name in names if name in found}


def processor_seconds(process):
    """What all threads of a process have used."""
    nanoseconds = 0
    for thread in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"):
        try:
            nanoseconds += int(thread.read_text().split()[0])
        except (OSError, IndexError):
            pass  # it has just ended
    return nanoseconds / 1e9


def time_to(text, command, timeout):
    """Runs a command until `text` comes on its standard output."""
    started = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    seen = b""
    try:
        while text not in seen:
            ready, _, _ = select.select([process.stdout], [], [], max(0, started + timeout - time.monotonic()))
            more = os.read(process.stdout.fileno(), 65536) if ready else b""
            if not more:
                sys.exit(f"bench: {command[0]} did not come to '{text.decode()}'; it ends:\n" + seen[-800:].decode(errors="replace"))
            seen = seen[-len(text):] + more if len(seen) > 4096 else seen + more
        return {"s": time.monotonic() - started, "cpu_s": processor_seconds(process.pid)}
    finally:
        process.kill()
        process.wait()


def time_markers(command, timeout, environment=None, native=False):
    """Runs a command; returns what the markers on its standard output say."""
    started = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
    found, began, tail = {}, {}, []
    try:
        for raw in process.stdout:
            now, cpu = time.monotonic(), processor_seconds(process.pid)
            line = raw.decode(errors="replace").strip()
            tail = (tail + [line])[-15:]
            words = line[line.find("BENCH "):].split() if "BENCH " in line else [None]
            if words[1:] == ["userland"]:
                found["userland"] = {"s": now - started, "cpu_s": cpu}
            elif words[1:2] == ["start"]:
                began[words[2]] = (now, cpu)
            elif words[1:2] == ["end"]:
                seconds, cpu_seconds = now - began[words[2]][0], cpu - began[words[2]][1]
                ticks, children_us = (int(words[3]), int(words[4])) if words[4:] else (None, None)
                found[words[2]] = {"s": seconds, "cpu_s": children_us / 1e6 if native else cpu_seconds, "ticks": ticks}
            elif words[1:2] == ["result"]:
                found[words[2]]["result"] = " ".join(words[3:])
            if now - started > timeout:
                raise TimeoutError
        process.wait()
    finally:
        process.kill()
        process.wait()
    bad = [name for name, what in found.items() if what.get("result") == "failed"]
    if not found or bad:
        sys.exit(f"bench: {command[0]} (exit code {process.returncode}) failed {' '.join(bad)}; it ends:\n" + "\n".join(tail))
    return found


def choose(only):
    """{group: names} for --only."""
    if not only:
        return GROUPS
    wanted = only.split(",")
    known = {*GROUPS, *(name for names in GROUPS.values() for name in names)}
    if unknown := set(wanted) - known:
        sys.exit(f"bench: --only: unknown {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
    # "boot" is the group and one of its workloads: the group.
    chosen = {group: [name for name in names if group in wanted or name in wanted] for group, names in GROUPS.items()}
    return {group: names for group, names in chosen.items() if names}


def median_of(turns, workload, key):
    values = [turn[workload][key] for turn in turns
              if workload in turn and turn[workload].get("result") != "skipped" and turn[workload].get(key) is not None]
    return statistics.median(values) if values else None


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else None


def summarise(chosen, rounds, clock):
    """Rows of the table: a dictionary for each workload, and one of means for each group."""
    rows = []
    for group, names in chosen.items():
        members = []
        for name in names:
            row = {"workload": name, "group": group}
            for contestant, turns in rounds.items():
                row[f"{contestant}_s"] = median_of(turns, name, clock)
            ours, before, qemu, native = (row.get(f"{contestant}_s") for contestant in CONTESTANTS)
            row["times_before"] = ours / before if ours and before else None
            row["faster_than_qemu"] = qemu / ours if ours and qemu else None
            row["times_native"] = ours / native if ours and native else None
            row["instructions"] = median_of(rounds.get("reprise", []), name, "ticks")
            if ours and row["instructions"]:
                row["ns_per_instruction"] = ours * 1e9 / row["instructions"]
            members.append(row)
        mean = {"workload": f"= {group}", "group": group}
        for key in ("times_before", "faster_than_qemu", "times_native"):
            mean[key] = geometric_mean([row[key] for row in members if row.get(key)])
        rows += members + [mean]
    return rows


def table(rows):
    columns = [("reprise_s", "reprise s", "{:.3f}"), ("before_s", "before s", "{:.3f}"), ("qemu_s", "QEMU s", "{:.3f}"),
               ("native_s", "native s", "{:.3f}"), ("times_before", "x before", "{:.3f}"),
               ("faster_than_qemu", "x faster", "{:.2f}"), ("times_native", "x native", "{:.2f}"),
               ("instructions", "M instr", "{:.0f}"), ("ns_per_instruction", "ns/instr", "{:.2f}")]
    columns = [column for column in columns if any(row.get(column[0]) for row in rows)]
    lines = [f"{'workload':<14}" + "".join(f"{title:>11}" for _, title, _ in columns)]
    for row in rows:
        cells = []
        for key, _, form in columns:
            value = row.get(key)
            cells.append(f"{form.format(value / 1e6 if key == 'instructions' else value) if value else '-':>11}")
        lines.append(f"{row['workload']:<14}" + "".join(cells) + ("\n" if row["workload"].startswith("=") else ""))
    return "\n".join(lines)


def run_rounds(bench, chosen, contestants, count):
    rounds, results = {name: [] for name in contestants}, {}
    for number in range(count):
        turns = {name: {} for name in contestants}
        for group, names in chosen.items():
            for contestant in contestants:
                print(f"bench: round {number + 1} of {count}: {group}: {contestant}", flush=True)
                turns[contestant].update(bench.turn(contestant, group, names))
        for contestant, turn in turns.items():
            rounds[contestant].append(turn)
            for workload, found in turn.items():
                result = found.get("result")
                if result is None or result == "skipped":
                    continue
                if results.setdefault(workload, result) != result:
                    sys.exit(f"bench: {contestant} got another result for {workload}: {result} instead of {results[workload]}")
    return rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAMES", help="comma-separated groups or workloads: " + ", ".join(
        f"{group} ({' '.join(names)})" for group, names in GROUPS.items()))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", default="jit")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall",
                        help="what the table shows; cpu is the steadier one on a busy machine (default: wall)")
    parser.add_argument("--contestants", default=",".join(DEFAULT_CONTESTANTS),
                        help="comma-separated: " + ",".join(CONTESTANTS) + " (default: all but before)")
    parser.add_argument("--reprise", default="build/release/reprise", help="the program to measure")
    parser.add_argument("--before", metavar="PATH", help="an older build of it, for the contestant 'before'")
    parser.add_argument("--reprise-arg", action="append", default=[], metavar="ARG", help="further option for 'reprise run'")
    parser.add_argument("--guests", type=pathlib.Path, default=pathlib.Path("build/guests"))
    parser.add_argument("--disks", type=pathlib.Path, default=pathlib.Path("build/disks"),
                        help="folder with debian-bios.img, which tests/guests/build_disk.py makes; without it its group is left out")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build"), help="folder for bench.json and what it needs")
    options = parser.parse_args()
    contestants = options.contestants.split(",")
    if unknown := set(contestants) - set(CONTESTANTS):
        parser.error(f"--contestants: unknown {', '.join(sorted(unknown))}")
    if ("before" in contestants) != (options.before is not None):
        parser.error("--before PATH and --contestants before,... go together")
    chosen = choose(options.only)

    bench = Bench(options)
    if set(chosen) != {"disk"}:
        bench.set_up()
    started = time.monotonic()
    rounds = run_rounds(bench, chosen, contestants, options.rounds)
    rows = summarise(chosen, rounds, {"wall": "s", "cpu": "cpu_s"}[options.clock])
    print("\n" + table(rows))
    for contestant, turns in rounds.items():
        skipped = sorted(name for name, found in turns[0].items() if found.get("result") == "skipped")
        if skipped:
            print(f"skipped by {contestant}, whose processor lacks the instructions: {', '.join(skipped)} ({len(skipped)})")
    output = options.out / "bench.json"
    output.write_text(json.dumps({"host": platform.processor() or platform.machine(), "engine": options.engine,
                                  "rows": rows, "rounds": rounds}, indent=1) + "\n")
    print(f"{time.monotonic() - started:.0f} s; written to {output}")


if __name__ == "__main__":
    main()
