#!/usr/bin/env python3
"""The shell on a terminal, driven through a pseudo-terminal: typing, Ctrl-C in the guest, power-off by `exit`, quitting
with Ctrl-A x, and a terminal that is as it was afterwards, also when a signal ends the emulator."""

import os
import pty
import select
import signal
import subprocess
import termios
import time

import runner

PROMPT = b"guest:"


class Session:
    """The emulator with its serial port on a pseudo-terminal of ours."""

    def __init__(self, options):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.process = subprocess.Popen(
            [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M",
             "--append", "console=ttyS0 quiet", "--engine", options.engine, "--wall-timeout", "600"],
            stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True)

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.seen += os.read(self.master, 65536)

    def wait_for(self, text, seconds=300):
        end = time.monotonic() + seconds
        while text not in self.seen:
            runner.expect(time.monotonic() < end and self.process.poll() is None,
                          f"'{text.decode()}' did not appear; the terminal ends: {self.seen[-400:]!r}")
            self.read(1)
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def type(self, text):
        time.sleep(1)  # the guest's line editor throws away what was typed before its prompt
        os.write(self.master, text)

    def wait_for_end(self, seconds=120):
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            runner.expect(time.monotonic() < end, f"the emulator did not end; the terminal ends: {self.seen[-400:]!r}")
            self.read(0.2)
        runner.expect(termios.tcgetattr(self.slave) == self.before, "the terminal was not restored")
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def with_session(options, body):
    session = Session(options)
    try:
        body(session)
    finally:
        session.close()


def shell(session):
    session.wait_for(PROMPT)
    session.type(b"echo one$((1+1))\r")
    session.wait_for(b"one2")
    session.wait_for(PROMPT)
    session.type(b"sleep 1000\r")
    time.sleep(2)
    session.type(b"\x03")
    session.wait_for(PROMPT)
    session.type(b"exit\r")
    code = session.wait_for_end()
    runner.expect(code == 0, f"exit code {code} after the guest's power-off")


def quit_by_key(session):
    time.sleep(3)
    session.type(b"\x01x")
    code = session.wait_for_end(30)
    runner.expect(code == 0, f"exit code {code} after Ctrl-A x")


def end_by_signal(session):
    time.sleep(3)
    session.process.send_signal(signal.SIGTERM)
    code = session.wait_for_end(30)
    runner.expect(code in (128 + signal.SIGTERM, -signal.SIGTERM), f"exit code {code} after SIGTERM")


def test(options):
    for body in (quit_by_key, end_by_signal, shell):
        print(body.__name__, flush=True)
        with_session(options, body)


runner.main(test, __doc__)
