#!/usr/bin/env python3
"""A replay begins in the middle of its recording: of a session with keys, a network that is reached and a disk that is written through, on
two processors. From each checkpoint that was kept it ends as the whole one does, and questions and traces say what they say of the whole
one. A recording that has another run, and files that are damaged, are told of in a sentence."""

import http.server
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

import network
import recording
import runner

EVERY = 400_000_000
HASH_EVERY = 100_000_000


class Case:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.recording = folder / "used"
        self.checkpoints = folder / "used.checkpoints"

    def reprise(self, *words, code=0):
        done = subprocess.run([str(word) for word in (self.options.reprise, *words)], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=900)
        runner.expect(done.returncode == code, f"exit code {done.returncode} instead of {code}: {done.stderr}")
        return done

    def replay(self, *words, **how):
        """What it said, its report, and what the guest printed."""
        serial, report = self.folder / "serial", self.folder / "report"
        done = self.reprise("replay", self.recording, "--serial", f"file:{serial}", "--json", report, "--hash-every", HASH_EVERY,
                            "--engine", self.options.engine, *words, **how)
        return done.stderr, json.loads(report.read_text()), serial.read_bytes()

    def kept(self):
        return sorted(int(path.name[1:]) for path in self.checkpoints.iterdir())


def record(case):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), network.Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    disk = runner.empty_disk(case.folder / "disk", 8 << 20)

    def body(client, guest):
        for keys in "a", "ret", "shift-x":
            client.ask("sendkey", keys=keys)
            time.sleep(0.2)
        client.ask("set_link", card="net0", state="off")
        time.sleep(0.2)
        client.ask("set_link", card="net0", state="on")
        client.ask("type", text="typed")
        client.close()

    words = ["--clock", "paced", "--cpus", "2", "--net", "user", "--disk", f"{disk},write=yes,format=raw", "--append",
             f"console=ttyS0 reprise.exec=/bin/net-test net.get=http://10.0.2.2:{server.server_port}/ net.ping=10.0.2.2"]
    code, errors = recording.session(case.options, case.folder, "used", words, body)
    runner.expect(code == 0, f"exit code {code}: {errors}")
    report = json.loads((case.folder / "used.json").read_text())
    runner.expect(report["network"]["sockets"] == "reached", f"{report['network']}")
    server.shutdown()
    server.server_close()


def states(messages):
    return re.findall(r"^state (\d+) ([0-9a-f]{16})$", messages, re.MULTILINE)


def replays(case):
    """The whole replay: what it said, its report and output. It keeps checkpoints, and they change nothing."""
    plain = case.replay()
    whole = case.replay("--keep-checkpoints", EVERY)
    runner.expect(states(plain[0]) == states(whole[0]) and plain[2] == whole[2], "keeping checkpoints changes the run")
    kept = case.kept()
    runner.expect(len(kept) >= 2 and all(at % EVERY == 0 for at in kept), f"kept are {kept}")
    for at in kept:
        for engine in (case.options.engine, "interp") if at == kept[-1] else (case.options.engine,):
            messages, report, serial = case.replay("--begin", at + 12345, "--engine", engine)
            runner.expect(f"it begins at @{at}," in messages, messages)
            for key in "state_hash", "instructions", "virtual_ns", "exit_reason", "exit_code":
                runner.expect(report[key] == whole[1][key], f"from {at}: {key} is {report[key]}, and {whole[1][key]} of the whole")
            runner.expect(states(messages) == [state for state in states(whole[0]) if int(state[0]) > at],
                          f"from {at}: {messages}, and the whole: {whole[0]}")
            runner.expect(whole[2].endswith(serial) and len(serial) < len(whole[2]), f"from {at} it printed {serial!r}")
    return whole


