#!/usr/bin/env python3
"""Linux with a CD-ROM drive on IDE and one on AHCI: discs are taken out and put in by the monitor, and the guest reads what
is there; a mounted disc is held until force is used; what cannot be changed is refused and nothing is lost.

Needs --guests to name what tests/guests/build_storage_guest.py makes.
"""

import hashlib
import json
import pathlib
import re
import tempfile

import monitor
import runner
import session

PROMPT = b"guest:"
BLOCK = 2048


def disc(path, label, blocks):
    """An ISO 9660 image with an empty root folder."""
    def both(value, size):
        return value.to_bytes(size, "little") + value.to_bytes(size, "big")
    root = bytes([34, 0]) + both(20, 4) + both(BLOCK, 4) + bytes(7) + bytes([2, 0, 0]) + both(1, 2) + b"\1\0"
    primary = bytearray(b"\1CD001\1".ljust(BLOCK, b"\0"))
    primary[40:72] = label.encode().ljust(32)
    primary[80:88], primary[120:132] = both(blocks, 4), both(1, 2) + both(1, 2) + both(BLOCK, 2)
    primary[156:190] = root
    entries = (root + root[:-1] + b"\1").ljust(BLOCK, b"\0")
    head = bytes(16 * BLOCK) + bytes(primary) + b"\xffCD001\1".ljust(BLOCK, b"\0") + bytes(2 * BLOCK) + entries
    path.write_bytes(head + b"".join(hashlib.sha512(f"{label} {i}".encode()).digest() for i in range((blocks - 21) * BLOCK // 64)))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sums = {label: disc(folder / f"{label}.iso", label, blocks) for label, blocks in
                (("ide", 300), ("ahci", 200), ("other", 1000), ("third", 50))}
        path, report = folder / "socket", folder / "report"

        def command(terminal, line):
            terminal.seen = b""
            terminal.write(line.encode() + b"\r")
            terminal.wait_for(b"status=", 60)
            text = terminal.before
            terminal.wait_for(PROMPT, 60)
            return (text + b"status=" + terminal.before).decode(errors="replace")

        def digest(terminal, drive):
            text = command(terminal, f"sha256sum /dev/{drive}; echo status''=$?")
            return (re.findall(r"\b[0-9a-f]{64}\b", text) or [text])[0]

        def body(terminal):
            terminal.wait_for(PROMPT)
            client = monitor.Client(path)

            def fails(line, *wanted):
                response = client.raw(json.dumps({"execute": "human", "arguments": {"line": line}}))
                message = response.get("error", {}).get("message", str(response))
                runner.expect(all(text in message for text in wanted), f"'{line}': {message}")

            def do(line):
                client.ask("human", line=line)

            def disks():
                return {disk["name"]: disk for disk in client.ask("info disks")["disks"]}

            command(terminal, "for m in $(cat /modules/list); do insmod /modules/$m; done; sleep 3; echo status''=$?")
            for drive, label in (("sr0", "ide"), ("sr1", "ahci")):
                found = digest(terminal, drive)
                runner.expect(found == sums[label], f"{drive} is not the disc '{label}': {found}")
            runner.expect(disks()["cdrom0"]["counters"]["bytes_read"] >= 300 * BLOCK, f"counters: {disks()}")

            fails("change cdrom0 " + str(folder / "nothing.iso"), "does not exist")
            fails("eject disk0", "no drive 'disk0'", "cdrom0, cdrom1")
            runner.expect(digest(terminal, "sr0") == sums["ide"], "a refused change has changed the disc")

            for drive, name in (("sr0", "cdrom0"), ("sr1", "cdrom1")):
                do(f"change {name} {folder}/other.iso")
                runner.expect(digest(terminal, drive) == sums["other"], f"{drive} is not the other disc")
                do(f"eject {name}")
                runner.expect(disks()[name]["tray_open"] and disks()[name]["file"] == "", f"after eject: {disks()[name]}")
                runner.expect("No medium" in digest(terminal, drive), f"{drive} still has a disc")
                do(f"change {name} {folder}/third.iso")
                runner.expect(digest(terminal, drive) == sums["third"], f"{drive} is not the third disc")

            text = command(terminal, "mkdir -p /cd; mount -t iso9660 -o ro /dev/sr0 /cd; echo status''=$?")
            runner.expect("status=0" in text, f"the disc could not be mounted: {text}")
            runner.expect(disks()["cdrom0"]["locked"], f"a mounted disc is not locked: {disks()['cdrom0']}")
            fails(f"change cdrom0 {folder}/ide.iso", "locked the tray of cdrom0", "force")
            fails("eject cdrom0", "locked the tray of cdrom0")
            runner.expect(disks()["cdrom0"]["file"].endswith("third.iso"), "a locked disc is gone")
            command(terminal, "umount /cd; echo status''=$?")
            runner.expect(not disks()["cdrom0"]["locked"], "the tray is still locked")
            command(terminal, "mount -t iso9660 -o ro /dev/sr0 /cd; echo status''=$?")
            do("eject cdrom0 force")
            text = command(terminal, "umount /cd; sha256sum /dev/sr0; echo status''=$?")
            runner.expect("No medium" in text, f"the disc is still there: {text}")
            do(f"change cdrom0 {folder}/ide.iso")
            runner.expect(digest(terminal, "sr0") == sums["ide"], "sr0 is not the first disc again")
            client.close()
            terminal.write(b"poweroff -f\r")
            code = terminal.wait_for_end(60)
            runner.expect(code == 0, f"exit code {code}")
            told = {disk["name"]: disk for disk in json.loads(report.read_text())["disks"]}
            runner.expect(told["cdrom0"]["file"].endswith("ide.iso") and told["cdrom1"]["bus"] == "ahci" and
                          told["cdrom1"]["counters"]["reads"] > 10, f"the report says {told}")

        words = ["--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--append", "console=ttyS0 quiet",
                 "--cdrom", f"{folder}/ide.iso", "--cdrom", f"{folder}/ahci.iso,bus=ahci", "--monitor", f"unix:{path}",
                 "--json", report, "--wall-timeout", "300"]
        session.run(options, words, body)


if __name__ == "__main__":
    runner.main(test, __doc__, guest_may_be_missing=True)
