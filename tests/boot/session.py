"""The emulator on a pseudo-terminal of ours: waits for what the guest prints and types."""

import os
import pty
import select
import subprocess
import termios
import time

import runner


class Session:
    """`words` follow `reprise run`."""

    def __init__(self, options, words):
        self.master, self.slave = pty.openpty()
        self.settings = termios.tcgetattr(self.slave)
        self.seen = b""
        self.before = b""  # what came ahead of the text that wait_for() found
        self.process = subprocess.Popen(
            [str(word) for word in (options.reprise, "run", *words, "--engine", options.engine)],
            stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True)

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.seen += os.read(self.master, 65536)

    def wait_for(self, text, seconds=300):
        end = time.monotonic() + seconds
        while text not in self.seen:
            going_on = time.monotonic() < end and self.process.poll() is None
            before = len(self.seen)
            self.read(1 if going_on else 0)
            runner.expect(going_on or len(self.seen) > before,
                          f"'{text.decode()}' did not appear; the terminal ends: {self.seen[-400:]!r}")
        at = self.seen.index(text)
        self.before = self.seen[:at]
        self.seen = self.seen[at + len(text):]

    def type(self, text):
        time.sleep(1)  # the guest's line editor throws away what was typed before its prompt
        self.write(text)

    def write(self, text):
        os.write(self.master, text)

    def wait_for_end(self, seconds=120):
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            runner.expect(time.monotonic() < end, f"the emulator did not end; the terminal ends: {self.seen[-400:]!r}")
            self.read(0.2)
        while select.select([self.master], [], [], 0)[0]:
            self.read(0)
        runner.expect(termios.tcgetattr(self.slave) == self.settings, "the terminal was not restored")
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def run(options, words, body):
    """Calls `body` with a session that is ended in any case."""
    session = Session(options, words)
    try:
        body(session)
    finally:
        session.close()
