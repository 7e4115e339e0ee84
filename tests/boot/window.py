#!/usr/bin/env python3
"""A window on an X server (Xvfb) that goes away: the run goes on without it and ends as it would have. One that stops answering
holds up no end."""

import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import monitor
import runner

BOOT_SECTOR = pathlib.Path(__file__).with_name("display_boot.asm")


# Without OpenGL, whose libraries leave memory behind.
ENVIRONMENT = dict(os.environ, WAYLAND_DISPLAY="", SDL_VIDEODRIVER="x11", SDL_RENDER_DRIVER="software",
                   SDL_FRAMEBUFFER_ACCELERATION="0")


def start_x_server(folder):
    """The process, and the display's name."""
    read_end, write_end = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1024x768x24", "-nolisten", "tcp"],
                              pass_fds=[write_end], stdout=subprocess.DEVNULL, stderr=(folder / "xvfb").open("w"))
    os.close(write_end)
    with os.fdopen(read_end) as number:
        line = number.readline().strip()
    runner.expect(line, f"Xvfb did not start: {(folder / 'xvfb').read_text()}")
    return server, f":{line}"


def wait_for(condition, run, what):
    end = time.monotonic() + 60
    while not condition():
        runner.expect(time.monotonic() < end and run.poll() is None, f"no {what}; exit code {run.poll()}")
        time.sleep(0.05)


def server_goes(options, folder, how):
    server, display = start_x_server(folder)
    serial, report, messages = folder / "serial", folder / "report.json", folder / "messages"
    serial.write_bytes(b"")
    command = [options.reprise, "run", "--bios", "seabios", "--floppy", folder / "boot.img", "--serial", "null", "--serial",
               f"file:{serial}", "--memory", "32M", "--engine", options.engine, "--debug-exit", "0xf4", "--expect", "debug-exit=0",
               "--wall-timeout", "300", "--display", "sdl", "--monitor", f"unix:{folder}/monitor", "--json", report]
    with messages.open("w") as stderr:
        run = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                               env=dict(ENVIRONMENT, DISPLAY=display))
    try:
        wait_for(lambda: serial.read_bytes() == b"R", run, "picture")
        # The title says how fast the guest runs once the window has drawn.
        time.sleep(1.5)
        server.send_signal(how)
        server.wait(60)
        wait_for(lambda: "goes on without it" in messages.read_text(), run, "word of the window")
        guest = monitor.Client(folder / "monitor")
        guest.ask("type", text="x\\n")
        wait_for(lambda: serial.read_bytes() == b"RxM", run, "keys")
        guest.ask("mouse move", dx=3, dy=4)
        code = run.wait(60)
        runner.expect(code == 0 and messages.read_text().count("\n") == 1, f"exit code {code}: {messages.read_text()}")
        runner.expect(json.loads(report.read_text())["exit_reason"] == "debug-exit", report.read_text())
    finally:
        for process in server, run:
            process.kill()
            process.wait()


def server_stops(options, folder):
    """One that does not answer does not hold up the end."""
    server, display = start_x_server(folder)
    report = folder / "stopped.json"
    command = [options.reprise, "run", "--bios", "seabios", "--floppy", folder / "boot.img", "--serial", "null", "--memory", "32M",
               "--engine", options.engine, "--wall-timeout", "8", "--display", "sdl", "--json", report]
    run = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True,
                           env=dict(ENVIRONMENT, DISPLAY=display))
    try:
        time.sleep(3)
        server.send_signal(signal.SIGSTOP)
        said = run.communicate(timeout=60)[1]
        runner.expect(run.returncode == 21 and said.count("\n") == 1, f"exit code {run.returncode}: {said}")
        runner.expect(json.loads(report.read_text())["exit_reason"] == "wall-timeout", report.read_text())
    finally:
        for process in server, run:
            process.kill()
            process.wait()


class ShortLine:
    """An X server (the one of `display`) that is gone once it has said so many bytes."""

    def __init__(self, display, most):
        self.most, self.said, self.ended = most, 0, False
        self.server = f"/tmp/.X11-unix/X{display[1:]}"
        for number in range(200, 1000):
            try:
                self.listener = socket.create_server(("127.0.0.1", 6000 + number))
                break
            except OSError:
                continue
        self.display = f"127.0.0.1:{number}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        ends = {self.listener: None}
        while not self.ended:
            for end in select.select(list(ends), [], [])[0]:
                if end is self.listener:
                    caller, server = end.accept()[0], socket.socket(socket.AF_UNIX)
                    server.connect(self.server)
                    ends.update({caller: server, server: caller})
                    continue
                data = end.recv(1 << 16)
                if end.family == socket.AF_UNIX:
                    data = data[:self.most - self.said]
                    self.said += len(data)
                other = ends.get(end)
                if not data or other is None:
                    # SDL tries a connection before it uses one.
                    for one in filter(None, (end, other)):
                        ends.pop(one, None)
                        one.close()
                    continue
                other.sendall(data)
                self.ended = self.said == self.most
        for end in ends:
            end.close()


def server_goes_early_or_late(options, folder):
    """While the window is opened, and the run does not begin and says why; or while it is closed."""
    server, display = start_x_server(folder)
    report = folder / "early.json"
    command = [options.reprise, "run", "--bios", "seabios", "--floppy", folder / "boot.img", "--serial", "null", "--memory", "32M",
               "--engine", options.engine, "--wall-timeout", "2", "--display", "sdl", "--json", report]
    try:
        begun = 0
        limits, whole = [1_000_000, 1, 5_000, 12_000, 15_000, 20_000], 0
        while limits:
            line = ShortLine(display, limits.pop(0))
            report.unlink(missing_ok=True)
            done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                  env=dict(ENVIRONMENT, DISPLAY=line.display), check=False)
            reason = json.loads(report.read_text())["exit_reason"]
            early = reason == "host-error" and done.returncode == 20 and "--display sdl: " in done.stderr
            late = reason == "wall-timeout" and done.returncode == 21
            runner.expect(early or late, f"{line.most} bytes: {reason}, exit code {done.returncode}: {done.stderr}")
            begun += late
            if not whole:
                whole = line.said
                limits += [whole - 32 * count for count in range(1, 6)]
        runner.expect(1 < begun < 10, f"{begun} runs began")
    finally:
        server.kill()
        server.wait()


def test(options):
    if not shutil.which("Xvfb"):
        print("SKIP: there is no Xvfb (Debian: xvfb)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.assemble(BOOT_SECTOR, folder / "boot.bin")
        (folder / "boot.img").write_bytes((folder / "boot.bin").read_bytes().ljust(1440 * 1024, b"\0"))
        for how in signal.SIGTERM, signal.SIGKILL:
            server_goes(options, folder, how)
        server_stops(options, folder)
        server_goes_early_or_late(options, folder)


if __name__ == "__main__":
    runner.main(test, __doc__)
