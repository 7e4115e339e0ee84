#!/usr/bin/env python3
"""The shell on a terminal, driven through a pseudo-terminal: typing, Ctrl-C in the guest, power-off by `exit`, quitting
with Ctrl-A x, and a terminal that is as it was afterwards, also when a signal ends the emulator."""

import os
import pathlib
import pty
import re
import select
import shlex
import signal
import tempfile
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


def job_of_a_shell(options, words):
    """Started in the background it takes the terminal when it comes to the foreground; a stop gives it back, once."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvp("bash", ["bash", "--norc", "--noediting", "-i"])
    seen = b""

    def wait_until(what, wanted):
        nonlocal seen
        end = time.monotonic() + 60
        while not wanted():
            runner.expect(time.monotonic() < end, f"{what}; the terminal ends: {seen[-400:]!r}")
            if select.select([master], [], [], 0.05)[0]:
                seen += os.read(master, 65536)

    def is_raw():
        return not termios.tcgetattr(master)[3] & termios.ICANON

    def type_line(line):
        os.write(master, line.encode() + b"\n")

    try:
        type_line("PS1=''; " + shlex.join(str(word) for word in (options.reprise, "run", *words)) + " & echo job=$!=")
        job = re.compile(rb"job=(\d+)=")
        wait_until("there is no job", lambda: job.search(seen))
        emulator = int(job.search(seen).group(1))
        wait_until("SeaBIOS does not start", lambda: b"Booting" in seen)
        runner.expect(not is_raw(), "a job in the background made the terminal raw")
        type_line("echo not$((2+3))taken")
        wait_until("the job took what was typed for the shell", lambda: b"not5taken" in seen)
        type_line("fg")
        wait_until("the job did not take the terminal", is_raw)
        os.kill(emulator, signal.SIGTSTP)
        wait_until("the terminal is not given back", lambda: not is_raw() and b"Stopped" in seen)
        type_line("fg")
        wait_until("the job did not take the terminal again", is_raw)
        os.kill(emulator, signal.SIGTSTP)
        wait_until("the terminal is not given back again", lambda: not is_raw() and seen.count(b"Stopped") == 2)
        seen = b""
        type_line("kill %1; wait; echo over$((2+3))")
        wait_until("the stopped job does not end", lambda: b"over5" in seen)
        runner.expect(b"\x1b[" not in seen, f"the terminal was set back twice: {seen!r}")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(master)
        os.waitpid(pid, 0)


def test(options):
    print("job_of_a_shell", flush=True)
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        # A boot sector that halts for ever.
        disk.write(b"\xfb\xf4\xeb\xfc".ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
        disk.flush()
        job_of_a_shell(options, [disk.name, "--engine", options.engine, "--wall-timeout", "100"])
    for body in (quit_by_key, end_by_signal, end_by_other_signals, stopped_and_continued, shell):
        print(body.__name__, flush=True)
        session.run(options, ["--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--append",
                              "console=ttyS0 quiet", "--wall-timeout", "600"], body)


runner.main(test, __doc__)
