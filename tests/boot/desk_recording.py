#!/usr/bin/env python3
"""A recorded session at a desk: keys and pointer of a VNC viewer, a network in both directions, a shared folder, a disc that is changed, a
disk that is written through. Afterwards the folder is gone, the disk is what the guest made of it, and nobody serves; the replays have the
same output, state and exit code on both engines, without a display.

Needs --guests to name what tests/guests/build_storage_guest.py makes.
"""

import hashlib
import http.server
import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import media_change
import monitor
import network
import runner
import session
import viewer

SECTOR = 512
RETURN = 0xff0d


def at_the_desk(options, folder, server):
    """What the host is left with by the guest, and by the run."""
    sums = {label: media_change.disc(folder / f"{label}.iso", label, blocks) for label, blocks in (("one", 100), ("two", 200))}
    shared, disk = folder / "shared", folder / "disk"
    shared.mkdir()
    (shared / "in").write_text("from the host\n")
    runner.empty_disk(disk, 1 << 20)
    display, control = folder / "display", folder / "control"

    def body(terminal):
        terminal.wait_for(media_change.PROMPT)
        client = monitor.Client(control)
        screen = viewer.Viewer(f"unix:{display}")

        def command(line):
            terminal.write(f"{line}; echo status''=$?\r".encode())
            terminal.wait_for(b"status=", 60)
            text = terminal.before.decode(errors="replace")
            terminal.wait_for(media_change.PROMPT, 60)
            return text

        def expect(line, wanted):
            text = command(line)
            runner.expect(wanted in text, f"'{line}' says {text}")

        command("for m in $(cat /modules/list); do insmod /modules/$m; done; sleep 3; mkdir -p /s; stty -echo")
        expect("mount -t 9p -o trans=virtio,version=9p2000.L desk /s && cat /s/in", "from the host")
        command("echo from the guest >/s/out; ln /s/out /s/again; rm /s/in")
        expect("sha256sum /dev/sr0", sums["one"])
        client.ask("change", drive="cdrom0", file=str(folder / "two.iso"))
        expect("sha256sum /dev/sr0", sums["two"])
        command(f"yes through | dd of=/dev/vda bs={SECTOR} count=8 conv=fsync")
        expect(f"ifconfig eth0 10.0.2.15; wget -q -O - http://10.0.2.2:{server.server_port}/ | sha256sum",
               hashlib.sha256(network.Server.content).hexdigest())
        port = next(forward["host_port"] for forward in client.ask("info network")["forwards"])
        terminal.write(b"nc -l -p 80\r")
        time.sleep(1)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as link:
            link.sendall(b"from outside\n")
            terminal.wait_for(b"from outside", 60)
        terminal.wait_for(media_change.PROMPT, 60)
        # The keyboard has the other terminal; the pointer moves meanwhile.
        terminal.write(b"head -n 1 </dev/tty1 | tr a-z A-Z\r")
        time.sleep(1)
        for at, letter in enumerate("keys of a viewer"):
            screen.press(ord(letter))
            screen.point(10 * at, 7 * at, at % 2)
            time.sleep(0.02)
        screen.press(RETURN)
        terminal.wait_for(b"KEYS OF A VIEWER", 60)
        terminal.wait_for(media_change.PROMPT, 60)
        screen.close()
        client.close()
        terminal.write(b"exit\r")
        code = terminal.wait_for_end()
        runner.expect(code == 0, f"exit code {code}: {terminal.seen[-800:]!r}")

    session.run(options, ["--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--append", "console=ttyS0 quiet",
                          "--display", f"vnc:unix:{display}", "--monitor", f"unix:{control}", "--cdrom", folder / "one.iso",
                          "--disk", f"{disk},write=yes,bus=virtio,format=raw", "--share", f"{shared},tag=desk",
                          "--net", "user,hostfwd=tcp:127.0.0.1:0-:80", "--device", "virtio-net", "--device", "virtio-tablet",
                          "--record", folder / "recording", "--json", folder / "run.json", "--wall-timeout", "600"], body)
    runner.expect((shared / "out").read_text() == "from the guest\n" and not (shared / "in").exists(), "the folder is another one")
    runner.expect(disk.read_bytes().startswith(b"through\n" * (SECTOR // 2)), "the disk was not written through")


def test(options):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), network.Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        at_the_desk(options, folder, server)
        server.shutdown()
        server.server_close()
        shutil.rmtree(folder / "shared")
        run = json.loads((folder / "run.json").read_text())
        texts = set()
        for engine in (options.engine, "interp"):
            replayed = subprocess.run([options.reprise, "replay", folder / "recording", "--engine", engine, "--serial", f"file:{folder}/text",
                                       "--json", folder / "replay.json"], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                      timeout=900)
            runner.expect(replayed.returncode == 0, f"{engine}: exit code {replayed.returncode}: {replayed.stderr}")
            report = json.loads((folder / "replay.json").read_text())
            for key in "state_hash", "instructions", "virtual_ns", "exit_reason", "exit_code":
                runner.expect(report[key] == run[key], f"{engine}: {key} is {report[key]}, was {run[key]}")
            texts.add((folder / "text").read_bytes())
        text = texts.pop()
        runner.expect(not texts and re.search(rb"from outside\r?\n", text) and b"from the host" in text, f"the replays print {text[-2000:]}")


if __name__ == "__main__":
    runner.main(test, __doc__, guest_may_be_missing=True)
