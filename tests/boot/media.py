#!/usr/bin/env python3
"""What other people made to be booted, through SeaBIOS, OVMF or directly: by what each shows on its screen or prints, as
far as it can get without a keyboard, a network or a disk to install to."""

import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import floppy
import graphics
import monitor
import runner
import session


def run(options, words, seconds, read_screen=pathlib.Path.read_text, screen_name="screen"):
    """Ends after `seconds` of the guest's time. Returns exit code, serial output, what the screen shows."""
    with tempfile.TemporaryDirectory() as folder:
        console, screen = pathlib.Path(folder, "console"), pathlib.Path(folder, screen_name)
        command = [options.reprise, "run", *words, "--engine", options.engine, "--serial", f"file:{console}", "--timeout",
                   seconds, "--wall-timeout", 600, "--dump-screen", screen]
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=700)
        runner.expect(done.returncode in (0, 12), f"exit code {done.returncode}: {done.stdout.decode(errors='replace')}")
        return done.returncode, console.read_text(errors="replace"), read_screen(screen) if screen.exists() else ""


def expect_all(what, text, *wanted):
    for words in wanted:
        runner.expect(words in text, f"{what} does not say '{words}': ...{text[-1500:]}")


def memtest(options, media):
    _, _, screen = run(options, [media / "memtest86+.iso", "--memory", "64M"], 6)
    expect_all("Memtest86+", screen, "Memtest86+ v", "Test #", "Errors: 0", "64MB")


def grub_cdrom(options, media):
    _, _, screen = run(options, [media / "grub-rescue.iso", "--memory", "64M"], 2)
    expect_all("GRUB from a CD-ROM", screen, "GNU GRUB", "The highlighted entry will be executed automatically")


def grub_floppy(options, media):
    _, _, screen = run(options, ["--floppy", media / "grub-rescue-floppy.img", "--memory", "64M"], 20)
    expect_all("GRUB from a floppy disk", screen, "GNU GRUB")


def syslinux_floppy(options, media):
    """A 16-bit boot loader that takes commands, and MEMDISK, which answers int 13h from memory in its place."""
    with tempfile.TemporaryDirectory() as folder:
        outer, inner = pathlib.Path(folder, "outer.img"), pathlib.Path(folder, "inner.img")
        shutil.copyfile(media / "syslinux-floppy.img", outer)
        floppy.make_image(inner, 360)
        subprocess.run(["mcopy", "-i", outer, inner, "::inner.img"], check=True)

        def body(guest):
            guest.wait_for(b"boot:")
            guest.type(b"nothing\r")
            guest.wait_for(b"boot:")
            guest.type(b"inner\r")
            guest.wait_for(b"Loading boot sector... booting...")
            runner.expect(guest.wait_for_end() == 0, "the boot sector in MEMDISK did not switch the machine off")
            expect_all("MEMDISK", guest.seen.decode(errors="replace"), "hello from the floppy", "sector 719")

        session.run(options, ["--floppy", outer, "--memory", "64M", "--clock", "free"], body)


MENU = "".join(f"{line}\n" for line in (
    "UI vesamenu.c32", "PROMPT 0", "TIMEOUT 0", "MENU TITLE what there is", "LABEL one", "MENU LABEL the first", "KERNEL memdisk",
    "INITRD inner.img", "LABEL two", "MENU LABEL the second", "KERNEL memdisk", "INITRD inner.img"))


