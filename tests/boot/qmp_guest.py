"""A guest in QEMU's place that a client of QMP works with, whose run is recorded, for the boot tests."""

import json
import os
import pathlib
import subprocess
import time

import runner
from qmp_client import Qmp

FACTS = "state_hash", "instructions", "virtual_ns", "exit_reason"


class QmpGuest:
    """Runs /bin/PROGRAM of the initramfs, which begins its lines with PROGRAM and a colon, on a machine of `words` of QEMU's. Files are
    in `folder`."""

    def __init__(self, options, folder, program, *words):
        self.options, self.folder, self.program = options, pathlib.Path(folder), program
        self.console = self.folder / "console"
        self.console.unlink(missing_ok=True)
        command = [options.reprise, "qemu", "-nodefaults", "-display", "none", "-m", "512", "-kernel", options.kernel, "-initrd",
                   options.initrd, "-append", f"console=ttyS0 reprise.exec=/bin/{program}", "-serial", f"file:{self.console}", "-qmp",
                   f"unix:{folder}/qmp,server=on,wait=off", *words]
        environment = {**os.environ, "REPRISE_OPTIONS": f"--engine={options.engine} --record {folder}/run.rec --json "
                                                        f"{folder}/run.json --wall-timeout 900"}
        self.process = subprocess.Popen([str(word) for word in command], env=environment, stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        self.qmp = Qmp(self.folder / "qmp")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def text(self):
        return self.console.read_text(errors="replace").replace("\r", "") if self.console.exists() else ""

    def said(self, text):
        """Waits until the program has said it."""
        end = time.monotonic() + 300
        while f"{self.program}: {text}" not in self.text():
            runner.expect(self.process.poll() is None and time.monotonic() < end,
                          f"the guest does not say '{text}': {self.text()[-1500:]}")
            time.sleep(0.05)

    def ended(self):
        """Waits for its end, which is to be a good one; what its console has."""
        errors = self.process.communicate(timeout=900)[1]
        runner.expect(self.process.returncode == 0, f"exit code {self.process.returncode}: {errors}\n{self.text()[-1500:]}")
        return self.text()

    def expect_same_again(self):
        """The recording is the same run on each engine."""
        first = json.loads((self.folder / "run.json").read_text())
        for engine in ("jit", "interp"):
            report, serial = self.folder / f"{engine}.json", self.folder / "again"
            again = subprocess.run([str(word) for word in (self.options.reprise, "replay", self.folder / "run.rec", "--engine", engine,
                                                           "--serial", f"file:{serial}", "--json", report)],
                                   stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
            runner.expect(again.returncode == 0, f"{engine}: code {again.returncode}: {again.stderr}")
            second = json.loads(report.read_text())
            runner.expect([first[fact] for fact in FACTS] == [second[fact] for fact in FACTS], f"{engine}: another run")
            runner.expect(serial.read_text().replace("\r", "") == self.text(), f"{engine}: other output")
