#!/usr/bin/env python3
"""A graphical Debian from firmware to desktop and back: GRUB's graphical menu, the console in graphics, X on the kernel's
driver for the card and on framebuffers that firmware left, a Wayland compositor, used by keys and pointer, and looked at in
pictures."""

import hashlib
import json
import pathlib
import string
import subprocess
import sys
import tempfile
import time

import graphics
import monitor
import runner

TILE = 256  # tests/guests/desktop.py
PROMPT = "root@debian:~# "
CELL_WIDTH, CELL_HEIGHT, COLUMNS, ROWS = 9, 15, 80, 24
WHITE = b"\xff\xff\xff"
TERMINAL_BORDER = 2
IN_TERMINAL = (600, 300)    # a place without text
IN_TITLE = (200, 54)
TASK_BAR = 40               # it and its shadow are less high
# xterm's colors 0 to 7
COLORS = [(0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)]
CHARACTERS = "".join(c for c in string.ascii_letters + string.digits + string.punctuation if c not in "'!")


def wallpaper_row(y, width):
    row = bytes(c for x in range(TILE) for c in (64 + x // 4, 96 + y % TILE // 4, 128 + (x ^ y % TILE) // 4))
    return (row * (width // TILE + 1))[:3 * width]


class Picture:
    def __init__(self, path):
        self.width, self.height, self.pixels = graphics.read_ppm(path)

    def row(self, x, y, width):
        at = 3 * (y * self.width + x)
        return self.pixels[at:at + 3 * width]

    def region(self, x, y, width, height):
        return [self.row(x, line, width) for line in range(y, y + height)]

    def pixel(self, x, y):
        return tuple(self.row(x, y, 1))

    def size(self):
        return self.width, self.height

    def differs(self, other):
        """The rectangle around what differs: x, y, and behind its end."""
        rows = [y for y in range(self.height) if self.row(0, y, self.width) != other.row(0, y, self.width)]
        if not rows:
            return None
        columns = [x for y in rows for x in range(self.width) if self.row(x, y, 1) != other.row(x, y, 1)]
        return min(columns), rows[0], max(columns) + 1, rows[-1] + 1


class Screen:
    """What a picture of the desktop should be where nothing but the wallpaper is."""

    def __init__(self, width, height, tolerance=0):
        self.size = width, height
        self.tolerance = tolerance
        self.rows = [wallpaper_row(y, width) for y in range(TILE)]

    def is_wallpaper(self, picture, x, y, width, height):
        for line in range(y, y + height):
            shown, wanted = picture.row(x, line, width), self.rows[line % TILE][3 * x:3 * (x + width)]
            if shown != wanted and (not self.tolerance or any(abs(a - b) > self.tolerance for a, b in zip(shown, wanted))):
                return False
        return True

    def strange(self, picture, x, y, width, height):
        """The rectangle around what is no wallpaper."""
        found = [(at, line) for line in range(y, y + height) for at in range(x, x + width)
                 if not self.is_wallpaper(picture, at, line, 1, 1)]
        if not found:
            return None
        columns, lines = zip(*found)
        return min(columns), min(lines), max(columns) + 1, max(lines) + 1


class Terminal:
    """Reads the text of an xterm off a picture, once it has learned what the font looks like."""

    def __init__(self, picture):
        x, y = IN_TERMINAL
        while picture.row(x - 1, y, 1) == WHITE:
            x -= 1
        edge, x = x, IN_TERMINAL[0]
        while picture.row(x, y - 1, 1) == WHITE:
            y -= 1
        self.left, self.top = edge + TERMINAL_BORDER, y + TERMINAL_BORDER
        self.glyphs = {}

    def cell(self, picture, column, row):
        return b"".join(picture.region(self.left + column * CELL_WIDTH, self.top + row * CELL_HEIGHT, CELL_WIDTH, CELL_HEIGHT))

    def learn(self, picture, row, text):
        for column, character in enumerate(text):
            known = self.glyphs.setdefault(self.cell(picture, column, row), character)
            runner.expect(known == character, f"'{character}' looks like '{known}' in row {row}, column {column} of the terminal")

    def text(self, picture):
        return [self.row_text(picture, row) for row in range(ROWS)]

    def row_text(self, picture, row):
        return "".join(self.glyphs.get(self.cell(picture, column, row), "\N{REPLACEMENT CHARACTER}")
                       for column in range(COLUMNS)).rstrip()


class Guest:
    def __init__(self, options, folder, words):
        self.folder = folder
        self.serial, self.report = folder / "serial", folder / "report.json"
        command = [options.reprise, "run", *words, "--engine", options.engine, "--memory", "1G", "--serial", f"file:{self.serial}",
                   "--monitor", f"unix:{folder}/monitor", "--json", self.report, "--wall-timeout", "1500"]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.monitor = monitor.Client(folder / "monitor")
        self.screen = self.terminal = self.pointer = None

    def picture(self):
        path = self.folder / "screen.ppm"
        self.monitor.ask("screenshot", file=str(path))
        picture = Picture(path)
        path.unlink()
        return picture

    def wait_for(self, shows, what, seconds=900):
        """Looks at the screen until `shows` is true of the picture, which is returned."""
        end = time.monotonic() + seconds
        while True:
            picture = self.picture()
            if shows(picture):
                return picture
            if time.monotonic() > end or self.process.poll() is not None:
                self.fails(f"the screen does not show {what}")
            time.sleep(0.3)

    def let_pass(self, milliseconds):
        """Of the guest's time: on a busy host it falls behind."""
        end = self.monitor.ask("status")["virtual_ns"] + milliseconds * 1_000_000
        while self.monitor.ask("status")["virtual_ns"] < end:
            time.sleep(0.01)

    def fails(self, message):
        path = pathlib.Path(tempfile.gettempdir(), f"desktop-{self.process.pid}.png")
        self.monitor.ask("screenshot", file=str(path))
        raise runner.Failure(f"{message}; see '{path}'")

    def expect(self, condition, message):
        if not condition:
            self.fails(message)

    def place(self, x, y):
        """Of a pixel, in the monitor's units."""
        width, height = self.screen.size
        return {"x": (2 * x + 1) * 32768 // (2 * width), "y": (2 * y + 1) * 32768 // (2 * height)}

    def move(self, x, y):
        self.monitor.ask("mouse to", **self.place(x, y))

    def click(self, x, y, button="left"):
        self.monitor.ask("click", button=button, **self.place(x, y))

    def type(self, text):
        self.monitor.ask("type", text=text.replace("\\", "\\\\").replace("\n", "\\n"))

    def command(self, line):
        """Runs `line` in the terminal; the rows that it prints."""
        self.type("clear\n")
        self.wait_for(lambda picture: self.terminal.text(picture)[0].startswith(PROMPT.rstrip()) and
                      not any(self.terminal.text(picture)[1:]), "an empty terminal")
        self.type(line + "; echo done\n")
        rows = []

        def done(picture):
            rows[:] = self.terminal.text(picture)
            return "done" in rows
        self.wait_for(done, f"the end of '{line}'")
        lines_of_command = -(-len(PROMPT + line + "; echo done") // COLUMNS)
        return rows[lines_of_command:rows.index("done")]

    def wait_for_desktop(self, width, height, tolerance):
        wait_for_desktop(self, width, height, tolerance)

    def power_off(self):
        self.monitor.ask("powerdown")
        output = self.process.communicate(timeout=300)[0]
        runner.expect(self.process.returncode == 0, f"exit code {self.process.returncode} after the power button: {output}")

    def close(self):
        self.process.kill()
        self.process.wait()


# --- What is done in a guest ---

def graphical_menu(guest, entry):
    """GRUB's menu in graphics, of which the chosen line alone changes; starts `entry`."""
    def is_menu(picture):
        # The theme's picture: many colors, the background of nothing else.
        return picture.size() == (1024, 768) and len(set(picture.region(0, 200, 100, 200))) > 100
    guest.wait_for(is_menu, "GRUB's graphical menu")
    guest.monitor.ask("sendkey", keys="down")
    time.sleep(3)
    before = guest.picture()
    guest.monitor.ask("sendkey", keys="up")
    guest.wait_for(lambda picture: picture.differs(before), "the menu's first line chosen")
    time.sleep(1)
    left, top, right, bottom = guest.picture().differs(before)
    guest.expect(40 < bottom - top < 120 and right - left > 200, f"choosing another line changed {left},{top} to {right},{bottom}")
    for _ in range(entry):
        guest.monitor.ask("sendkey", keys="down")
    guest.monitor.ask("sendkey", keys="ret")


def wait_for_desktop(guest, width, height, tolerance=0):
    guest.screen = screen = Screen(width, height, tolerance)

    def is_desktop(picture):
        return (picture.size() == (width, height) and screen.is_wallpaper(picture, 0, height - 2 * TASK_BAR, width, TASK_BAR) and
                picture.row(*IN_TERMINAL, 9) == WHITE * 9 and picture.pixel(width - 90, 60) == (255, 255, 255))
    guest.wait_for(is_desktop, "the desktop")


def learn_font(guest):
    """The terminal shows what is typed, so its glyphs are known."""
    guest.click(*IN_TERMINAL)
    guest.terminal = terminal = Terminal(guest.picture())
    half = len(CHARACTERS) // 2
    for row, characters in enumerate((CHARACTERS[:half], CHARACTERS[half:])):
        guest.type("# " + characters)
        typed = PROMPT + "# " + characters
        last = len(typed) - 1
        guest.wait_for(lambda picture: terminal.cell(picture, last, row) != WHITE * (CELL_WIDTH * CELL_HEIGHT) and
                       terminal.cell(picture, last + 1, row) != WHITE * (CELL_WIDTH * CELL_HEIGHT), "what was typed")
        terminal.learn(guest.picture(), row, typed)
        guest.type("\n")
    # Off the text.
    guest.move(60, guest.screen.size[1] - 100)


def typing(guest):
    """Every character arrives as it was typed, in order."""
    text = (CHARACTERS + " ") * 2
    wanted = hashlib.sha256(text.encode()).hexdigest()
    printed = guest.command(f"echo -n '{text}' | sha256sum")
    guest.expect(printed[:1] == [wanted + "  -"], f"the guest was typed something else: {printed}")


def colors(guest):
    guest.command(r"for i in 0 1 2 3 4 5 6 7; do printf '\033[4%sm     ' $i; done; printf '\033[m\n'")
    picture = guest.picture()
    terminal = guest.terminal
    row = next(row for row in range(ROWS) if picture.pixel(terminal.left, terminal.top + row * CELL_HEIGHT + 7) == COLORS[0])
    for number, color in enumerate(COLORS):
        shown = picture.pixel(terminal.left + 5 * CELL_WIDTH * number + 20, terminal.top + row * CELL_HEIGHT + 7)
        guest.expect(all(abs(a - b) <= guest.screen.tolerance for a, b in zip(shown, color)), f"color {number} of xterm is {shown}")


def points_to(guest, places):
    """The pointer is where it was sent to, on the wallpaper."""
    for x, y in places:
        guest.move(x, y)
        around = x - 30, y - 30, min(60, guest.screen.size[0] - x + 30), 60
        guest.wait_for(lambda picture: guest.screen.strange(picture, *around), f"the pointer at {x},{y}")
        left, top, right, bottom = guest.screen.strange(guest.picture(), *around)
        guest.expect(left <= x <= left + 12 and top <= y <= top + 12 and right - left < 28 and bottom - top < 28,
                     f"the pointer at {x},{y} is from {left},{top} to {right},{bottom}")


def pointing(guest):
    """The pointer is where it was sent to, and windows see it."""
    width, height = guest.screen.size
    points_to(guest, ((width - 250, height - 150), (60, height - 100), (width - 20, height - 60)))
    eyes = guest.picture().region(width - 240, 40, 200, 150)
    guest.move(60, height - 100)
    guest.wait_for(lambda picture: picture.region(width - 240, 40, 200, 150) != eyes, "eyes that look elsewhere")


def menus(guest):
    height = guest.screen.size[1]
    guest.click(20, height - 12)
    above = 10, height - 2 * TASK_BAR, 60, TASK_BAR - 10
    guest.wait_for(lambda picture: not guest.screen.is_wallpaper(picture, *above), "the menu of the task bar")
    guest.monitor.ask("sendkey", keys="esc")
    guest.wait_for(lambda picture: guest.screen.is_wallpaper(picture, *above), "a menu that is closed")


def dragging(guest):
    """Moves the terminal by its title, and back."""
    guest.command("echo what is in the window goes with it")
    terminal = guest.terminal
    inside = terminal.left, terminal.top + CELL_HEIGHT, 8 * COLUMNS, 2 * CELL_HEIGHT  # below the pointer
    content = guest.picture().region(*inside)
    x, y = IN_TITLE
    dx, dy = 24, 48
    for sign in (1, -1):
        guest.move(x, y)
        guest.monitor.ask("mouse buttons", mask=1)
        # As hands do: a mouse reports 100 times a second, and the window manager takes hold of a window by a movement.
        for part in range(1, 5):
            guest.let_pass(50)
            guest.move(x + sign * dx * part // 4, y + sign * dy * part // 4)
        # It moves the window by what it drew last.
        guest.let_pass(500)
        guest.monitor.ask("mouse buttons", mask=0)
        guest.let_pass(500)
        x, y = x + sign * dx, y + sign * dy
        left, top = inside[0] + (dx if sign > 0 else 0), inside[1] + (dy if sign > 0 else 0)
        guest.wait_for(lambda picture: picture.region(left, top, *inside[2:]) == content, "the window where it was dragged to")
        if sign > 0:
            guest.wait_for(lambda picture: guest.screen.is_wallpaper(picture, 30, 30, 300, 30), "the wallpaper where the window was")


def virtual_terminals(guest):
    """To a text console and back."""
    width, height = guest.screen.size
    guest.move(60, height - 100)
    guest.command("echo still there")
    below = 0, height - 2 * TASK_BAR, width, TASK_BAR
    content = guest.picture().region(0, 0, width - 260, height - 2 * TASK_BAR)
    guest.monitor.ask("sendkey", keys="ctrl-alt-f2")
    picture = guest.wait_for(lambda picture: picture.pixel(width - 5, height - 100) == (0, 0, 0), "a text console")
    guest.type("root\n")
    guest.wait_for(lambda now: now.differs(picture), "what was typed on the console")
    guest.monitor.ask("sendkey", keys="ctrl-alt-f7")
    guest.wait_for(lambda picture: guest.screen.is_wallpaper(picture, *below) and
                   picture.region(0, 0, width - 260, height - 2 * TASK_BAR) == content, "the desktop again")


def resizing(guest):
    """X changes the mode while it runs."""
    for width, height in ((800, 600), (1280, 800)):
        guest.type(f"xrandr -s {width}x{height}\n")
        screen = Screen(width, height)
        guest.wait_for(lambda picture: picture.size() == (width, height) and
                       screen.is_wallpaper(picture, 100, height - 2 * TASK_BAR, width - 200, TASK_BAR), f"{width}x{height}")


def driver_is(framebuffer, x_driver):
    def driver(guest):
        printed = guest.command(f"cat /proc/fb; grep -c '{x_driver}(0)' /var/log/Xorg.0.log")
        guest.expect(printed[0] == f"0 {framebuffer}" and int(printed[1]) > 10, f"X runs on {printed}")
    return driver


# --- The same on Wayland, whose terminal is where the compositor puts it ---

def black_box(picture):
    """Left, top, right and bottom of what is black: the inside of the terminal. None: there is none."""
    run = bytes(3 * 200)
    rows = [(row.find(run) // 3, row.rfind(run) // 3 + 200, y) for y in range(picture.height)
            if run in (row := picture.row(0, y, picture.width))]
    if len(rows) < 100:
        return None
    return min(row[0] for row in rows), rows[0][2], max(row[1] for row in rows), rows[-1][2] + 1


def wait_for_wayland(guest, width, height, tolerance):
    guest.screen = screen = Screen(width, height, tolerance)

    def is_desktop(picture):
        return picture.size() == (width, height) and screen.is_wallpaper(picture, 0, 0, width, 20) and black_box(picture)
    guest.wait_for(is_desktop, "weston with a terminal")


def wayland_pointing(guest):
    width, height = guest.screen.size
    points_to(guest, ((60, height - 40), (width - 60, 40)))


def wayland_typing(guest):
    """A terminal that is clicked on takes keys: it shows a red bar where it was told to."""
    left, top, right, bottom = black_box(guest.picture())
    guest.click((left + right) // 2, (top + bottom) // 2)
    guest.type(r"clear; printf '\033[41m%60s\033[m\n' ''" + "\n")

    def red(picture):
        return [x for x in range(left, right) if picture.pixel(x, top + 8)[0] > 100 and max(picture.pixel(x, top + 8)[1:]) < 20]
    guest.wait_for(lambda picture: len(red(picture)) > 500, "a red bar in the terminal")
    columns = red(guest.picture())
    guest.expect(columns == list(range(columns[0], columns[-1] + 1)), "the bar has gaps")


def wayland_dragging(guest):
    left, top, right, bottom = black_box(guest.picture())
    title, dx, dy = (left + 200, top - 14), -80 if left > 200 else 80, -60 if top > 200 else 60
    guest.move(*title)
    guest.monitor.ask("mouse buttons", mask=1)
    for part in range(1, 5):
        guest.let_pass(100)
        guest.move(title[0] + dx * part // 4, title[1] + dy * part // 4)
    guest.let_pass(500)
    guest.monitor.ask("mouse buttons", mask=0)
    # Where its bar begins is no part of what is black.
    guest.wait_for(lambda picture: (box := black_box(picture)) and (box[0], box[3]) == (left + dx, bottom + dy),
                   "the window where it was dragged to")


class Mouse(Guest):
    """Its pointer is a PS/2 mouse, which knows movements only."""

    def move(self, x, y):
        # X begins in the middle.
        was_x, was_y = self.pointer or (self.screen.size[0] // 2, self.screen.size[1] // 2)
        self.pointer = x, y
        self.monitor.ask("mouse move", dx=x - was_x, dy=y - was_y)

    def click(self, x, y, button="left"):
        self.move(x, y)
        self.monitor.ask("click", button=button)


class Wayland(Guest):
    def wait_for_desktop(self, width, height, tolerance):
        wait_for_wayland(self, width, height, tolerance)


ALL = [learn_font, typing, colors, pointing, menus, dragging, virtual_terminals]
TABLET = ["--device", "virtio-tablet", "--device", "virtio-keyboard"]
UEFI = ["--bios", "ovmf"]
# Name: image, further options, kind of guest, entry of the menu, size of the screen, inexactness of colors, what is done.
PARTS = {
    "bios": ("desktop-bios.img", TABLET, Guest, 0, (1280, 800), 0, [*ALL, driver_is("bochs-drmdrmfb", "modeset"), resizing]),
    "wayland": ("desktop-bios.img", TABLET, Wayland, 4, (1280, 800), 0, [wayland_pointing, wayland_typing, wayland_dragging]),
    "vesafb": ("desktop-bios.img", [], Mouse, 1, (1024, 768), 0, [*ALL, driver_is("VESA VGA", "FBDEV")]),
    "vesafb16": ("desktop-bios.img", TABLET, Guest, 2, (1024, 768), 8, [*ALL, driver_is("VESA VGA", "FBDEV")]),
    "efi": ("desktop-efi.img", [*UEFI, "--display-size", "1600x900"], Mouse, 0, (1600, 900), 0,
            [*ALL, driver_is("bochs-drmdrmfb", "modeset")]),
    "efifb": ("desktop-efi.img", [*UEFI, *TABLET], Guest, 1, (1024, 768), 0, [*ALL, driver_is("EFI VGA", "FBDEV")]),
}
# Instructions until the desktop is there, without a touch.
UNTOUCHED, HASH_EVERY = 32_000_000_000, 4_000_000_000


def run(options, name, folder):
    image, words, kind, entry, size, tolerance, parts = PARTS[name]
    guest = kind(options, folder, [options.disks / image, *words])
    try:
        print("graphical_menu", flush=True)
        graphical_menu(guest, entry)
        print("wait_for_desktop", flush=True)
        guest.wait_for_desktop(*size, tolerance)
        for part in parts:
            print(part.__name__, flush=True)
            part(guest)
        guest.power_off()
    finally:
        guest.close()


def twice(options, folder):
    """The same run gives the same picture."""
    results = []
    for number in (1, 2):
        screen, report = folder / f"screen{number}.ppm", folder / f"report{number}.json"
        command = [options.reprise, "run", options.disks / "desktop-bios.img", "--engine", options.engine, "--memory", "1G",
                   "--serial", "null", "--hash-every", HASH_EVERY, "--stop-at", UNTOUCHED, "--dump-screen", screen, "--json", report,
                   "--wall-timeout", "1500"]
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        runner.expect(done.returncode == 0, f"exit code {done.returncode}: {done.stdout}")
        results.append((json.loads(report.read_text())["hashes"], screen.read_bytes()))
        picture = Picture(screen)
        runner.expect(picture.size() == (1280, 800) and Screen(1280, 800).is_wallpaper(picture, 100, 500, 1000, 200),
                      f"'{screen.name}' does not show the desktop")
    runner.expect(results[0] == results[1], "two runs differ")


def test(options):
    options.disks = pathlib.Path(options.disks)
    if not (options.disks / "desktop-bios.img").exists() or not (options.disks / "desktop-efi.img").exists():
        print(f"SKIP: '{options.disks}' has no desktop-bios.img and desktop-efi.img: './dev images --long' makes them")
        sys.exit(77)
    for name in [options.part] if options.part else [*PARTS, "twice"]:
        print(f"-- {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            if name == "twice":
                twice(options, pathlib.Path(folder))
            else:
                run(options, name, pathlib.Path(folder))


def add_arguments(parser):
    parser.add_argument("--disks", default="build/disks", help="folder with desktop-bios.img and desktop-efi.img")
    parser.add_argument("--part", choices=[*PARTS, "twice"], help="only this one")


if __name__ == "__main__":
    runner.main(test, __doc__, add_arguments)