def syslinux_menu(options, media):
    """A menu in a VESA mode, drawn and scrolled by 32-bit code that calls the video BIOS; keys move its bar and start an entry."""
    if not (media / "syslinux").exists():
        print(f"'{media}' is older than this part: tests/guests/build_media.py --refresh adds what it needs")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        outer, inner = folder / "outer.img", folder / "inner.img"
        shutil.copyfile(media / "syslinux-floppy.img", outer)
        floppy.make_image(inner, 360)
        (folder / "syslinux.cfg").write_text(MENU)
        subprocess.run(["mcopy", "-o", "-i", outer, folder / "syslinux.cfg", inner, *sorted((media / "syslinux").iterdir()), "::"],
                       check=True)
        run = subprocess.Popen([str(word) for word in (options.reprise, "run", "--floppy", outer, "--memory", "64M", "--engine",
                                options.engine, "--serial", f"file:{folder}/console", "--monitor", f"unix:{folder}/monitor",
                                "--wall-timeout", 300)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            client = monitor.Client(folder / "monitor")

            def rows():
                """Those in which the bar, which is redder than anything else, covers the menu; nothing before there is one."""
                (folder / "screen.ppm").unlink(missing_ok=True)
                client.ask("screenshot", file=f"{folder}/screen.ppm")
                width, height, pixels = graphics.read_ppm(folder / "screen.ppm")
                if (width, height) != (640, 480):
                    return []
                at = [3 * (y * width + 400) for y in range(height)]
                return [y for y in range(height) if pixels[at[y]] > pixels[at[y] + 1] + 20]

            def wait_for(condition, what):
                end = time.monotonic() + 120
                while not condition(now := rows()):
                    runner.expect(time.monotonic() < end and run.poll() is None, f"SYSLINUX's menu: {what}: {now}")
                    time.sleep(0.1)
                return now

            first = wait_for(lambda now: len(now) >= 12, "no bar")
            client.ask("sendkey", keys="down")
            wait_for(lambda now: now and now[0] == first[0] + 16 and len(now) == len(first), f"the bar did not move from {first}")
            client.ask("sendkey", keys="ret")
            said = run.communicate(timeout=120)[0]
            runner.expect(run.returncode == 0, f"SYSLINUX's menu: exit code {run.returncode}: {said}")
            expect_all("MEMDISK", (folder / "console").read_text(errors="replace"), "hello from the floppy", "sector 719")
        finally:
            run.kill()
            run.wait()


def ipxe(options, media):
    _, console, screen = run(options, [media / "ipxe.iso", "--net", "none", "--memory", "64M"], 3)
    expect_all("ISOLINUX", screen, "ISOLINUX", "Loading ipxe.krn... ok")
    expect_all("iPXE", console, "Open Source Network Boot Firmware", "No more network devices")


def installer(options, media):
    _, console, _ = run(options, ["--kernel", media / "installer/linux", "--initrd", media / "installer/initrd.gz", "--append",
                                  "console=ttyS0 DEBIAN_FRONTEND=text", "--memory", "1G"], 30)
    expect_all("Debian's installer", console, "Select a language", "English")


def installer_screen(options, media):
    """In text mode: colors, and frames of line drawing characters, whose ninth dot is their eighth."""
    _, _, (width, height, pixels) = run(
        options, ["--kernel", media / "installer/linux", "--initrd", media / "installer/initrd.gz", "--append",
                  "vga=normal fb=false modprobe.blacklist=bochs", "--memory", "1G"], 25, graphics.read_ppm, "screen.ppm")
    runner.expect((width, height) == (720, 400), f"the installer's screen has {width}x{height} dots")

    def color_of(x, y, columns=1):
        colors = {tuple(pixels[at:at + 3]) for at in range(3 * (y * width + x), 3 * (y * width + x + columns), 3)}
        return colors.pop() if len(colors) == 1 else colors

    black, blue, red, gray, white = (graphics.EGA[number] for number in (0, 1, 4, 7, 15))
    last = 16 * 24
    title = {color_of(x, y) for x in range(9 * 33, 9 * 48) for y in range(16, 32)}
    for what, shown, wanted in (("the left", color_of(0, 0, 18), blue), ("the window", color_of(9 * 3, 16 * 6 + 8, 9 * 60), gray),
                                ("the frame below", color_of(9 * 4, 16 * 22 + 7, 9 * 70), black),
                                ("the frame at the left", {color_of(9 * 2 + 4, y) for y in range(16 * 2, 16 * 21)}, {black}),
                                ("the title", title, {red, gray}),
                                ("the shadow", color_of(9 * 10, 16 * 22 + 18, 9 * 60), black),
                                ("the last line", {color_of(x, y) for x in range(9 * 55) for y in range(last, 400)}, {white, blue})):
        runner.expect(shown == wanted, f"{what} is {shown} instead of {wanted}")


def pae_kernel(options, media):
    code, console, _ = run(options, ["--kernel", media / "pae/vmlinuz", "--initrd", media / "pae/initramfs.img", "--append",
                                     "console=ttyS0", "--memory", "4608M"], 60)
    digest = hashlib.sha256(b"".join(b"%d\n" % i for i in range(1, 100001))).hexdigest()
    expect_all("the 32-bit kernel", console, f"pae: i686 {digest}")
    memory_kib = int(console.split("MemTotal:")[1].split()[0])
    runner.expect(memory_kib > 4 << 20, f"the 32-bit kernel sees {memory_kib} KiB: PAE does not reach above 4 GiB")
    runner.expect(code == 0, f"exit code {code} after the power-off")


def ovmf_shell(options, _media):
    with tempfile.TemporaryDirectory() as folder:
        variables = pathlib.Path(folder, "variables.fd")
        _, console, _ = run(options, ["--bios", "ovmf", "--bios-vars", variables, "--memory", "256M"], 60)
        expect_all("OVMF", console, "UEFI Interactive Shell", "Shell>")
        runner.expect(b"B\0o\0o\0t\0O\0r\0d\0e\0r\0" in variables.read_bytes(), "the variable store has no BootOrder")


def test(options):
    media = pathlib.Path(options.media)
    if not (media / "packages.txt").exists():
        print(f"SKIP: '{media}' is missing: tests/guests/build_media.py makes it")
        sys.exit(77)
    for part in (memtest, grub_cdrom, grub_floppy, syslinux_floppy, syslinux_menu, ipxe, installer, installer_screen, pae_kernel, ovmf_shell):
        if not options.only or options.only == part.__name__:
            print(part.__name__, flush=True)
            part(options, media)


def add_arguments(parser):
    parser.add_argument("--media", default="build/media", help="folder made by tests/guests/build_media.py")
    parser.add_argument("--only", help="one part")


runner.main(test, __doc__, add_arguments)
