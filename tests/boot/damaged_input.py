#!/usr/bin/env python3
"""Cut and damaged kernels, disk images and firmware: the guest runs, or one clear sentence names the file. `--seed` and
`--case` repeat one of them."""

import pathlib
import random
import subprocess
import tempfile

import runner

REFUSED = (2, 20)
RAN = (0, 1, 10, 11, 12, 13)
STOP = ["--stop-at", "3000", "--memory", "64M", "--serial", "null", "--wall-timeout", "60"]
SEABIOS = pathlib.Path("/usr/share/seabios/bios-256k.bin")
OVMF_VARIABLES = pathlib.Path("/usr/share/OVMF/OVMF_VARS_4M.fd")


def reprise(options, *words):
    return subprocess.run([str(word) for word in (options.reprise, *words)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)


def partitioned(gpt):
    image = bytearray(1 << 20)
    image[510:512] = b"\x55\xaa"
    image[446 + 4] = 0xee if gpt else 0x83
    image[512:520] = b"EFI PART"
    return bytes(image)


def iso():
    image = bytearray(64 << 10)
    image[32768:32774] = b"\x01CD001"
    return bytes(image)


def inputs(options, folder):
    """Name, content, how many of its first bytes matter most, and the commands it is given to."""
    def kernel(path):
        return [["run", "--kernel", path, *STOP], ["run", "--kernel", path, "--initrd", path, *STOP]]

    def disk(path):
        return [["run", "--disk", path, *STOP], ["run", path, "--bios", "seabios", *STOP],
                ["run", "--disk", f"{path},bus=ide,write=yes", *STOP], ["image", "info", path]]

    yield "linux", pathlib.Path(options.kernel).read_bytes(), 0x300, kernel
    for name in ("paging64.elf", "real_mode.elf"):
        path = pathlib.Path(options.reprise).parent / "tests/guest" / name
        if path.exists():
            yield name, path.read_bytes(), 0x1100, kernel
    plain, over = folder / "plain.qcow2", folder / "over.qcow2"
    for path, words in ((plain, ["1M"]), (over, ["--backing", plain])):
        made = reprise(options, "image", "create", path, *words)
        if made.returncode == 0:
            yield path.name, path.read_bytes(), 0x120, disk
    yield "mbr", partitioned(False), 512, disk
    yield "gpt", partitioned(True), 1024, disk
    yield "iso", iso(), 33000, lambda path: [["run", "--cdrom", path, *STOP], *disk(path)]
    yield "floppy", bytes(360 << 10), 512, lambda path: [["run", "--floppy", path, *STOP]]
    if SEABIOS.exists():
        yield "bios", SEABIOS.read_bytes(), 0x1000, lambda path: [["run", "--bios", path, *STOP]]
    if OVMF_VARIABLES.exists():
        yield "variables", OVMF_VARIABLES.read_bytes(), 0x100, lambda path: [["run", "--bios", "ovmf", "--bios-vars", path, *STOP]]


def damage(dice, good, head):
    bad = bytearray(good)
    for _ in range(dice.choice((0, 1, 1, 2, 4, 30))):
        at = dice.randrange(min(head, len(bad))) if dice.random() < 0.8 else dice.randrange(len(bad))
        bad[at] = dice.choice((0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x1b, bad[at] ^ 1 << dice.randrange(8), dice.randrange(256)))
    if dice.random() < 0.4:
        length = dice.randrange(min(2 * head, len(bad))) if dice.random() < 0.7 else dice.randrange(len(bad) + 1)
        del bad[length:]
    return bytes(bad)


def judge(done, name):
    """What is wrong; nothing when all is well."""
    said = done.stderr.decode(errors="backslashreplace")
    if done.returncode not in (*REFUSED, *RAN):
        return f"exit code {done.returncode}: {said[-2000:]}"
    if done.returncode in REFUSED:
        if said.count("\n") != 1 or not said.strip():
            return f"{said.count(chr(10))} lines instead of a sentence: {said!r}"
        if any(ord(character) < 32 for character in said.strip()):
            return f"control characters in {said!r}"
        if name not in said and "memory" not in said:
            return f"it does not name the file: {said!r}"
    return None


def test(options):
    options.reprise = pathlib.Path(options.reprise).resolve()
    refused = cases = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        kinds = list(inputs(options, folder))
        for case in range(options.cases) if options.case is None else [options.case]:
            dice = random.Random(f"{options.seed} {case}")
            title, good, head, commands = kinds[case % len(kinds)]
            path = folder / f"damaged-{title}"
            bad = damage(dice, good, head)
            for command in commands(path):
                path.write_bytes(bad)
                done = reprise(options, *command)
                cases += 1
                refused += done.returncode in REFUSED
                problem = judge(done, path.name)
                runner.expect(problem is None, f"--seed {options.seed} --case {case} ({title}): {' '.join(map(str, command))}: {problem}")
    print(f"{cases} commands, {refused} refused")
    runner.expect(options.case is not None or refused > cases // 10, "hardly anything was refused: the damage does not reach the parsers")


def add_arguments(parser):
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=120)
    parser.add_argument("--case", type=int)


runner.main(test, __doc__, add_arguments)
