#!/usr/bin/env python3
"""Wrong files and wrong options: one clear sentence on stderr that names the culprit, the right exit code, no crash."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import runner

USAGE, HOST_ERROR = 2, 20


def cases(options, folder):
    """Yields (title, arguments, exit code, word that the sentence must hold)."""
    kernel, initrd = str(options.kernel), str(options.initrd)
    image = pathlib.Path(kernel).read_bytes()

    def file(name, content):
        path = pathlib.Path(folder, name)
        path.write_bytes(content)
        return str(path)

    empty = file("empty", b"")
    text = file("text", b"This is not a kernel.\n" * 400)
    zeros = file("zeros", bytes(1 << 20))
    setup_only = file("setup-only", image[:2048])
    cut = file("cut", image[: len(image) // 2])
    boot_sector = file("boot-sector", image[:512])
    cut_early = {size: file(f"cut-{size}", image[:size]) for size in (256, 450, 515, 600)}
    elf_head = file("elf-head", b"\x7fELF\x02\x01\x01" + bytes(9) + bytes(8))
    elf_wild = file("elf-wild", wild_elf())
    multiboot_head = file("multiboot-head", b"\x7fELF\x01\x01\x01" + bytes(9))
    missing = str(pathlib.Path(folder, "missing"))
    run = ["run", "--kernel", kernel]

    vmdk = file("image.vmdk", b"KDMV" + bytes(4092))
    packed = file("image.xz", b"\xfd7zXZ\0" + bytes(4090))
    damaged = file("image.qcow2", b"QFI\xfb\0\0\0\3" + b"\xff" * 4088)
    for title, disk in [("missing disk", missing), ("empty disk", empty), ("folder as disk", folder), ("VMDK as disk", vmdk),
                        ("packed disk", packed), ("damaged qcow2 as disk", damaged), ("device that is no disk", "/dev/null")]:
        yield title, [*run, "--disk", disk], HOST_ERROR, pathlib.Path(disk).name
        yield title + " without a kernel", ["run", disk], HOST_ERROR, pathlib.Path(disk).name
    yield "missing CD-ROM", [*run, "--cdrom", missing], HOST_ERROR, "missing"
    yield "missing floppy", [*run, "--floppy", missing], HOST_ERROR, "missing"
    yield "unknown bus", [*run, "--disk", f"{text},bus=scsi"], USAGE, "bus=scsi"
    yield from misplaced_files(run, file, kernel, initrd)
    yield "address given to two cards", ["run", "--bios", "seabios", "--device", "virtio-rng,addr=5", "--device",
                                         "i6300esb,addr=5"], USAGE, "addr=5"
    yield "unit given to two drives", [*run, "--device", f"ide-hd,file={zeros},unit=1", "--device",
                                       f"ide-cd,file={text},unit=1"], USAGE, "unit=1"
    yield "unit that the bus lacks", [*run, "--device", f"ide-hd,file={zeros},unit=5"], USAGE, "unit=5"
    yield "ports that are taken", [*run, "--device", "isa-debug-exit,iobase=0x60"], USAGE, "0x60"
    yield "boot from a disk that is missing", ["run", "--bios", "seabios", "--boot", "disk3"], USAGE, "disk3"
    yield "three floppies", [*run, "--floppy", "", "--floppy", "", "--floppy", ""], USAGE, "leave one out"
    yield "five disks on IDE", [*run, *[word for _ in range(5) for word in ("--device", f"ide-cd")]], USAGE, "IDE"
    yield "image that is written and used twice", [*run, "--disk", f"{zeros},write=yes", "--disk", zeros], USAGE, "zeros"
    link = str(pathlib.Path(folder, "link"))
    os.symlink("not-there-yet", link)
    not_there_yet = str(pathlib.Path(folder, "not-there-yet"))
    yield "report and serial output in one file by a link", [*run, "--json", link, "--serial", f"file:{not_there_yet}"], USAGE, "two files"
    if shutil.which("qemu-img"):
        base, over = file("base.img", bytes(1 << 20)), str(pathlib.Path(folder, "over.qcow2"))
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, over], check=True)
        yield "report over what an image lies over", ["run", over, "--json", base], USAGE, "lies over"
        yield "what an image lies over is written", ["run", over, "--disk", f"{base},write=yes"], USAGE, "lies over"
    yield "report over a disk", [*run, "--disk", zeros, "--json", zeros], USAGE, "zeros"
    yield "missing file with a near name", [*run, "--disk", zeros[:-1]], HOST_ERROR, "(there is"
    yield "floppy of an unknown size", [*run, "--floppy", file("odd-floppy", bytes(1500 * 1024))], HOST_ERROR, "odd-floppy"
    yield "floppy of a disk's size", [*run, "--floppy", file("large-floppy", bytes(4 << 20))], HOST_ERROR, "large-floppy"
    yield "image by a foreign ending", ["image", "create", "new.vmdk", "1M"], USAGE, "new.vmdk"
    big = file("big.vmdk", b"KDMV" + bytes(4092))
    os.truncate(big, 8 << 30)
    yield "disk image larger than memory as kernel", ["run", "--kernel", big], HOST_ERROR, "--disk"
    yield "keys behind an image without an option", ["run", f"{zeros},bus=ide"], USAGE, "--disk"
    yield "initrd without a kernel", ["run", zeros, "--initrd", initrd], USAGE, "--kernel"
    yield "QEMU's option", [*run, "-m", "512"], USAGE, "--memory"
    yield "sound to standard output", [*run, "--sound", "wav:-"], USAGE, "it is no stream"
    for option, value in (("--net-dump", "-"), ("--report", "-"), ("--serial", "file:-")):
        network = ["--net", "user,restrict=yes"] if option == "--net-dump" else []
        yield f"{option} to a file called -", [*run, option, value, *network], USAGE, "/dev/stdout"
    vnc = ["--display", f"vnc:unix:{folder}/vnc"]
    yield "one socket for two displays", [*run, *vnc, *vnc], HOST_ERROR, "this run listens"
    yield "one socket for monitor and display", [*run, *vnc, "--monitor", f"unix:{folder}/vnc"], HOST_ERROR, "this run listens"
    yield "unknown log category", [*run, "--log", "everything"], USAGE, "everything"
    yield "unknown key of a disk", [*run, "--disk", f"{text},size=1"], USAGE, "size=1"
    yield "overlay of another disk", [*run, "--disk", f"{text},overlay={zeros}"], HOST_ERROR, "zeros"
    yield "image command without a file", ["image", "info"], USAGE, "FILE"
    yield "information about a missing image", ["image", "info", missing], HOST_ERROR, "missing"
    yield "image that exists already", ["image", "create", text, "1M"], HOST_ERROR, "text"
    yield "image of no size", ["image", "create", missing, "0"], USAGE, "0"
    yield "commit of a raw image", ["image", "commit", text], HOST_ERROR, "text"

    for title, path, code in [
        ("missing kernel", missing, HOST_ERROR), ("empty kernel", empty, HOST_ERROR), ("text as kernel", text, HOST_ERROR),
        ("zeros as kernel", zeros, HOST_ERROR), ("kernel cut inside its set-up part", setup_only, HOST_ERROR),
        ("kernel cut in half", cut, HOST_ERROR), ("boot sector alone as kernel", boot_sector, HOST_ERROR),
        ("ELF header alone as kernel", elf_head, HOST_ERROR), ("ELF with wild segments as kernel", elf_wild, HOST_ERROR),
        ("cut 32-bit ELF as kernel", multiboot_head, HOST_ERROR), ("folder as kernel", folder, HOST_ERROR),
        ("initramfs as kernel", initrd, HOST_ERROR),
    ]:
        yield title, ["run", "--kernel", path], code, pathlib.Path(path).name
    for size, path in cut_early.items():
        yield f"kernel cut at {size} bytes", ["run", "--kernel", path], HOST_ERROR, "copy or download it again"
    for field, offset, value in [("setup_sects", 0x1f1, 20), ("init_size", 0x262, 0)]:
        damaged = bytearray(image)
        damaged[offset] = value
        damaged[0x263 if offset == 0x262 else offset] = value
        yield f"kernel with a damaged {field}", ["run", "--kernel", file(f"damaged-{field}", damaged)], HOST_ERROR, field
    yield "missing initrd", [*run, "--initrd", missing], HOST_ERROR, "missing"
    yield "folder as initrd", [*run, "--initrd", folder], HOST_ERROR, pathlib.Path(folder).name
    yield "empty initrd", [*run, "--initrd", empty], HOST_ERROR, "empty"
    yield "unwritable report", [*run, "--json", f"{missing}/report.json"], HOST_ERROR, "report.json"
    yield "unwritable serial file", [*run, "--serial", f"file:{missing}/console"], HOST_ERROR, "console"
    yield "memory too small for the kernel", [*run, "--initrd", initrd, "--memory", "8M"], HOST_ERROR, "memory"
    yield "no memory", [*run, "--memory", "0"], USAGE, "memory"
    yield "memory that is no number", [*run, "--memory", "lots"], USAGE, "lots"
    yield "memory with a wrong unit", [*run, "--memory", "1X"], USAGE, "1X"
    yield "memory beyond 64 bits", [*run, "--memory", "99999999999999999999G"], USAGE, "99999999999999999999G"
    yield "negative memory", [*run, "--memory=-1G"], USAGE, "-1G"
    yield "absurd memory", [*run, "--memory", "1000000G"], None, "memory"
    yield "unknown option", [*run, "--frobnicate"], USAGE, "frobnicate"
    yield "unknown command", ["frobnicate"], USAGE, "frobnicate"
    yield "no kernel", ["run"], USAGE, "kernel"
    yield "unknown engine", [*run, "--engine", "warp"], USAGE, "warp"
    yield "unknown serial target", [*run, "--serial", "carrier-pigeon"], USAGE, "carrier-pigeon"
    yield "seed that is no number", [*run, "--seed", "dice"], USAGE, "dice"
    yield "stop-at that is no number", [*run, "--stop-at", "soon"], USAGE, "soon"
    yield "hash-every that is no number", [*run, "--hash-every", "often"], USAGE, "often"
    yield "timeout that is no number", [*run, "--timeout", "later"], USAGE, "later"
    yield "negative timeout", [*run, "--timeout=-5"], USAGE, "-5"
    yield "wall-timeout that is no number", [*run, "--wall-timeout", "later"], USAGE, "later"
    yield "rtc that is no time", [*run, "--rtc", "teatime"], USAGE, "teatime"
    yield "debug-exit port out of range", [*run, "--debug-exit", "0x10000"], USAGE, "0x10000"
    yield "log with a wrong level", [*run, "--log", "mmu:shout"], USAGE, "mmu:shout"
    yield "option with an empty value", [*run, "--timeout", ""], USAGE, "--timeout"
    yield "image of an empty name", ["image", "info", ""], USAGE, "FILE"
    yield "option without its value", [*run, "--memory"], USAGE, "memory"


def misplaced_files(run, file, kernel, initrd):
    """Each kind of file at each place where another is wanted."""
    image = pathlib.Path(kernel).read_bytes()
    kinds = {
        "linux": image[:1 << 16], "cpio": b"070701" + bytes(1 << 16), "elf": b"\x7fELF\x02\x01\x01" + bytes(1 << 16),
        "gz": b"\x1f\x8b\x08" + bytes(1 << 16), "zst": b"\x28\xb5\x2f\xfd" + bytes(1 << 16),
        "tar": b"a/b".ljust(257, b"\0") + b"ustar" + bytes(1 << 16), "ova": b"a.ovf".ljust(257, b"\0") + b"ustar" + bytes(1 << 16),
        "efi": b"MZ".ljust(0x3c, b"\0") + b"\x80\0\0\0".ljust(0x44, b"\0") + b"PE\0\0" + bytes(1 << 16),
        "vmdk": b"KDMV" + bytes(1 << 16), "vdi": bytes(64) + b"\x7f\x10\xda\xbe" + bytes(1 << 16), "vhdx": b"vhdxfile" + bytes(1 << 16),
        "html": b"<!DOCTYPE html>" + bytes(1 << 16),
    }
    right = {"--kernel": (), "--initrd": ("cpio", "gz", "zst"), "--bios": (), "--disk": (), "--cdrom": (), "--floppy": ()}
    for kind, content in kinds.items():
        path = file(f"misplaced.{kind}", content.ljust(1 << 16, b"\0")[:1 << 16])
        for option, fine in right.items():
            if kind in fine or (kind, option) == ("linux", "--kernel"):
                continue
            others = ["run"] if option in ("--kernel", "--bios") else run
            yield f"{kind} at {option}", [*others, option, path], HOST_ERROR, f"misplaced.{kind}"


def wild_elf():
    """A 64-bit ELF whose one segment claims to lie far outside the file."""
    import struct
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x100000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 2**63, 0x100000, 0x100000, 2**64 - 1, 2**64 - 1, 4096)
    return head + segment + bytes(4096)


def check(options, folder, title, words, code, culprit):
    run = subprocess.run([options.reprise, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, timeout=120, cwd=folder)
    message = run.stderr.decode(errors="replace").strip()
    problems = []
    if run.returncode < 0:
        problems.append(f"died of signal {-run.returncode}")
    elif run.returncode not in ([code] if code is not None else [USAGE, HOST_ERROR]):
        problems.append(f"exit code {run.returncode} instead of {code}")
    if len(message.splitlines()) != 1:
        problems.append(f"{len(message.splitlines())} lines on stderr instead of one")
    if culprit.lower() not in message.lower():
        problems.append(f"the message does not name '{culprit}'")
    print(f"{'FAIL' if problems else 'ok  '} {title}: {message or '(silence)'}")
    for problem in problems:
        print(f"     {problem}")
    return not problems


def boot_sector_without_an_end(options, folder):
    """INT 19h for ever ends as resets for ever do; a few of them hurt nobody."""
    # inc word [0x9000]; cmp word [0x9000], TIMES; jae stop; int 0x19; stop: cli; hlt
    def reason(times):
        code = b"\x31\xc0\x8e\xd8\xff\x06\x00\x90\x81\x3e\x00\x90" + times.to_bytes(2, "little") + b"\x73\x02\xcd\x19\xfa\xf4"
        disk, report = pathlib.Path(folder, "loop.img"), pathlib.Path(folder, "loop.json")
        disk.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
        subprocess.run([options.reprise, "run", disk, "--serial", "null", "--json", report, "--engine", options.engine,
                        "--wall-timeout", "100"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=200)
        result = json.loads(report.read_text())
        return result["exit_reason"], result["message"]

    forever = reason(65535)
    runner.expect(forever[0] == "reset" and "INT 19h" in forever[1], f"a boot sector that does INT 19h for ever: {forever}")
    some = reason(60)
    runner.expect(some[0] == "hang", f"a boot sector that does INT 19h 60 times: {some}")


def test(options):
    options.reprise = str(pathlib.Path(options.reprise).resolve())
    options.kernel = pathlib.Path(options.kernel).resolve()
    options.initrd = pathlib.Path(options.initrd).resolve()
    with tempfile.TemporaryDirectory() as folder:
        results = [check(options, folder, *case) for case in cases(options, folder)]
        # A report that can be written tells of the failure as well.
        report = pathlib.Path(folder, "report.json")
        subprocess.run([options.reprise, "run", "--kernel", "/does/not/exist", "--json", str(report)],
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
        runner.expect(report.exists() and '"exit_code"' in report.read_text(), "no JSON report after a host error")
        boot_sector_without_an_end(options, folder)
    runner.expect(all(results), f"{results.count(False)} of {len(results)} cases")


runner.main(test, __doc__)
