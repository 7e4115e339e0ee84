#!/usr/bin/env python3
"""The monitor on a booted kernel: JSON lines on its socket, the prompt on the terminal; and a run that is watched all the
time is the same run."""

import json
import os
import pathlib
import socket
import stat
import subprocess
import tempfile
import threading
import time

import runner
import session

PROMPT = b"guest:"
LOOKS = ["status", "screen", "info registers", "info memory-map", "info tlb", "info phys-map", "info irq", "info pci",
         "info devices", "info stats", "info disks", "info hash", "disassemble", "help", "version"]


class Client:
    """A connection to the monitor's socket."""

    def __init__(self, path, seconds=60):
        end = time.monotonic() + seconds
        while True:
            try:
                self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.socket.connect(str(path))
                break
            except OSError:
                self.socket.close()
                runner.expect(time.monotonic() < end, "the monitor's socket did not appear")
                time.sleep(0.05)
        self.socket.settimeout(seconds)
        self.file = self.socket.makefile("rw")
        self.greeting = json.loads(self.file.readline())

    def raw(self, line):
        self.file.write(line + "\n")
        self.file.flush()
        return json.loads(self.file.readline())

    def ask(self, command, **arguments):
        response = self.raw(json.dumps({"execute": command, "arguments": arguments, "id": command}))
        runner.expect(response.get("id") == command and "return" in response, f"{command}: {response}")
        return response["return"]

    def close(self):
        self.file.close()
        self.socket.close()


