#!/usr/bin/env python3
"""The shell on a terminal, driven through a pseudo-terminal: typing, Ctrl-C in the guest, power-off by `exit`, quitting
with Ctrl-A x, and a terminal that is as it was afterwards, also when a signal ends the emulator."""

import signal
import time

import runner
import session

PROMPT = b"guest:"


def shell(guest):
    guest.wait_for(PROMPT)
    guest.type(b"echo one$((1+1))\r")
    guest.wait_for(b"one2")
    guest.wait_for(PROMPT)
    guest.type(b"sleep 1000\r")
    time.sleep(2)
    guest.type(b"\x03")
    guest.wait_for(PROMPT)
    guest.type(b"exit\r")
    code = guest.wait_for_end()
    runner.expect(code == 0, f"exit code {code} after the guest's power-off")


def quit_by_key(guest):
    time.sleep(3)
    guest.type(b"\x01x")
    code = guest.wait_for_end(30)
    runner.expect(code == 0, f"exit code {code} after Ctrl-A x")


def end_by_signal(guest):
    time.sleep(3)
    guest.process.send_signal(signal.SIGTERM)
    code = guest.wait_for_end(30)
    runner.expect(code in (128 + signal.SIGTERM, -signal.SIGTERM), f"exit code {code} after SIGTERM")


def test(options):
    for body in (quit_by_key, end_by_signal, shell):
        print(body.__name__, flush=True)
        session.run(options, ["--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--append",
                              "console=ttyS0 quiet", "--wall-timeout", "600"], body)


runner.main(test, __doc__)
