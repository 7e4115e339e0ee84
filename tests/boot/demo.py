#!/usr/bin/env python3
"""What games and demos of 16-bit systems do with a VGA: Mode X with pages and latches, panning, a split screen, palettes in step
with the retrace, fonts. The picture is the expected one, to the dot."""

import pathlib
import subprocess
import tempfile

import graphics
import runner
from graphics import EGA, six

PROGRAM = pathlib.Path(__file__).with_name("demo_boot.asm")
PART_OFFSET = 0x1fc


def shown_by(options, folder, part):
    image, screen = folder / "boot.img", folder / "screen.ppm"
    code = bytearray((folder / "boot.bin").read_bytes().ljust(1440 * 1024, b"\0"))
    code[PART_OFFSET] = part
    image.write_bytes(code)
    command = [options.reprise, "run", "--bios", "seabios", "--floppy", image, "--serial", "null", "--memory", "32M",
               "--engine", options.engine, "--debug-exit", "0xf4", "--expect", "debug-exit=0", "--timeout", "60",
               "--wall-timeout", "300", "--dump-screen", screen]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=360)
    runner.expect(done.returncode == 0, f"part {part}: exit code {done.returncode}, {done.stdout.decode()}")
    return graphics.read_ppm(screen)


def colors_of_256(options, folder):
    """Those of mode 13h, as the BIOS sets them: graphics.py's boot sector shows them all."""
    runner.assemble(graphics.BOOT_SECTOR, folder / "boot.bin")
    return graphics.palette_of(graphics.run(options, folder, graphics.LINEAR))


def mode_x(x, y, colors):
    # Shown from the fifth pixel on: behind the end of a line comes the next one, behind the last nothing was drawn.
    at, line = x // 2 + 5, y // 2
    if at >= 320:
        at, line = at - 320, line + 1
    return colors[(at + 2 * line) % 256 if line < 240 else 0]


def panned(x, y):
    if y > 300:
        at, line = x, y - 301
    else:
        at, line = x + 3, y + 5
    color = at // 8 % 16
    if 100 <= line < 200 and at % 8 < 4:
        color ^= 15
    return EGA[color]


def palette(x):
    color = x // 2 % 256
    return tuple(six(c & 63) for c in (color + 60, color >> 1, ~color))


def text(x, y):
    attribute = (y // 8 * 80 + x // 9) % 256
    column, row = x % 9, y % 8
    # B0h is no line drawing character: its ninth column is empty.
    ink = column < 8 and (row in (0, 7) or column in (0, 7))
    return EGA[attribute % 16 if ink else attribute // 16]


def font():
    """The video BIOS's of 16 lines: the first 256 times 16 bytes in which A and the full block are as they are everywhere."""
    rom = pathlib.Path("/usr/share/seabios/vgabios-stdvga.bin").read_bytes()
    full, block = b"\xff" * 16, 0xdb
    found = [at for at in range(len(rom) - 4096) if rom[at:at + 16] == bytes(16) and rom[at + 16 * block:at + 16 * block + 16] == full and
             rom[at + 16 * 32:at + 16 * 33] == bytes(16)]
    runner.expect(len(found) == 1, f"the video BIOS has {len(found)} fonts")
    return rom[found[0]:found[0] + 4096]


def wide(x, y, glyphs):
    cell = y // 16 * 132 + x // 8
    attribute = (cell + (cell >> 8)) % 256
    ink = glyphs[16 * (cell % 256) + y % 16] >> (7 - x % 8) & 1
    return EGA[attribute % 16 if ink else attribute // 16]


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        colors = colors_of_256(options, folder)
        glyphs = font()
        runner.assemble(PROGRAM, folder / "boot.bin")
        for part, (what, size, expected) in enumerate((("Mode X", (640, 480), lambda x, y: mode_x(x, y, colors)),
                                                       ("12h, panned", (640, 480), panned),
                                                       ("13h", (640, 400), lambda x, y: palette(x)),
                                                       ("text", (720, 400), text),
                                                       ("132 columns", (1056, 400), lambda x, y: wide(x, y, glyphs))), 1):
            width, height, pixels = shown_by(options, folder, part)
            runner.expect((width, height) == size, f"{what}: the picture has {width}x{height} dots")
            for y in range(height):
                for x in range(width):
                    at = 3 * (y * width + x)
                    shown = tuple(pixels[at:at + 3])
                    runner.expect(shown == expected(x, y), f"{what}: {x},{y} is {shown} instead of {expected(x, y)}")


if __name__ == "__main__":
    runner.main(test, __doc__)
