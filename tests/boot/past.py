#!/usr/bin/env python3
"""Questions about the past of a booting kernel with two processors: what they answer is there (the word held the old value before the
instant that is named, and the new one behind it, and nothing changes it from there on), the run that was asked is where it was, and a
recording of the run gives the same answers. Disks that firmware reads from are named."""

import json
import pathlib
import random
import subprocess
import tempfile

import runner
import time_travel

END = 500_000_000


def value(guest, phys):
    return int.from_bytes(bytes.fromhex(guest.ask("memory", address=hex(phys), bytes=8, space="phys")["bytes"]), "little")


def words_of(guest, count):
    """Physical addresses of words that hold something: of the kernel's data and stacks, of tables, of pages here and there."""
    linear = [guest.ask("print", expression=name)["value"] for name in ("rsp", "gs_base")]
    walk = guest.ask("info pagewalk", address="rip")
    found = [int(step["address"], 16) for step in walk["steps"]][:1]
    random.seed(5)
    for address in linear:
        walked = guest.ask("info pagewalk", address=address)
        if "phys" in walked:
            found.append(int(walked["phys"], 16) & ~7)
    while len(found) < count:
        page = random.randrange(0x100, 0x1fe00)
        content = bytes.fromhex(guest.ask("memory", address=hex(page << 12), bytes=4096, space="phys")["bytes"])
        places = [at for at in range(0, 4096, 8) if any(content[at:at + 8])]
        if places:
            found.append((page << 12) + random.choice(places))
    return found[:count]


def kernel(options, folder):
    guest = time_travel.Traveller(options, folder, "past", "--checkpoints", "on", "--cpus", "2", "--record", folder / "recording")
    answers = {}
    try:
        here = guest.go("run", position=f"@{END}")
        printed = guest.console.read_bytes()
        kinds = set()
        for phys in words_of(guest, options.words):
            line = f"last-write {phys:#x} phys"
            answer = guest.ask("last-write", address=hex(phys), space="phys")
            first = guest.ask("first-write", address=hex(phys), space="phys")
            runner.expect(guest.where() == here, f"{line} moved the run from {here} to {guest.where()}")
            answers[line] = answer
            kinds.add(answer["by"])
            runner.expect(answer["found"] == first["found"], f"{line}: {answer} and {first}")
            if not answer["found"]:
                runner.expect(answer["by"] in ("loader", "nobody"), f"{answer}")
                continue
            at = time_travel.retired(answer["position"])
            runner.expect(time_travel.retired(first["position"]) <= at, f"{line}: {answer} and {first}")
            now = value(guest, phys)
            runner.expect(int(answer["new"], 16) == now, f"{line}: {answer}, and now {now:#x}")
            for one in (first, answer):
                guest.go("run", position=one["position"])
                runner.expect(value(guest, phys) == int(one["old"], 16), f"{line}: {one}, and before {value(guest, phys):#x}")
                guest.go("step", count=1)
                runner.expect(value(guest, phys) == int(one["new"], 16), f"{line}: {one}, and behind {value(guest, phys):#x}")
            # Behind it there is none, before it another one or none.
            other = guest.ask("last-write", address=hex(phys), space="phys", before=answer["position"])
            runner.expect(not other["found"] or time_travel.retired(other["position"]) < at, f"{line}: {other} before {answer}")
            runner.expect(guest.go("run", position=f"@{END}") == here, "it is elsewhere")
        runner.expect("processor" in kinds, f"nobody but {kinds} wrote")
        rip = guest.ask("print", expression="rip")["value"]
        executed = guest.ask("last-exec", address=rip)
        line = f"last-exec {rip}"
        answers[line] = executed
        if executed["found"]:
            guest.go("run", position=executed["position"])
            runner.expect(guest.ask("print", expression="rip", cpu=executed["cpu"])["value"] == rip, f"{executed}")
            guest.go("run", position=f"@{END}")
        runner.expect(guest.console.read_bytes() == printed, "it was printed again")
        runner.expect(guest.where() == here, "it is elsewhere")
        guest.ask("quit")
        guest.guest.wait(60)
    finally:
        guest.close()
    asked = subprocess.run([options.reprise, "ask", folder / "recording", "--to", str(END), "--json", *answers], capture_output=True,
                           text=True, stdin=subprocess.DEVNULL, timeout=600)
    runner.expect(asked.returncode == 0, f"exit code {asked.returncode}: {asked.stderr}")
    lines = [json.loads(line) for line in asked.stdout.splitlines()]
    runner.expect({line["question"]: line["return"] for line in lines} == answers,
                  f"the recording says {asked.stdout} and the run {answers}")


def disks(options, folder):
    """The boot sector is where the drive put it; it counts in memory."""
    # again: inc dword [0x7e00]; mov ax, [0x7e00]; jmp again
    sector = bytes([0x66, 0xff, 0x06, 0x00, 0x7e, 0xa1, 0x00, 0x7e, 0xeb, 0xf6]).ljust(510, b"\0") + b"\x55\xaa"
    image = folder / "disk"
    image.write_bytes(sector.ljust(1 << 20, b"\0"))
    for bus, name in ("virtio", "virtio-blk"), ("ahci", "ahci"):
        recording = folder / bus
        subprocess.run([options.reprise, "run", "--disk", f"{image},bus={bus},format=raw", "--engine", options.engine, "--memory", "64M",
                        "--serial", "null", "--stop-at", "120000000", "--record", recording],
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
        asked = subprocess.run([options.reprise, "ask", recording, "--json", "last-write 0x7c00,512 phys", "last-write 0x7e00,4 phys",
                                "bisect u32[0x7e00]==1000", "when u32[0x7e00]==1000", "last-exec 0x7c00 before @110000000"],
                               capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        runner.expect(asked.returncode == 0, f"exit code {asked.returncode}: {asked.stderr}")
        loaded, counted, first, last, executed = [json.loads(line)["return"] for line in asked.stdout.splitlines()]
        runner.expect(loaded["by"] == "device" and name in loaded["device"], f"{bus}: {loaded}")
        taken_up = time_travel.retired(loaded["position"]) - time_travel.retired(loaded["requested"])
        runner.expect(0 < taken_up < 10_000_000, f"{bus}: {loaded}")
        runner.expect(counted["by"] == "processor" and counted["rip"] == "0x7c00", f"{bus}: {counted}")
        runner.expect(first["position"] == last["position"] and int(first["write"]["new"], 16) == 1000, f"{first} and {last}")
        runner.expect(executed["rip"] == "0x7c00" and 0 < 110000000 - time_travel.retired(executed["position"]) < 10, f"{executed}")


def test(options):
    for part in kernel, disks:
        with tempfile.TemporaryDirectory() as folder:
            part(options, pathlib.Path(folder))


if __name__ == "__main__":
    runner.main(test, __doc__, lambda parser: parser.add_argument("--words", type=int, default=2))
