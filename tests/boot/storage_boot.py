#!/usr/bin/env python3
"""SeaBIOS boots from disks and CD-ROMs on IDE and AHCI and reads all of them through int 13h; the interpreter and another
engine come to the same state. Of several drives it boots the first of the command line, or what --boot says."""

import json
import pathlib
import struct
import subprocess
import tempfile

import floppy
import runner
import session

BOOT_CODE = pathlib.Path(__file__).with_name("storage_boot.asm")
CD_BLOCK = 2048
BOOT_BLOCK = 20


def assemble(path, blocks, block_bytes):
    chunk = 32768 // block_bytes
    runner.assemble(BOOT_CODE, path, f"-DBLOCKS={blocks}", f"-DBLOCK_BYTES={block_bytes}", f"-DCHUNK={chunk}")
    return path.read_bytes()


def filling(length):
    return b"".join(struct.pack("<I", i * 2654435761 % (1 << 32)) for i in range(length // 4))


def disk(path, length):
    image = bytearray(filling(length))
    image[:512] = assemble(path, length // 512, 512)
    path.write_bytes(image)
    return image


def disc(path, length):
    """An ISO 9660 image with nothing but El Torito: no emulation, one sector of boot code."""
    image = bytearray(filling(length))

    def block(index, data):
        image[index * CD_BLOCK:(index + 1) * CD_BLOCK] = data.ljust(CD_BLOCK, b"\0")

    block(16, b"\1CD001\1")
    block(17, b"\0CD001\1" + b"EL TORITO SPECIFICATION".ljust(64, b"\0") + struct.pack("<I", 19))
    block(18, b"\xffCD001\1")
    validation = bytearray(struct.pack("<BBH24sHBB", 1, 0, 0, b"", 0, 0x55, 0xaa))
    struct.pack_into("<H", validation, 28, -sum(struct.unpack("<16H", validation)) & 0xffff)
    block(19, bytes(validation) + struct.pack("<BBHBBHI", 0x88, 0, 0, 0, 0, 4, BOOT_BLOCK))
    block(BOOT_BLOCK, assemble(path, length // CD_BLOCK, CD_BLOCK))
    path.write_bytes(image)
    return image


def run(options, engine, words, folder):
    console, report = folder / "console", folder / "report"
    command = [options.reprise, "run", "--bios", "seabios", *words, "--serial", f"file:{console}", "--memory", "32M", "--engine",
               engine, "--timeout", "60", "--wall-timeout", "300", "--json", report]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=360)
    runner.expect(done.returncode == 0, f"{words}: exit code {done.returncode}: {done.stdout.decode(errors='replace')}")
    text = console.read_text(errors="replace") if console.exists() else ""
    facts = json.loads(report.read_text()) if report.exists() else {}
    return text, done.stdout.decode(errors="replace"), {key: facts.get(key) for key in ("instructions", "virtual_ns", "state_hash")}


def check(options, bus, media, folder):
    image = folder / f"{bus}.{media}"
    content = (disc if media == "cdrom" else disk)(image, 4 << 20)
    total = sum(struct.unpack(f"<{len(content) // 4}I", content)) % (1 << 32)
    words = ["--disk", f"{image},bus={bus},media={media},format=raw"]
    text, messages, facts = run(options, options.engine, words, folder)
    runner.expect(f"sum {total:08x}" in text, f"{media} on {bus}: not 'sum {total:08x}' but {text[-300:]!r} {messages}")
    if options.engine != "interp":
        other = run(options, "interp", words, folder)[2]
        runner.expect(facts == other, f"{media} on {bus}: {options.engine} {facts}, interp {other}")
    print(f"{media} on {bus}: {facts}")


def boot_order(options, folder):
    """Which of several bootable drives starts: each says the sum of its own content."""
    drives, sums = {}, {}
    for number, (name, bus, media) in enumerate([("ide", "ide", "disk"), ("virtio", "virtio", "disk"), ("ahci", "ahci", "disk"),
                                                 ("cd", "ide", "cdrom"), ("ahci-cd", "ahci", "cdrom")]):
        image = folder / f"order.{name}"
        content = (disc if media == "cdrom" else disk)(image, (number + 1) << 19)
        sums[name] = f"sum {sum(struct.unpack(f'<{len(content) // 4}I', content)) % (1 << 32):08x}"
        drives[name] = ["--disk", f"{image},bus={bus},media={media},format=raw"]
    floppy.make_image(folder / "order.floppy", 1440)
    drives["floppy"], sums["floppy"] = ["--floppy", folder / "order.floppy"], "hello from the floppy"
    drives["no disc"] = ["--cdrom", ""]
    for order, boot, wanted in [
            (["ide", "cd", "floppy"], None, "ide"), (["cd", "ide", "floppy"], None, "cd"), (["floppy", "ide", "cd"], None, "floppy"),
            (["ide", "virtio", "ahci"], None, "ide"), (["ide", "virtio", "ahci"], "disk1", "virtio"),
            (["ide", "virtio", "ahci"], "disk2", "ahci"), (["ahci", "ide", "ahci-cd"], "cdrom", "ahci-cd"),
            (["ide", "no disc", "cd"], "cdrom", "cd"), (["ide", "cd", "floppy"], "floppy,cdrom", "floppy"),
            (["virtio", "ide"], "menu=on", "virtio")]:
        words = [word for name in order for word in drives[name]] + (["--boot", boot] if boot else [])
        text, messages, _ = run(options, options.engine, words, folder)
        runner.expect(sums[wanted] in text, f"{order}, --boot {boot}: not {wanted} started: {text[-300:]!r} {messages}")
        menu = "Press ESC for boot menu" in text
        runner.expect(menu == (boot == "menu=on"), f"{order}, --boot {boot}: boot menu {menu}")
        print(f"{order}, --boot {boot}: {wanted}")


def boot_menu(options, folder):
    """The second of two disks, chosen by a person on the serial port."""
    words, last = ["--boot", "menu=on", "--memory", "32M", "--wall-timeout", "120"], 0
    for number, bus in enumerate(("ide", "virtio")):
        content = disk(folder / f"menu.{bus}", (number + 1) << 19)
        words += ["--disk", f"{folder}/menu.{bus},bus={bus},format=raw"]
        last = sum(struct.unpack(f"<{len(content) // 4}I", content)) % (1 << 32)

    def body(terminal):
        terminal.wait_for(b"Press ESC for boot menu", 60)
        terminal.write(b"\x1b")
        terminal.wait_for(b"2. Virtio disk", 60)
        terminal.type(b"2")
        terminal.wait_for(f"sum {last:08x}".encode(), 60)
        code = terminal.wait_for_end(60)
        runner.expect(code == 0, f"exit code {code}")

    session.run(options, words, body)
    print("boot menu")


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        for bus in ("ide", "ahci"):
            for media in ("disk", "cdrom"):
                check(options, bus, media, pathlib.Path(folder))
        boot_order(options, pathlib.Path(folder))
        boot_menu(options, pathlib.Path(folder))


if __name__ == "__main__":
    runner.main(test, __doc__)
