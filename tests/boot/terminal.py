#!/usr/bin/env python3
"""The shell on a terminal, driven through a pseudo-terminal: typing, Ctrl-C in the guest, power-off by `exit`, quitting
with Ctrl-A x, and a terminal that is as it was afterwards, also when a signal ends the emulator."""

import pathlib
import signal
import termios
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


def end_by_other_signals(guest):
    time.sleep(3)
    guest.process.send_signal(signal.SIGQUIT)
    code = guest.wait_for_end(30)
    runner.expect(code == 128 + signal.SIGQUIT and b"ended by SIGQUIT" in guest.seen, f"{code}: {guest.seen[-200:]}")


def stopped_and_continued(guest):
    """While it is stopped the terminal is its user's."""
    def wait_until(what, wanted):
        end = time.monotonic() + 20
        while not wanted():
            runner.expect(time.monotonic() < end, what)
            time.sleep(0.05)

    def settings():
        return termios.tcgetattr(guest.slave)

    wait_until("the terminal is never raw", lambda: settings() != guest.settings)
    raw = settings()
    time.sleep(1)
    guest.process.send_signal(signal.SIGTSTP)
    stat = pathlib.Path(f"/proc/{guest.process.pid}/stat")
    wait_until("it does not stop", lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
    runner.expect(settings() == guest.settings, "the terminal is raw while it is stopped")
    guest.process.send_signal(signal.SIGCONT)
    wait_until("the terminal is not raw again", lambda: settings() == raw)
    guest.type(b"\x01x")
    runner.expect(guest.wait_for_end(30) == 0, "after Ctrl-A x")


def test(options):
    for body in (quit_by_key, end_by_signal, end_by_other_signals, stopped_and_continued, shell):
        print(body.__name__, flush=True)
        session.run(options, ["--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--append",
                              "console=ttyS0 quiet", "--wall-timeout", "600"], body)


runner.main(test, __doc__)
