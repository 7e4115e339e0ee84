#!/usr/bin/env python3
"""How long `last-write` takes after a boot of Debian's disk to `login:`, for random words: some that were written within the last
second of the guest, some anywhere. Wall time and processor time of each; prints medians and the worst.

The answers are checked: the word holds what was last written to it."""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "boot"))
from monitor import Client  # noqa: E402

SECOND_NS = 1_000_000_000
CHUNK = 65536


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(client, pages):
    return {page: bytes.fromhex(client.ask("memory", address=hex(page << 12), bytes=4096, space="phys")["bytes"]) for page in pages}


def wait(client):
    while client.ask("status")["state"] != "stopped":
        time.sleep(0.02)


def go_to_a_second_before(client, now):
    """Goes to an instant that lies just within the last second of the guest before `now`."""
    earlier = max((one for one in client.ask("info checkpoints")["checkpoints"] if one["virtual_ns"] <= now["virtual_ns"] - SECOND_NS),
                  key=lambda one: one["virtual_ns"])
    low, high = (int(one["position"].lstrip("@").split(".")[0]) for one in (earlier, now))
    while high - low > 10_000:
        middle = (low + high) // 2
        client.ask("run", position=f"@{middle}")
        wait(client)
        if client.ask("when")["virtual_ns"] < now["virtual_ns"] - SECOND_NS:
            low = middle
        else:
            high = middle
    client.ask("run", position=f"@{high}")
    wait(client)


def words_of(client, ram_bytes, count):
    """(written within the last second, anywhere): physical addresses of words."""
    random.seed(11)
    pages = range(0x100, ram_bytes // 4096)
    now = client.ask("when")
    after = memory(client, pages)
    go_to_a_second_before(client, now)
    before = memory(client, pages)
    client.ask("run", position=now["position"])
    wait(client)
    changed = [(page << 12) + at for page in pages for at in range(0, 4096, 8) if before[page][at:at + 8] != after[page][at:at + 8]]
    used = [(page << 12) + at for page in pages for at in range(0, 4096, 8) if any(after[page][at:at + 8])]
    return random.sample(changed, min(count, len(changed))), random.sample(used, count)


def measure(client, pid, words):
    results = []
    for phys in words:
        began, used = time.monotonic(), processor_seconds(pid)
        answer = client.ask("last-write", address=hex(phys), space="phys")
        results.append({"phys": hex(phys), "wall_s": time.monotonic() - began, "processor_s": processor_seconds(pid) - used,
                        "by": answer["by"], "virtual_ns": answer.get("virtual_ns"), "position": answer.get("position")})
        if answer["found"]:
            held = memory(client, [phys >> 12])[phys >> 12][phys % 4096:phys % 4096 + 8]
            if int.from_bytes(held, "little") != int(answer["new"], 16):
                sys.exit(f"{answer} and now {held.hex()}")
    return results


def show(name, results):
    if not results:
        return print(f"{name}: none")
    walls = [one["wall_s"] for one in results]
    used = [one["processor_s"] for one in results]
    print(f"{name}: {len(results)} words; wall median {statistics.median(walls):.2f} s, worst {max(walls):.2f} s; "
          f"processor median {statistics.median(used):.2f} s, worst {max(used):.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reprise", default="build/release/reprise")
    parser.add_argument("--disks", default="build/disks", type=pathlib.Path)
    parser.add_argument("--memory", type=int, default=256, help="of the guest, in MiB")
    parser.add_argument("--words", type=int, default=25, help="of each kind")
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        console, path = pathlib.Path(folder, "console"), pathlib.Path(folder, "socket")
        guest = subprocess.Popen(
            [options.reprise, "run", options.disks / "debian-bios.img", "--memory", f"{options.memory}M", "--serial", f"file:{console}",
             "--monitor", f"unix:{path}", "--checkpoints", "on", "--clock", "free", "--jobs", options.jobs], stdin=subprocess.DEVNULL)
        try:
            client = Client(path, 600)
            while not console.exists() or b"login: " not in console.read_bytes():
                time.sleep(0.05)
            client.ask("stop")
            now = client.ask("when")
            print(f"login at {now['position']}, {now['virtual_ns'] / 1e9:.1f} s of the guest's; processor time so far "
                  f"{processor_seconds(guest.pid):.1f} s; {len(client.ask('info checkpoints')['checkpoints'])} checkpoints")
            state = client.ask("info hash")["state_hash"]
            lately, anywhere = words_of(client, options.memory << 20, options.words)
            results = measure(client, guest.pid, lately + anywhere)
            if client.ask("info hash")["state_hash"] != state or client.ask("when")["position"] != now["position"]:
                sys.exit("the run is elsewhere")
            recent = [one for one in results if (one["virtual_ns"] or 0) >= now["virtual_ns"] - SECOND_NS]
            show("written within the last second of the guest", recent)
            show("written earlier, or never", [one for one in results if one not in recent])
            if options.json:
                options.json.write_text(json.dumps({"now": now, "words": results}, indent=1))
            client.close()
        finally:
            guest.kill()
            guest.wait()


if __name__ == "__main__":
    main()
