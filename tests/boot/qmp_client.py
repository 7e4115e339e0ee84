"""A client of QMP for the boot tests."""

import json
import socket
import time

import runner


class Qmp:
    def __init__(self, path):
        end = time.monotonic() + 60
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                self.socket.close()
                runner.expect(time.monotonic() < end, "nobody listens")
                time.sleep(0.1)
        self.socket.settimeout(300)
        self.lines = self.socket.makefile("rw")
        self.events = []
        json.loads(self.lines.readline())
        self.ask("qmp_capabilities")

    def next(self):
        line = self.lines.readline()
        runner.expect(line, "the run is over")
        return json.loads(line)

    def raw(self, command, **arguments):
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.lines.flush()
        while "event" in (answer := self.next()):
            self.events.append(answer)
        return answer

    def ask(self, command, **arguments):
        answer = self.raw(command, **arguments)
        runner.expect("return" in answer, f"{command} {arguments}: {answer}")
        return answer["return"]

    def person(self, line):
        runner.expect((text := self.ask("human-monitor-command", **{"command-line": line})) == "", f"{line}: {text}")

    def deleted(self, device):
        while not any(event["event"] == "DEVICE_DELETED" and event["data"]["device"] == device for event in self.events):
            answer = self.next()
            self.events.append(answer)
        self.events.clear()
