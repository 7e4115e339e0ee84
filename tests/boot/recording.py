#!/usr/bin/env python3
"""Runs are recorded and replayed: a session with keys, pointer, buttons and a network that is reached, on a paced clock with two
processors; one that was killed; one that ended by a signal. The replay has the same output, state and exit code, on another
engine, without the network."""

import http.server
import json
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

import monitor
import network
import runner


def replay(options, folder, name, *words):
    serial = folder / f"{name}.replayed"
    result = subprocess.run(
        [options.reprise, "replay", folder / name, "--serial", f"file:{serial}", "--json", folder / f"{name}.json2", *words],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900)
    return result, serial.read_bytes() if serial.exists() else b"", json.loads((folder / f"{name}.json2").read_text())


def session(options, folder, name, words, body):
    """A run that `body` uses by its monitor until it ends."""
    socket = folder / f"{name}.socket"
    guest = subprocess.Popen(
        [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--engine",
         options.engine, "--serial", f"file:{folder / name}.text", "--monitor", f"unix:{socket}", "--json",
         folder / f"{name}.json", "--record", folder / name, "--wall-timeout", "600", *words],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        client = monitor.Client(socket)
        body(client, guest)
        guest.wait(600)
        return guest.returncode, guest.stderr.read()
    finally:
        guest.kill()
        guest.wait()


def used(options, folder, server):
    def body(client, guest):
        for keys in "a", "ret", "shift-x":
            client.ask("sendkey", keys=keys)
            time.sleep(0.2)
        client.ask("mouse move", dx="5", dy="-3")
        client.ask("set_link", card="net0", state="off")
        time.sleep(0.2)
        client.ask("set_link", card="net0", state="on")
        client.ask("stop")
        client.ask("step", count="777777")
        time.sleep(0.2)
        client.ask("cont")
        client.ask("type", text="typed")
        client.close()

    words = ["--clock", "paced", "--cpus", "2", "--device", "virtio-tablet", "--net", "user", "--append",
             f"console=ttyS0 quiet reprise.exec=/bin/net-test net.get=http://10.0.2.2:{server.server_port}/ net.ping=10.0.2.2"]
    code, errors = session(options, folder, "used", words, body)
    runner.expect(code == 0, f"exit code {code}: {errors}")
    report = json.loads((folder / "used.json").read_text())
    runner.expect(report["network"]["sockets"] == "reached", f"{report['network']}")
    server.shutdown()
    server.server_close()
    for engine in (options.engine, "interp"):
        result, text, second = replay(options, folder, "used", "--engine", engine)
        runner.expect(result.returncode == 0, f"exit code {result.returncode}: {result.stderr}")
        for key in "state_hash", "instructions", "virtual_ns", "exit_reason", "exit_code":
            runner.expect(report[key] == second[key], f"{engine}: {key} is {second[key]}, was {report[key]}")
        runner.expect(text == (folder / "used.text").read_bytes(), f"{engine}: the output differs")


def ended(options, folder, name, stop, code):
    def body(client, guest):
        time.sleep(1.5)
        client.ask("sendkey", keys="a")
        time.sleep(0.5)
        guest.send_signal(stop)

    session(options, folder, name, ["--append", "console=ttyS0"], body)
    result, text, _ = replay(options, folder, name)
    runner.expect(result.returncode == code, f"{name}: exit code {result.returncode}: {result.stderr}")
    whole = (folder / f"{name}.text").read_bytes()
    runner.expect(whole == text if code else whole.startswith(text), f"{name}: the output differs")
    return result


def test(options):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), network.Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.add_drivers(options, folder)
        used(options, folder, server)
        ended(options, folder, "terminated", signal.SIGTERM, 128 + signal.SIGTERM)
        killed = ended(options, folder, "killed", signal.SIGKILL, 0)
        runner.expect("cut off" in killed.stderr, killed.stderr)


if __name__ == "__main__":
    runner.main(test, __doc__)
