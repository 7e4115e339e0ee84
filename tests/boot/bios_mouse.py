#!/usr/bin/env python3
"""A 16-bit program in planar graphics with the BIOS's mouse: its pointer and what it leaves on the screen are where the
monitor moved and clicked."""

import pathlib
import subprocess
import tempfile
import time

import graphics
import monitor
import runner

BOOT_SECTOR = pathlib.Path(__file__).with_name("bios_mouse_boot.asm")
WIDTH, HEIGHT, SIDE = 640, 480, 8


def expected(pointers):
    """Lines of the picture; `pointers`: x, y, color."""
    lines = []
    for y in range(HEIGHT):
        colors = [(x // 8 + y) % 16 for x in range(WIDTH)]
        for left, top, color in pointers:
            if top <= y < top + SIDE:
                for x in range(left, left + SIDE):
                    colors[x] ^= color
        lines.append(b"".join(bytes(graphics.EGA[color]) for color in colors))
    return b"".join(lines)


class Guest:
    def __init__(self, options, folder):
        self.folder = folder
        image, self.serial = folder / "boot.img", folder / "serial"
        runner.assemble(BOOT_SECTOR, image)
        image.write_bytes(image.read_bytes().ljust(1440 * 1024, b"\0"))
        self.serial.write_bytes(b"")
        command = [options.reprise, "run", "--bios", "seabios", "--floppy", image, "--serial", "null", "--serial",
                   f"file:{self.serial}", "--memory", "32M", "--engine", options.engine, "--debug-exit", "0xf4", "--expect",
                   "debug-exit=0", "--wall-timeout", "300", "--monitor", f"unix:{folder}/monitor"]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.monitor = monitor.Client(folder / "monitor")

    def shows(self, *pointers):
        wanted, end = expected(pointers), time.monotonic() + 60
        while True:
            screen = self.folder / "screen.ppm"
            self.monitor.ask("screenshot", file=str(screen))
            width, height, pixels = graphics.read_ppm(screen)
            screen.unlink()
            if (width, height) == (WIDTH, HEIGHT) and pixels == wanted:
                return
            if time.monotonic() > end:
                wrong = [(i // 3 % WIDTH, i // 3 // WIDTH) for i in range(0, len(wanted), 3) if pixels[i:i + 3] != wanted[i:i + 3]]
                raise runner.Failure(f"{width}x{height} instead of a pointer at {pointers}; {len(wrong)} pixels, from {wrong[:1]} "
                                     f"to {wrong[-1:]}")
            time.sleep(0.05)


def act(guest):
    while b"R" not in guest.serial.read_bytes():
        runner.expect(guest.process.poll() is None, "the guest ended before it was ready")
        time.sleep(0.05)
    guest.shows((320, 240, 15))
    guest.monitor.ask("mouse move", dx=-7, dy=13)
    guest.shows((313, 253, 15))
    guest.monitor.ask("type", text="k")
    guest.shows((313, 253, ord("k") % 16))
    # Many reports' way, then a press: the copy is where the way ends.
    guest.monitor.ask("mouse move", dx=-313, dy=200)
    guest.monitor.ask("mouse move", dx=613, dy=-440)
    guest.monitor.ask("click", button="left")
    guest.monitor.ask("mouse move", dx=-300, dy=300)
    color = ord("k") % 16
    guest.shows((613, 13, color), (313, 313, color))
    guest.monitor.ask("click", button="right")
    output = guest.process.communicate(timeout=60)[0]
    runner.expect(guest.process.returncode == 0, f"exit code {guest.process.returncode}: {output}")


def test(options):
    with tempfile.TemporaryDirectory() as name:
        guest = Guest(options, pathlib.Path(name))
        try:
            act(guest)
        finally:
            guest.process.kill()
            guest.process.wait()


if __name__ == "__main__":
    runner.main(test, __doc__)
