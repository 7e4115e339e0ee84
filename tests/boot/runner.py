"""Runs the emulator for the boot tests and reads what it left behind."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "guests"))
import build_guests  # noqa: E402  (for its cpio writer)


class Failure(Exception):
    """A test failed; the message says how."""


def assemble(source, path, *words):
    """A flat binary of what nasm makes of `source`."""
    subprocess.run(["nasm", "-f", "bin", "-I", f"{pathlib.Path(source).parent}/", *words, "-o", path, source], check=True)


def empty_disk(path, size):
    """An image of `size` bytes of zeros. Its path."""
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def arguments(description, add_arguments=None):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--reprise", required=True, help="the emulator")
    parser.add_argument("--engine", default="interp")
    parser.add_argument("--guests", default="build/guests", help="folder with vmlinuz and initramfs.img")
    parser.add_argument("--kernel", help="another kernel than the folder's")
    parser.add_argument("--initrd", help="another initramfs than the folder's")
    if add_arguments:
        add_arguments(parser)
    options = parser.parse_args()
    guests = pathlib.Path(options.guests)
    options.kernel = options.kernel or guests / "vmlinuz"
    options.initrd = options.initrd or guests / "initramfs.img"
    return options


class Result:
    def __init__(self, exit_code, console, messages, report):
        self.exit_code = exit_code
        self.console = console    # what the guest wrote to its serial port
        self.messages = messages  # what the emulator said itself
        self.report = report      # the --json object


def boot(options, append, extra=(), wall_seconds=900):
    """Boots Linux with `append` behind the console setting and waits for the end."""
    with tempfile.TemporaryDirectory() as folder:
        console, report = pathlib.Path(folder, "console"), pathlib.Path(folder, "report.json")
        command = [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd,
                   "--append", f"console=ttyS0 {append}", "--memory", "1G", "--serial", f"file:{console}",
                   "--engine", options.engine, "--json", report, "--timeout", "600",
                   "--wall-timeout", str(wall_seconds), *extra]
        run = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=wall_seconds + 60)
        return Result(run.returncode, console.read_text(errors="replace") if console.exists() else "",
                      run.stdout.decode(errors="replace"), json.loads(report.read_text()) if report.exists() else {})


def add_drivers(options, folder):
    """The initramfs gets the modules of the kernel's drivers: a copy of it in `folder` does."""
    initrd = pathlib.Path(folder, "initrd.img")
    drivers = pathlib.Path(options.initrd).parent / "drivers.img"
    initrd.write_bytes(pathlib.Path(options.initrd).read_bytes() + drivers.read_bytes())
    options.initrd = initrd


def add_program(options, name, content):
    """/bin/NAME in the initramfs, which is a copy by add_drivers()."""
    archive = build_guests.Cpio()
    archive.add(f"bin/{name}", 0o100755, content.encode())
    with open(options.initrd, "ab") as initrd:
        initrd.write(archive.bytes())


def expect(condition, message):
    if not condition:
        raise Failure(message)


def main(test, description, add_arguments=None, guest_may_be_missing=False):
    options = arguments(description, add_arguments)
    if guest_may_be_missing and not pathlib.Path(options.initrd).exists():
        print(f"SKIP: there is no {options.initrd}; ./dev images makes it")
        sys.exit(77)
    try:
        test(options)
    except Failure as failure:
        print(f"FAIL: {failure}")
        sys.exit(1)
    print("PASS")
