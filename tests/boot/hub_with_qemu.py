#!/usr/bin/env python3
"""A hub between a machine of ours and one of QEMU's (-netdev stream): who listens is the one, then the other."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import runner

QEMU = "qemu-system-x86_64"
SECONDS = 600


def words(address, ping=None):
    what = f"net.ping={ping}" if ping else f"net.idle={SECONDS}"
    return f"console=ttyS0 quiet reprise.exec=/bin/net-test net.address={address} {what}"


def of_qemu(options, serial, hub, server, append):
    return [QEMU, "-accel", "tcg", "-m", "512", "-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{serial}",
            "-kernel", options.kernel, "-initrd", options.initrd, "-append", append,
            "-netdev", f"stream,id=n,server={server},addr.type=unix,addr.path={hub}",
            "-device", "virtio-net-pci,netdev=n,mac=52:54:00:00:00:02,romfile="]


def of_ours(options, serial, hub, append):
    return [options.reprise, "run", "--engine", options.engine, "--memory", "512M", "--serial", f"file:{serial}",
            "--kernel", options.kernel, "--initrd", options.initrd, "--append", append, "--net", f"hub:{hub}",
            "--device", "virtio-net,mac=52:54:00:00:00:01", "--wall-timeout", str(SECONDS)]


def pings(folder, name, listener, caller, address):
    """`listener` makes the socket and is pinged by `caller`."""
    hub = folder / name
    outputs = [folder / f"{name}.{who}" for who in ("listener", "caller")]
    processes = []

    def start(make, number):
        processes.append(subprocess.Popen([str(word) for word in make(outputs[number], hub)], stdin=subprocess.DEVNULL,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))

    try:
        start(listener, 0)
        end = time.monotonic() + 60
        while not hub.exists():
            runner.expect(time.monotonic() < end and processes[0].poll() is None, f"{name}: nobody listens")
            time.sleep(0.05)
        # Its link is up before anybody calls.
        while "net-test" not in (outputs[0].read_text(errors="replace") if outputs[0].exists() else ""):
            runner.expect(time.monotonic() < end + SECONDS and processes[0].poll() is None, f"{name}: the listener does not come up")
            time.sleep(0.2)
        start(caller, 1)
        said = processes[1].communicate(timeout=SECONDS)[0]
        console = outputs[1].read_text(errors="replace")
        runner.expect(f"net-test: ping {address}: 3 packets transmitted, 3 packets received" in console,
                      f"{name}: {said}\n{console[-2000:]}")
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test(options):
    if not shutil.which(QEMU):
        print(f"SKIP: there is no {QEMU} (Debian: qemu-system-x86)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.add_drivers(options, folder)
        pings(folder, "ours",
              lambda serial, hub: of_ours(options, serial, hub, words("10.9.0.1")),
              lambda serial, hub: of_qemu(options, serial, hub, "off", words("10.9.0.2", "10.9.0.1")), "10.9.0.1")
        pings(folder, "qemu",
              lambda serial, hub: of_qemu(options, serial, hub, "on", words("10.9.0.2")),
              lambda serial, hub: of_ours(options, serial, hub, words("10.9.0.1", "10.9.0.2")), "10.9.0.2")


if __name__ == "__main__":
    runner.main(test, __doc__)
