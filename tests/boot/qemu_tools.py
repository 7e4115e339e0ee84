#!/usr/bin/env python3
"""Tools that start QEMU, as Debian's packages have them, with this program in QEMU's place: sbuild-qemu-boot brings Debian's disk to its
login prompt and leaves the image as it was."""

import argparse
import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time

import runner


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reprise", required=True, help="the emulator")
    parser.add_argument("--engine", default="jit")
    parser.add_argument("--disks", required=True, help="folder of tests/guests/build_disk.py")
    return parser.parse_args()


def package_of_debian(name, folder):
    """Unpacks it below `folder`; False: it cannot be had here."""
    got = subprocess.run(["apt-get", "download", name], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    files = list(pathlib.Path(folder).glob(f"{name}_*.deb"))
    if got.returncode != 0 or not files:
        return False
    subprocess.run(["dpkg-deb", "-x", files[0], folder], check=True)
    return True


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, command, environment):
        self.master, self.slave = pty.openpty()
        self.process = subprocess.Popen([str(word) for word in command], env=environment, stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, start_new_session=True)

    def wait_for(self, text, seconds):
        seen, end = b"", time.monotonic() + seconds
        while text not in seen:
            runner.expect(time.monotonic() < end and self.process.poll() is None,
                          f"'{text.decode()}' did not come: {seen[-600:]!r}")
            if select.select([self.master], [], [], 1)[0]:
                seen += os.read(self.master, 65536)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def sbuild_qemu_boot(options, folder, environment):
    image = pathlib.Path(options.disks, "debian-bios.img").resolve()
    before = image.stat()
    program = shutil.which("sbuild-qemu-boot") or pathlib.Path(folder, "usr/bin/sbuild-qemu-boot")
    guest = Terminal([program, "--arch", "amd64", "--ram-size", "512", "--cpus", "1", image], environment)
    try:
        guest.wait_for(b"login: ", 900)
        os.write(guest.master, b"\x01x")
        code = guest.process.wait(60)
        runner.expect(code == 0, f"code {code}")
    finally:
        guest.close()
    after = image.stat()
    runner.expect((after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size), "the image was written to")


def main():
    options = arguments()
    if not pathlib.Path(options.disks, "debian-bios.img").exists():
        print(f"SKIP: there is no {options.disks}/debian-bios.img; ./dev images makes it")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        if not shutil.which("sbuild-qemu-boot") and not package_of_debian("sbuild-qemu", folder):
            print("SKIP: Debian's package sbuild-qemu is not to be had here")
            sys.exit(77)
        pathlib.Path(folder, "qemu-system-x86_64").symlink_to(pathlib.Path(options.reprise).resolve())
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}",
                       "REPRISE_OPTIONS": f"--engine={options.engine} --wall-timeout=900"}
        try:
            sbuild_qemu_boot(options, folder, environment)
        except runner.Failure as failure:
            print(f"FAIL: {failure}")
            sys.exit(1)
    print("PASS")


main()
