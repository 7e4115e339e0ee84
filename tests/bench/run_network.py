#!/usr/bin/env python3
"""What a byte costs on its way between a guest and this host, beside QEMU: virtio-net and user networking on both, one
TCP connection from a server on the loopback (get), or to one (put).

usage: run_network.py [--reprise PROGRAM] [--guests FOLDER] [--mebibytes N] [--rounds N] [--net-device NAME]

The processor time of a run that transfers, less that of one that only boots, by the byte. Turn by turn, so that the host's
moods hit both; the smallest of the rounds counts. Wall time and the time of the whole are shown beside it.
"""

import argparse
import http.server
import os
import pathlib
import socket
import tempfile
import threading

import cost


class Server(http.server.BaseHTTPRequestHandler):
    mebibytes = 0

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(self.mebibytes << 20))
        self.end_headers()
        piece = os.urandom(1 << 20)
        for _ in range(self.mebibytes):
            self.wfile.write(piece)

    def log_message(self, *_):
        pass


def swallow(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(1 << 20):
                pass


def reprise(options, initrd, append):
    return [options.reprise, "run", "--kernel", options.kernel, "--initrd", initrd, "--memory", "512M", "--append", append,
            "--serial", "stdio", "--device", options.net_device, "--net", "user", "--clock", "free"]


def qemu(options, initrd, append):
    device = {"virtio-net": "virtio-net-pci"}.get(options.net_device, options.net_device)
    return ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-kernel", options.kernel, "-initrd", initrd,
            "-append", append, "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
            "-netdev", "user,id=n", "-device", f"{device},netdev=n,romfile="]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", default="build/release/reprise")
    parser.add_argument("--guests", default="build/guests", type=pathlib.Path)
    parser.add_argument("--mebibytes", default=256, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--net-device", default="virtio-net")
    options = parser.parse_args()
    options.kernel = options.guests / "vmlinuz"
    Server.mebibytes = options.mebibytes
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sink = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=swallow, args=(sink,), daemon=True).start()
    words = {"boot": "", "get": f"net.drop=http://10.0.2.2:{server.server_port}/",
             "put": f"net.put=10.0.2.2:{sink.getsockname()[1]},{options.mebibytes}"}
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        initrd = pathlib.Path(folder, "initrd.img")
        initrd.write_bytes((options.guests / "initramfs.img").read_bytes() + (options.guests / "drivers.img").read_bytes())
        for _ in range(options.rounds):
            for what, word in words.items():
                for name, command in ("reprise", reprise), ("qemu", qemu):
                    append = f"console=ttyS0 quiet reprise.exec=/bin/net-test {word}"
                    spent = cost.measure(command(options, initrd, append), "net-test: done")
                    best[what, name] = min(best.get((what, name), spent), spent)
    print(f"{options.mebibytes} MiB, {options.net_device}; processor seconds (wall seconds)")
    for what in words:
        cells = [f"{name} {best[what, name][0]:7.2f} ({best[what, name][1]:6.2f})" for name in ("reprise", "qemu")]
        print(f"{what:5} {'   '.join(cells)}")
    for what in "get", "put":
        price = {name: (best[what, name][0] - best["boot", name][0]) / (options.mebibytes << 20) * 1e9
                for name in ("reprise", "qemu")}
        print(f"{what:5} {price['reprise']:.2f} ns a byte, QEMU {price['qemu']:.2f}: {price['qemu'] / price['reprise']:.2f} times")


main()
