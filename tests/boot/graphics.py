#!/usr/bin/env python3
"""Video modes of every kind, set through the video BIOS of SeaBIOS and drawn into: the picture is the expected one."""

import pathlib
import subprocess
import tempfile

import runner

BOOT_SECTOR = pathlib.Path(__file__).with_name("graphics_boot.asm")
MODE_OFFSET = 0x1fc
# Mode, size of the picture, its pixels (width, height, bits a pixel).
TEXT, PLANAR, LINEAR = 0x03, 0x12, 0x13
VESA = {0x101: (640, 480, 8), 0x103: (800, 600, 8), 0x110: (640, 480, 15), 0x111: (640, 480, 16), 0x112: (640, 480, 24),
        0x118: (1024, 768, 24), 0x144: (1024, 768, 32)}


def six(value):
    """Eight bits of a six-bit color."""
    return value << 2 | value >> 4


EGA = [(0, 0, 0), (0, 0, 42), (0, 42, 0), (0, 42, 42), (42, 0, 0), (42, 0, 42), (42, 21, 0), (42, 42, 42),
       (21, 21, 21), (21, 21, 63), (21, 63, 21), (21, 63, 63), (63, 21, 21), (63, 21, 63), (63, 63, 21), (63, 63, 63)]
EGA = [tuple(six(c) for c in color) for color in EGA]


def widen(value, bits):
    return value << (8 - bits) | value >> (2 * bits - 8)


def vesa_pixel(x, y, bits):
    """The pixel whose bytes are (i xor y) mod 256."""
    size = (bits + 7) // 8
    value = 0
    for i in range(size):
        value |= ((x * size + i) ^ y) % 256 << 8 * i
    if bits == 15:
        return widen(value >> 10 & 31, 5), widen(value >> 5 & 31, 5), widen(value & 31, 5)
    if bits == 16:
        return widen(value >> 11, 5), widen(value >> 5 & 63, 6), widen(value & 31, 5)
    return value >> 16 & 255, value >> 8 & 255, value & 255


def read_ppm(path):
    data = path.read_bytes()
    magic, size, depth, pixels = data.split(b"\n", 3)
    runner.expect((magic, depth) == (b"P6", b"255"), f"{path.name} is no PPM")
    width, height = map(int, size.split())
    runner.expect(len(pixels) == 3 * width * height, f"{path.name} has {len(pixels)} bytes of pixels")
    return width, height, pixels


def run(options, folder, mode, extra=()):
    image, screen = folder / "boot.img", folder / "screen.ppm"
    code = bytearray((folder / "boot.bin").read_bytes().ljust(1440 * 1024, b"\0"))
    code[MODE_OFFSET:MODE_OFFSET + 2] = mode.to_bytes(2, "little")
    image.write_bytes(code)
    command = [options.reprise, "run", "--bios", "seabios", "--floppy", image, "--serial", "null", "--memory", "32M",
               "--engine", options.engine, "--debug-exit", "0xf4", "--expect", "debug-exit=0", "--timeout", "30",
               "--wall-timeout", "300", "--dump-screen", screen, *extra]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=360)
    runner.expect(done.returncode == 0, f"mode {mode:x}h: exit code {done.returncode}, {done.stdout.decode()}")
    return read_ppm(screen)


def expect_pixels(mode, picture, width, height, expected):
    runner.expect(picture[:2] == (width, height), f"mode {mode:x}h shows {picture[0]}x{picture[1]}")
    pixels = picture[2]
    for y in range(0, height, 7):
        for x in range(width):
            at = 3 * (y * width + x)
            shown, wanted = tuple(pixels[at:at + 3]), expected(x, y)
            runner.expect(shown == wanted, f"mode {mode:x}h: pixel {x},{y} is {shown} instead of {wanted}")


def palette_of(picture):
    """Mode 13h's colors, from the first line of its picture and those below: pixel (x, y) is color (x + y) mod 256."""
    return [tuple(picture[2][6 * color:6 * color + 3]) for color in range(256)]


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.assemble(BOOT_SECTOR, folder / "boot.bin")
        expect_pixels(TEXT, run(options, folder, TEXT), 720, 400, lambda x, y: EGA[x // 9 % 16])
        expect_pixels(PLANAR, run(options, folder, PLANAR), 640, 480, lambda x, y: EGA[x // 40])
        picture = run(options, folder, LINEAR)
        colors = palette_of(picture)
        runner.expect(colors[:16] == EGA and len(set(colors)) > 200, f"mode 13h has the colors {colors}")
        expect_pixels(LINEAR, picture, 640, 400, lambda x, y: colors[(x // 2 + y // 2) % 256])
        for mode, (width, height, bits) in VESA.items():
            if bits == 8:
                expected = lambda x, y: colors[(x ^ y) % 256]
            else:
                expected = lambda x, y, bits=bits: vesa_pixel(x, y, bits)
            expect_pixels(mode, run(options, folder, mode), width, height, expected)


if __name__ == "__main__":
    runner.main(test, __doc__)
