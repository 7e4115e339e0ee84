#!/usr/bin/env python3
"""Wrong files and wrong options: one clear sentence on stderr that names the culprit, the right exit code, no crash."""

import pathlib
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
    yield "option without its value", [*run, "--memory"], USAGE, "memory"


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
    runner.expect(all(results), f"{results.count(False)} of {len(results)} cases")


runner.main(test, __doc__)