def questions(case, end):
    """What happened behind the checkpoint has the same answers."""
    at = case.kept()[-1]
    ask = ["ask", case.recording, "--to", at + 100_000_000, "--json"]
    lines = [f"print {name}" for name in ("rip", "rsp", "gs_base")]
    now = [json.loads(line)["return"]["value"] for line in case.reprise(*ask, *lines).stdout.splitlines()]
    lines += [f"last-exec {now[0]} before @{at + 90_000_000}", f"last-write {now[2]},64", f"last-write {int(now[1], 16) & ~7:#x}",
              "info registers"]
    answers = [case.reprise(*ask, *more, *lines).stdout for more in ([], ["--begin", at])]
    for line, whole, begun in zip(lines, *(answer.splitlines() for answer in answers)):
        whole, begun = json.loads(whole)["return"], json.loads(begun)["return"]
        for answer, begin in (whole, 0), (begun, at):
            runner.expect(answer.pop("from", f"@{begin}") == f"@{begin}", f"{line}: {answer}")
        if not line.startswith("last") or time_of(whole) >= at:
            runner.expect(whole == begun, f"{line}: {begun}, and of the whole: {whole}")
        else:
            runner.expect(not begun["found"], f"{line}: {begun}, and of the whole: {whole}")
    runner.expect(any(time_of(json.loads(line)["return"]) >= at for line in answers[0].splitlines()), answers[0])
    # Nobody knows who wrote before the history begins.
    nobody = json.loads(case.reprise(*ask, "--begin", at, "last-write 0x7c00 phys").stdout)["return"]
    runner.expect(not nobody["found"] and nobody["by"] == "unknown", f"{nobody}")


def time_of(answer):
    return int(answer["position"][1:].split(".")[0]) if answer.get("found") else -1


def traces(case):
    at = case.kept()[-1]
    texts = []
    for more in [], ["--begin", at]:
        trace = case.folder / "trace"
        case.replay("--to", at + 50_000_000, "--from", at + 49_990_000, "--trace", "insn,irq,pio", "--trace-file", trace, *more)
        texts.append(trace.read_text())
    runner.expect(texts[0] == texts[1] and texts[0].count("\n") > 5_000, "the traces differ")


def refusals(case, whole):
    messages, report, _ = case.replay("--begin", EVERY - 1)
    runner.expect(f"no checkpoint at or before @{EVERY - 1} was kept of" in messages, messages)
    runner.expect(report["state_hash"] == whole[1]["state_hash"], "it differs")
    last = case.kept()[-1]
    messages = case.replay("--begin", last, "--to", last - 1, code=2)[0]
    runner.expect("or an earlier --begin" in messages, messages)
    # The latest is cut off, so the one before it is taken.
    path = case.checkpoints / f"@{last}"
    shutil.copy(path, case.folder / "whole")
    with open(path, "r+b") as file:
        file.truncate(1 << 20)
    messages = case.replay("--begin", last, "--to", last)[0]
    runner.expect("ends too early." in messages and f"it begins at @{case.kept()[-2]}," in messages, messages)
    # A byte of memory is another one.
    shutil.copy(case.folder / "whole", path)
    with open(path, "r+b") as file:
        file.seek((2 << 20) + (16 << 20))
        while not any(page := file.read(4096)):
            pass
        file.seek(-4096, 1)
        file.write(bytes([page[0] ^ 1]))
    messages = case.replay("--begin", last, code=2)[0]
    runner.expect("which can be removed: it is damaged: a digest of memory is wrong." in messages, messages)
    # The recording has another end, and then another beginning.
    content = case.recording.read_bytes()
    for at, found in (len(content) - 3, True), (400, False):
        case.recording.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1:])
        shutil.copy(case.folder / "whole", path)
        done = subprocess.run([case.options.reprise, "replay", case.recording, "--serial", "null", "--begin", str(last), "--to", str(last)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
        runner.expect((f"it begins at @{last}," in done.stderr) == found and done.returncode >= 0, done.stderr)
    case.recording.write_bytes(content)


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.add_drivers(options, folder)
        case = Case(options, folder)
        record(case)
        whole = replays(case)
        questions(case, whole[1]["instructions"])
        traces(case)
        refusals(case, whole)


if __name__ == "__main__":
    runner.main(test, __doc__)
