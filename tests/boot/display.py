#!/usr/bin/env python3
"""The screen by VNC: what a viewer sees is what --dump-screen writes, its hands reach the guest, looking changes nothing of
the run, and no viewer, whatever it sends or does not, ends it or holds it up."""

import contextlib
import json
import pathlib
import random
import re
import struct
import subprocess
import tempfile
import threading
import time

import runner
import viewer as vnc

BOOT_SECTOR = pathlib.Path(__file__).with_name("display_boot.asm")
RETURN, SHIFT = 0xff0d, 0xffe1
Z_CODE = 0x2c


class Guest:
    """The boot sector in a run with a VNC display."""

    def __init__(self, options, folder, address, extra=()):
        self.folder = folder
        image = folder / "boot.img"
        image.write_bytes((folder / "boot.bin").read_bytes().ljust(1440 * 1024, b"\0"))
        self.serial, self.report, self.screen = folder / "serial", folder / "report.json", folder / "screen.ppm"
        self.serial.write_bytes(b"")
        command = [options.reprise, "run", "--bios", "seabios", "--floppy", image, "--serial", "null", "--serial", f"file:{self.serial}",
                   "--memory", "32M", "--engine", options.engine, "--debug-exit", "0xf4", "--expect", "debug-exit=0",
                   "--wall-timeout", "300", "--display", f"vnc:{address}", "--verbose", "--json", self.report,
                   "--dump-screen", self.screen, *extra]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if found := re.search(r"the screen is shown at vnc:(\S+)\.", line):
                self.address = found[1]
                break
        else:
            raise runner.Failure(f"the run did not say where its display is: {self.said}")
        # Nobody may wait for what it says further.
        self.drain = threading.Thread(target=lambda: self.process.stdout.read(), daemon=True)
        self.drain.start()

    def wait_for_serial(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text not in self.serial.read_bytes():
            runner.expect(time.monotonic() < end and self.process.poll() is None,
                          f"the guest sent {self.serial.read_bytes()} instead of {text}")
            time.sleep(0.02)

    def end(self, seconds=60):
        code = self.process.wait(timeout=seconds)
        runner.expect(code == 0, f"exit code {code}")
        return json.loads(self.report.read_text())


@contextlib.contextmanager
def guest_of(options, folder, address="0", extra=()):
    guest = Guest(options, folder, address, extra)
    try:
        yield guest
    finally:
        guest.process.kill()
        guest.process.wait()


def pixel(viewer, x, y):
    at = 4 * (y * viewer.width + x)
    return viewer.pixels[at:at + 4]


def shows_the_picture(viewer):
    """Mode 13h, whose dots are doubled: colors along the diagonals."""
    if (viewer.width, viewer.height) != (640, 400):
        return False
    return pixel(viewer, 620, 0) == pixel(viewer, 600, 20) == pixel(viewer, 300, 320) != pixel(viewer, 2, 0)


def type_text(guest, viewer):
    for character in "hi":
        viewer.press(ord(character))
    viewer.press(ord("Q"))  # without Shift, as programs do
    viewer.key(SHIFT, 1)
    viewer.press(ord("!"))
    viewer.key(SHIFT, 0)
    viewer.press_code(Z_CODE)
    guest.wait_for_serial(b"RhiQ!z")


def end_and_point(guest, viewer):
    viewer.press(RETURN)
    guest.wait_for_serial(b"M")
    viewer.point(100, 100)
    viewer.point(110, 95)
    return guest.end()


def sees_and_types(options, folder):
    with guest_of(options, folder) as guest:
        guest.wait_for_serial(b"R")
        viewers = [vnc.Viewer(guest.address) for _ in range(2)]
        for viewer in viewers:
            viewer.wait_for(shows_the_picture, "the guest's picture")
            viewer.drain()
        before = pixel(viewers[0], 0, 0)
        type_text(guest, viewers[0])
        for viewer in viewers:
            # Only what has changed comes.
            color = pixel(viewer, 2 * ord("z"), 0)
            while pixel(viewer, 0, 0) != color:
                viewer.request(1)
                pixels = sum(width * height for _, _, width, height in viewer.update())
                runner.expect(pixels < 640 * 400 // 4, f"{pixels} pixels came for one")
            runner.expect(pixel(viewer, 0, 0) != before, "the picture was there before the guest drew it")
        report = end_and_point(guest, viewers[0])
        runner.expect(report["displays"] == [f"vnc:{guest.address}"], f"the report says {report['displays']}")
        pixels = guest.screen.read_bytes().split(b"\n", 3)
        runner.expect(pixels[1] == b"640 400" and pixels[3] == viewers[0].rgb() == viewers[1].rgb(),
                      "the viewers saw something else than --dump-screen")
        moved = guest.serial.read_bytes()[-3:]
        runner.expect(moved == bytes([0x08, 10, 5]), f"the mouse sent {moved.hex()}")


def unix_socket(options, folder):
    path = folder / "vnc.socket"
    with guest_of(options, folder, f"unix:{path}") as guest:
        guest.wait_for_serial(b"R")
        runner.expect(path.stat().st_mode & 0o777 == 0o600, "others may connect to the socket")
        viewer = vnc.Viewer(guest.address)
        viewer.wait_for(shows_the_picture, "the guest's picture")
        type_text(guest, viewer)
        end_and_point(guest, viewer)
    runner.expect(not path.exists(), "the socket is still there")


def handshake(address):
    """A connection that may send messages."""
    link = vnc.connect(address)
    link.sendall(b"RFB 003.008\n\1\1")
    received = b""
    while len(received) < 12 + 2 + 4 + 24:
        part = link.recv(4096)
        if not part:
            break
        received += part
    return link


def hostile_messages(random_bytes):
    """What viewers should not send, each behind a handshake."""
    yield b"\6\0\0\0" + struct.pack(">I", 0x7fffffff)             # text of 2 GiB
    yield b"\6\0\0\0" + struct.pack(">i", -0x80000000)            # and of the extended clipboard
    yield b"\2\0" + struct.pack(">H", 0xffff) + bytes(1000)       # 65535 encodings
    yield b"\3\0" + struct.pack(">HHHH", 0xffff, 0xffff, 0xffff, 0xffff)
    yield b"\3\0" + struct.pack(">HHHH", 0, 0, 0, 0) + b"\3\1" + struct.pack(">HHHH", 600, 300, 0xffff, 0xffff)
    for scale in (0, 1, 255):
        yield b"\x08" + bytes([scale, 0, 0]) + b"\3\0" + struct.pack(">HHHH", 0, 0, 640, 400)
        yield b"\x0f" + bytes([scale, 0, 0])
    yield b"\7\1\1\0" + struct.pack(">II", 0xffffffff, 0xffffffff)  # a file transfer
    yield b"\x0b\0\0\0" + struct.pack(">I", 0xffffff)               # chat
    yield b"\xfb\0" + struct.pack(">HHBB", 0, 0, 255, 0)            # 255 screens
    yield b"\xff\1\0\0"                                             # QEMU's sound
    for bits in (0, 1, 7, 8, 16, 24, 32, 33, 255):
        yield struct.pack(">B3xBBBBHHHBBB3x", 0, bits, 255, 1, random_bytes.randrange(2), 0, 0xffff, 1, 255, 31, 64) + \
            b"\2\0\0\1" + struct.pack(">i", random_bytes.choice((0, 1, 2, 4, 5, 6, 7, 16))) + \
            b"\3\0" + struct.pack(">HHHH", 0, 0, 640, 400)
    for _ in range(40):
        yield random_bytes.randbytes(random_bytes.randrange(1, 400))


def hostile_viewers(options, folder):
    random_bytes = random.Random(1)
    with guest_of(options, folder) as guest:
        guest.wait_for_serial(b"R")
        stuck = []
        for start in (b"", b"RFB 0", b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n", b"\x16\x03\x01", b"RFB 003.003\n"):
            link = vnc.connect(guest.address)
            link.sendall(start)
            stuck.append(link)
        for part in (b"\4\1", b"\2\0\0\x10" + bytes(7), b"\6\0\0\0\0\0\0\x10abc", b"\0"):
            link = handshake(guest.address)
            link.sendall(part)
            stuck.append(link)
        # Asks for the screen again and again, and reads nothing.
        deaf = handshake(guest.address)
        deaf.settimeout(1)
        with contextlib.suppress(OSError):
            for _ in range(30):
                deaf.sendall(b"\3\0" + struct.pack(">HHHH", 0, 0, 640, 400))
        for _ in range(30):
            with contextlib.suppress(OSError):
                link = vnc.connect(guest.address)
                link.sendall(random_bytes.randbytes(random_bytes.randrange(0, 100)))
                link.close()
        for message in hostile_messages(random_bytes):
            with contextlib.suppress(OSError):
                link = handshake(guest.address)
                link.sendall(message)
                if random_bytes.randrange(2):
                    link.settimeout(0.05)
                    link.recv(1 << 16)
                link.close()
        for link in stuck[::2]:
            link.close()
        viewer = vnc.Viewer(guest.address)
        viewer.wait_for(shows_the_picture, "the guest's picture")
        begun = time.monotonic()
        # Garbage may have pressed keys, so what the guest sent is not looked at.
        end_and_point(guest, viewer)
        runner.expect(time.monotonic() - begun < 30, "the run took its time to end")


def passwords(options, folder):
    secret = folder / "secret"
    secret.write_text("abc\n")
    with guest_of(options, folder, f"0,password-file={secret}") as guest:
        link = vnc.connect(guest.address)
        link.sendall(b"RFB 003.008\n")
        greeting = vnc.take(link, 14)
        runner.expect(greeting[12:] == bytes([1, vnc.VNC_AUTHENTICATION]), f"the server offers {greeting[12:].hex()}")
        link.sendall(bytes([vnc.VNC_AUTHENTICATION]))
        vnc.take(link, 16)
        link.sendall(bytes(16))
        runner.expect(vnc.take(link, 4) == struct.pack(">I", 1), "a wrong password was taken")
        # Without it nothing is let in.
        with contextlib.suppress(OSError):
            link.sendall(b"\1" + b"\3\0" + struct.pack(">HHHH", 0, 0, 640, 400))
            link.settimeout(5)
            rest = b""
            while part := link.recv(4096):
                rest += part
            runner.expect(len(rest) < 200, "the server went on")


def refused(options, folder):
    (folder / "empty").write_text("\n")
    for display, wanted in (("vnc:0.0.0.0:0", "password-file"), ("vnc:[::]:0", "password-file"), ("vnc:1", "5901"),
                            ("vnc:70000", "PORT"), ("vnc:", "PORT"), ("vnc:unix:", "PATH"), ("gtk", "none of"),
                            ("vnc:0,password-file=", "FILE"), (f"vnc:0,password-file={folder}/empty", "empty"),
                            (f"vnc:0,password-file={folder}/none", "cannot be read"),
                            ("vnc:0,password-file=/dev/zero", "no text"),
                            (f"vnc:unix:{folder}/empty", "no socket"), ("vnc:192.0.2.1:0,password-file=x", "cannot")):
        done = subprocess.run([options.reprise, "run", "--bios", "seabios", "--floppy", folder / "boot.img", "--serial", "null",
                               "--display", display, "--stop-at", "1000"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        runner.expect(done.returncode not in (0, 4) and wanted in done.stdout and done.stdout.count("\n") == 1,
                      f"--display {display}: exit code {done.returncode}, {done.stdout}")


def looking_changes_nothing(options, folder):
    extra = ("--stop-at", "700000000", "--hash-every", "100000000")
    append = "console=tty0 reprise.demo"

    def chain(display=(), watch=lambda process: None):
        report = folder / "hashes.json"
        process = subprocess.Popen(
            [str(word) for word in (options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--append",
                                    append, "--memory", "512M", "--serial", "null", "--engine", options.engine, "--json", report,
                                    "--wall-timeout", "300", *extra, *display)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        watch(process)
        process.communicate(timeout=360)
        return json.loads(report.read_text())["hashes"]

    seen = []

    def watch(process):
        found = re.search(r"vnc:(\S+)\.", process.stdout.readline())
        viewer = vnc.Viewer(found[1])
        threading.Thread(target=look, args=(viewer,), daemon=True).start()

    def look(viewer):
        with contextlib.suppress(OSError, runner.Failure):
            viewer.request(0)
            while True:
                seen.append(viewer.update())
                viewer.request(1)

    alone = chain()
    watched = chain(("--display", "vnc:0"), watch)
    runner.expect(alone and alone == watched, f"hashes with a viewer are {watched} instead of {alone}")
    runner.expect(len(seen) > 3, f"the viewer saw {len(seen)} pictures")


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.assemble(BOOT_SECTOR, folder / "boot.bin")
        sees_and_types(options, folder)
        unix_socket(options, folder)
        hostile_viewers(options, folder)
        passwords(options, folder)
        refused(options, folder)
        looking_changes_nothing(options, folder)


if __name__ == "__main__":
    runner.main(test, __doc__)