def with_guest(options, folder, body):
    """A guest at its shell, its console in a file, watched through the socket; it must end with code 0."""
    path, console = pathlib.Path(folder, "socket"), pathlib.Path(folder, "console")
    guest = subprocess.Popen(
        [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--append",
         "console=ttyS0", "--engine", options.engine, "--serial", f"file:{console}", "--monitor", f"unix:{path}",
         "--clock", "paced", "--wall-timeout", "600"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        client = Client(path)
        while PROMPT.decode() not in (console.read_text(errors="replace") if console.exists() else ""):
            runner.expect(guest.poll() is None, "the guest ended before its prompt")
            time.sleep(0.3)
        body(client, path, guest)
        code = guest.wait(60)
        runner.expect(code == 0, f"exit code {code}: {guest.stderr.read()}")
        runner.expect(not path.exists(), "the socket file is still there")
    finally:
        guest.kill()
        guest.wait()


def look_around(client, path, guest):
    runner.expect("reprise" in client.greeting, f"greeting {client.greeting}")
    runner.expect(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "others may use the socket")
    for command in LOOKS:
        client.ask(command)

    registers = client.ask("info registers")
    runner.expect(registers["mode"] == "64-bit" and "PG" in registers["cr0_bits"].split(), f"registers {registers}")
    # An idle Linux stands in its idle loop: kernel text, mapped by large pages, never for user programs.
    walk = client.ask("info pagewalk", address="rip")
    runner.expect(walk["mapped"] and not walk["user"] and walk["executable"] and not walk["writable"], f"walk {walk}")
    runner.expect(walk["steps"][0]["structure"] == "PML4E" and walk["steps"][-1]["leaf"], f"steps {walk['steps']}")
    verdicts = {(row["rights"], row["access"]): row for row in walk["accesses"]}
    runner.expect(verdicts["kernel", "execute"]["allowed"], "the kernel may not execute its own code")
    runner.expect(not verdicts["kernel", "write"]["allowed"] and "R/W is 0" in verdicts["kernel", "write"]["why"],
                  f"kernel write: {verdicts['kernel', 'write']}")
    runner.expect("U/S is 0" in verdicts["user", "read"]["why"], f"user read: {verdicts['user', 'read']}")

    # The list of the address space agrees with single walks at both ends of some of its runs.
    runs = client.ask("info memory-map")["runs"]
    runner.expect(len(runs) > 10, f"only {len(runs)} runs")
    for run in runs[:: max(1, len(runs) // 20)]:
        for end in ("first", "last"):
            walk = client.ask("info pagewalk", address=run[end])
            for right in ("user", "writable", "executable", "global", "page_bytes"):
                runner.expect(walk["mapped"] and walk[right] == run[right], f"{right} of {run}: {walk}")
    nothing = client.ask("info pagewalk", address="0xffffffffffffffff")
    runner.expect(not nothing["mapped"] and "P is 0" in nothing["accesses"][0]["why"], f"walk {nothing}")
    # The page that runs is in the TLB, and the TLB says what the tables say.
    explained = client.ask("explain", address="rip")
    runner.expect(explained["tlb"]["held"] and explained["tlb"]["as_the_tables"] and explained["tlb"]["executable"], f"explained {explained}")
    runner.expect("entry" not in explained, f"explained {explained}")
    nothing = client.ask("explain", address="0x1000")
    runner.expect(not nothing["tlb"]["held"] and "0" in nothing["entry"], f"explained {nothing}")
    text = client.ask("human", line="explain rip")["text"]
    runner.expect("PML4E" in text and "TLB   holds physical" in text and "as the tables say" in text, text)
    text = client.ask("human", line="info pagewalk rip")["text"]
    runner.expect("PML4E" in text and "allowed" in text, text)
    runner.expect(client.ask("info stats")["processors"][0]["page_faults"] > 0, "no page faults were counted")


def steer(client, path, guest):
    runner.expect(client.ask("stop")["state"] == "stopped", "stop did not stop")
    before = client.ask("info hash")
    time.sleep(0.5)
    runner.expect(client.ask("info hash") == before, "a stopped guest went on")
    client.ask("cont")
    end = time.monotonic() + 30
    while client.ask("status")["instructions"] == before["instructions"]:
        runner.expect(time.monotonic() < end, "the guest did not go on")
        time.sleep(0.1)
    client.ask("stop")
    before = client.ask("status")["instructions"]
    client.ask("step", count=1000)
    while client.ask("status")["state"] != "stopped":
        runner.expect(time.monotonic() < end + 30, "the steps did not end")
        time.sleep(0.05)
    runner.expect(client.ask("status")["instructions"] == before + 1000, "step took another number of steps")
    client.ask("cont")
    client.ask("powerdown")

    # Several clients, one of them hostile, one after the other and at the same time.
    other = Client(path)
    other.socket.sendall(b"\xff\x00{" * 100_000 + b"\n")
    runner.expect("error" in json.loads(other.file.readline()), "garbage was accepted")
    runner.expect("return" in other.raw('{"execute": "status"}'), "no answer after garbage")
    client.ask("status")
    other.close()
    # One that asks and asks and never reads.
    deaf = Client(path)
    deaf.socket.setblocking(False)
    try:
        while True:
            deaf.socket.send(b'{"execute": "info devices"}\n' * 100)
    except BlockingIOError:
        pass
    client.ask("status")
    deaf.close()
    for _ in range(5):
        again = Client(path)
        again.ask("status")
        again.close()
    second = subprocess.run([runner_path(guest), "run", "--kernel", guest.args[3], "--monitor", f"unix:{path}"],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True)
    runner.expect(second.returncode == 20 and "in use" in second.stderr, f"second emulator: {second}")
    client.ask("quit")


def runner_path(guest):
    return guest.args[0]


def on_socket(options):
    with tempfile.TemporaryDirectory() as folder:
        def body(client, path, guest):
            look_around(client, path, guest)
            steer(client, path, guest)
        # What an emulator left behind that was killed is no obstacle.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
            stale.bind(str(pathlib.Path(folder, "socket")))
        with_guest(options, folder, body)


def firmware(options):
    """The reset button with SeaBIOS: the processor is back at the reset vector, also while it is stopped."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "socket")
        guest = subprocess.Popen([options.reprise, "run", "--bios", "seabios", "--engine", options.engine, "--serial",
                                  "null", "--monitor", f"unix:{path}", "--wall-timeout", "300"],
                                 stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            client = Client(path)
            end = time.monotonic() + 120
            while "SeaBIOS" not in client.ask("screen")["text"]:
                runner.expect(time.monotonic() < end, f"no SeaBIOS on the screen: {client.ask('screen')}")
                time.sleep(0.3)
            client.ask("stop")
            before = client.ask("status")["instructions"]
            client.ask("reset")
            time.sleep(0.3)
            registers = client.ask("info registers")
            runner.expect(registers["rip"] == "0xfff0" and registers["cs"]["base"] == "0xffff0000",
                          f"registers after reset: {registers}")
            runner.expect(client.ask("status")["instructions"] == before, "a stopped guest went on")
            walk = client.ask("info pagewalk", address="rip")
            runner.expect(walk["mode"] == "no paging" and walk["phys"] == "0xfffffff0", f"walk {walk}")
            client.ask("step", count=1)
            while client.ask("status")["state"] != "stopped":
                time.sleep(0.05)
            runner.expect(client.ask("info registers")["rip"] != "0xfff0", "no step was taken")
            client.ask("cont")
            client.ask("quit")
            runner.expect(guest.wait(60) == 0, "quit did not end the run")
        finally:
            guest.kill()
            guest.wait()


def on_terminal(options):
    def body(terminal):
        terminal.wait_for(PROMPT)
        terminal.type(b"(sleep 3; echo held$((40+2)))&\r")
        terminal.wait_for(PROMPT)
        terminal.type(b"\x01c")
        terminal.wait_for(b"(reprise) ")
        terminal.type(b"info pag\trip\r")
        terminal.wait_for(b"PML4E")
        terminal.wait_for(b"(reprise) ")
        end = time.monotonic() + 6
        while time.monotonic() < end:
            terminal.read(0.5)
        runner.expect(b"held42" not in terminal.seen, "the guest printed into the prompt")
        terminal.type(b"stop\r")
        terminal.wait_for(b"stopped at instruction")
        terminal.type(b"nonsense\r")
        terminal.wait_for(b"There is no command 'nonsense'")
        terminal.type(b"cont\r")
        terminal.wait_for(b"(reprise) ")
        terminal.type(b"\x01c")
        terminal.wait_for(b"held42")
        terminal.type(b"echo back$((1+1))\r")
        terminal.wait_for(b"back2")
        terminal.type(b"\x01cquit\r")
        code = terminal.wait_for_end(30)
        runner.expect(code == 0, f"exit code {code} after quit")
    words = ["--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--append",
             "console=ttyS0 quiet", "--wall-timeout", "600"]
    session.run(options, words, body)


def observe(options, extra=()):
    result = runner.boot(options, "reprise.demo", ["--hash-every", "200000000", *extra])
    runner.expect(result.exit_code == 0, f"exit code {result.exit_code}: {result.messages}")
    facts = {key: result.report[key] for key in ("instructions", "virtual_ns", "state_hash", "hashes")}
    runner.expect(len(facts["hashes"]) >= 5, "too few hashes")
    return facts, result.console


def watching_changes_nothing(options):
    alone = observe(options)
    looks = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "socket")

        def watch():
            try:
                client = Client(path)
                while True:
                    for command in LOOKS:
                        client.ask(command)
                    client.ask("info pagewalk", address="rip")
                    client.ask("stop")
                    client.ask("cont")
                    looks.append(len(LOOKS) + 3)
            except (OSError, ValueError, runner.Failure):
                return  # the run is over

        watcher = threading.Thread(target=watch)
        watcher.start()
        watched = observe(options, ["--monitor", f"unix:{path}"])
        watcher.join()
    runner.expect(sum(looks) > 100, f"only {sum(looks)} looks")
    runner.expect(watched == alone, f"the watched run differs: {alone[0]} and {watched[0]}")
    print(f"{sum(looks)} looks, {len(alone[0]['hashes'])} hashes agree")


def test(options):
    for body in (on_socket, firmware, on_terminal, watching_changes_nothing):
        print(body.__name__, flush=True)
        body(options)


if __name__ == "__main__":
    runner.main(test, __doc__)
