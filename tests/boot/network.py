#!/usr/bin/env python3
"""Stock Linux on a network: DHCP, ping, TFTP and router advertisements, twice with the same hashes, because nothing of it
reaches the host; then connections through the host, both ways, and with the legacy driver."""

import hashlib
import http.server
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time

import monitor
import runner

SIZE = 3_000_000
# What the guest makes of the router's prefix and its card's address.
OWN = "fec0::5054:ff:fe12:3456"


class Server(http.server.BaseHTTPRequestHandler):
    content = bytes(i * 31 % 251 for i in range(SIZE))

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_):
        pass


def guest(options, net, words, *extra):
    result = runner.boot(options, f"quiet reprise.exec=/bin/net-test {words}", ["--net", net, *extra])
    tail = "\n".join(result.console.splitlines()[-25:])
    runner.expect(result.exit_code == 0 and "net-test: done" in result.console,
                  f"{net}: exit code {result.exit_code}: {result.messages}\n{tail}")
    return result


def expect_line(result, line):
    runner.expect(line in result.console, f"the guest did not print '{line}':\n{result.console[-2000:]}")


def alone(options, folder):
    """All that is answered without the host, twice."""
    boot_file = pathlib.Path(folder, "boot.bin")
    boot_file.write_bytes(Server.content)
    dump = pathlib.Path(folder, "dump.pcap")
    net = f"user,restrict=yes,tftp={folder},bootfile=boot.bin"
    words = "net.ping=10.0.2.2 net.ping=fec0::2 net.tftp=10.0.2.2,boot.bin"
    first, second = (guest(options, net, words, *extra)
                     for extra in (["--net-dump", dump], ["--hash-every", "500000000"]))
    expect_line(first, "lease ip=10.0.2.15 router= dns= boot_file=boot.bin")
    for address in "10.0.2.2", "fec0::2":
        expect_line(first, f"net-test: ping {address}: 3 packets transmitted, 3 packets received")
    expect_line(first, f"net-test: tftp {hashlib.md5(Server.content).hexdigest()}")
    for result in first, second:
        runner.expect(result.report["rtc_from"] == "fixed", "a restricted run has another clock")
        runner.expect(result.report["network"]["sockets"] == "closed", f"{result.report['network']}")
        runner.expect(result.report["rtc_unix_s"] == 1735689600, "a restricted run has the host's time")
    runner.expect(first.report["state_hash"] == second.report["state_hash"], "two runs alone differ")
    data = dump.read_bytes()
    runner.expect(data[:8] == bytes.fromhex("4d3cb2a102000400") and len(data) > SIZE, "the capture is none")


def outwards(options):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sink = socket.create_server(("127.0.0.1", 0))
    received = []

    def take():
        connection, _ = sink.accept()
        total = 0
        while data := connection.recv(1 << 16):
            total += len(data)
        received.append(total)

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    for legacy in "", "virtio_pci.force_legacy=1 ":
        put = "" if legacy else f"net.put=10.0.2.2:{sink.getsockname()[1]},5"
        result = guest(options, "user", f"{legacy}net.get=http://10.0.2.2:{server.server_port}/ {put}")
        expect_line(result, f"net-test: got {hashlib.md5(Server.content).hexdigest()}")
        runner.expect(result.report["network"]["sockets"] == "reached", f"{result.report['network']}")
        runner.expect(abs(result.report["rtc_unix_s"] - time.time()) < 3600, "an open run has not the host's time")
        runner.expect(result.report["rtc_from"] == "host", result.report["rtc_from"])
    taker.join(10)
    runner.expect(received == [5 << 20], f"the host got {received} bytes")
    server.shutdown()


def together(options, folder):
    """Two machines on a hub."""
    hub = pathlib.Path(folder, "hub")
    first = subprocess.Popen(
        [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--engine", options.engine,
         "--append", "console=ttyS0 quiet reprise.exec=/bin/net-test net.address=10.9.0.1 net.idle=600",
         "--serial", "null", "--net", f"hub:{hub}", "--wall-timeout", "600"], stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        while not hub.exists() and first.poll() is None:
            time.sleep(0.05)
        time.sleep(3)
        result = guest(options, f"hub:{hub}", "net.address=10.9.0.2 net.ping=10.9.0.1", "--device",
                       "virtio-net,mac=52:54:00:00:00:02")
        expect_line(result, "net-test: ping 10.9.0.1: 3 packets transmitted, 3 packets received")
    finally:
        first.terminate()
        first.wait()


def inwards(options, folder, by_monitor):
    """A caller finds the guest by the port that stderr names; or, by IPv6, by one that the monitor is asked for."""
    forward = "" if by_monitor else ",hostfwd=tcp::0-:80"
    console, messages = pathlib.Path(folder, "console"), pathlib.Path(folder, "messages")
    with messages.open("w") as stderr:
        run = subprocess.Popen(
            [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--engine", options.engine,
             "--append", "console=ttyS0 quiet reprise.exec=/bin/net-test net.serve=80", "--serial", f"file:{console}",
             "--net", f"user,restrict=yes{forward}", "--wall-timeout", "600", "--monitor", f"unix:{folder}/monitor"],
            stdin=subprocess.DEVNULL, stderr=stderr)
    try:
        client = monitor.Client(pathlib.Path(folder, "monitor"))
        deadline = time.monotonic() + 600
        while "net-test: serving 80" not in (console.read_text() if console.exists() else ""):
            runner.expect(run.poll() is None and time.monotonic() < deadline, "the guest does not serve")
            time.sleep(0.05)
        if by_monitor:
            host, port = "::1", client.ask("hostfwd_add", forward=f"tcp:[::1]:0-[{OWN}]:80")["host_port"]
            runner.expect("HOST_FORWARD" in client.ask("info usernet")["text"], "libslirp does not list the forward")
        else:
            found = re.search(r"tcp port (\d+) of 127.0.0.1 goes to the guest's port 80", messages.read_text())
            runner.expect(found, f"no port was named: {messages.read_text()}")
            host, port = "127.0.0.1", int(found[1])
        client.close()
        # The guest says so a moment before it listens.
        answer = b""
        while not answer and time.monotonic() < deadline:
            with socket.create_connection((host, port), timeout=60) as caller:
                try:
                    caller.sendall(b"hello, guest\n")
                    caller.shutdown(socket.SHUT_WR)
                    answer = caller.recv(100)
                except ConnectionError:
                    time.sleep(0.1)
        runner.expect(answer == b"HELLO, GUEST\n", f"the guest answered {answer}")
        runner.expect(run.wait(600) == 0, f"exit code {run.returncode}: {messages.read_text()}")
    finally:
        run.kill()
        run.wait()


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        runner.add_drivers(options, folder)
        alone(options, folder)
        outwards(options)
        inwards(options, folder, False)
        inwards(options, folder, True)
        together(options, folder)


if __name__ == "__main__":
    runner.main(test, __doc__)
