#!/usr/bin/env python3
"""Debian's disk on a network: ssh to it through a forwarded port, both ways, and user-mode Linux inside it that are networked
with each other and, through the guest's bridge, with libslirp and this host: started, cut off and ended at will."""

import hashlib
import http.server
import io
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import threading

import debian_shell
import runner
import session

CONTENT = bytes(i * 31 % 251 for i in range(4_000_000))
DIGEST = hashlib.sha256(CONTENT).hexdigest()

# Each has an address of its own on the guest's bridge; what it says goes to its log.
UML_INIT = r"""#!/bin/bash
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
ip link set lo up
ip link set vec0 up
ip addr add 10.0.2.$((20 + NUMBER))/24 dev vec0
ip route add default via 10.0.2.2
reaches() { ping -c 3 -i 0.2 -W 5 "$1" >/run/ping && echo "uml $NUMBER reaches $1" || echo "uml $NUMBER does not reach $1"; }
echo "uml $NUMBER is up"
for other in ${OTHERS//,/ }; do reaches $other; done
if [ -n "$PORT" ]; then
  exec 3<>/dev/tcp/10.0.2.2/$PORT
  printf 'GET / HTTP/1.0\r\n\r\n' >&3
  cat <&3 >/run/answer
  echo "uml $NUMBER got $(tail -c 4000000 /run/answer | sha256sum | cut -c1-64)"
fi
if [ -n "$STAYS" ]; then while :; do sleep 1; done; fi
echo o >/proc/sysrq-trigger
sleep 60
"""
UML = r"""#!/bin/bash
# uml NUMBER [VARIABLE=VALUE...]: in the background
ip tuntap add dev tap$1 mode tap
ip link set tap$1 master bridge up
linux.uml rootfstype=hostfs rootflags=/ rw init=/root/uml-init NUMBER=$1 mem=64M con=null con0=fd:0,fd:1 \
  "vec0:transport=tap,ifname=tap$1,gro=1,mac=02:00:00:00:00:0$1" "${@:2}" </dev/null >/root/uml$1.log 2>&1 &
"""


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


def add(archive, name, content, mode):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def tools_disk(options, folder):
    """A disk that is an archive: an ssh server, who may log in, and the scripts."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    path = folder / "tools.tar"
    with tarfile.open(path, "w") as archive:
        for tool in sorted(pathlib.Path(options.media, "ssh").iterdir()):
            add(archive, f"usr/local/lib/{tool.name}" if ".so" in tool.name else f"usr/local/sbin/{tool.name}",
                tool.read_bytes(), 0o755)
        add(archive, "root/.ssh/authorized_keys", (folder / "key.pub").read_bytes(), 0o600)
        add(archive, "root/uml-init", UML_INIT.encode(), 0o755)
        add(archive, "root/uml", UML.encode(), 0o755)
    return path


def bring_up(guest):
    """An address by DHCP, on a bridge that user-mode Linux can join."""
    guest.command("tar -xf /dev/vdb -C / && ldconfig; mkdir -p /etc/dropbear; chmod 700 /root/.ssh")
    guest.command("card=$(basename $(dirname $(grep -l 52:54:00:12:34:56 /sys/class/net/*/address)))")
    guest.command("ip link add bridge type bridge; ip link set bridge address 52:54:00:12:34:56; "
                  "ip link set $card master bridge up; ip link set bridge up; dhclient bridge; true", 120)
    guest.expect("ip addr show bridge; ip route; cat /etc/resolv.conf", "inet 10.0.2.15/24", "default via 10.0.2.2",
                 "nameserver 10.0.2.3")


def ssh(guest, folder):
    guest.command("dropbear -R -E -p 22 2>/root/dropbear.log; sleep 1")
    port = re.search(r"tcp port (\d+) of 127.0.0.1 goes to the guest's port 22", guest.first_lines)
    runner.expect(port, f"no port was named: {guest.first_lines!r}")

    def run(command, stdin=b""):
        done = subprocess.run(["ssh", "-p", port[1], "-i", folder / "key", "-o", "StrictHostKeyChecking=accept-new", "-o",
                               f"UserKnownHostsFile={folder}/hosts", "-o", "BatchMode=yes", "-o", "ConnectTimeout=120", "-F",
                               "none", "root@127.0.0.1", command], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=600)
        runner.expect(done.returncode == 0, f"ssh {command}: {done.returncode} {done.stderr.decode(errors='replace')}")
        return done.stdout

    runner.expect(run("hostname; id -u") == b"debian\n0\n", "ssh reaches another host")
    runner.expect(run("cat >/root/content; sha256sum </root/content", CONTENT).split()[0].decode() == DIGEST,
                  "what ssh brought is something else")
    runner.expect(run("cat /root/content") == CONTENT, "what ssh fetched is something else")


def log_says(guest, number, *wanted):
    """The log of a user-mode Linux that may still be writing."""
    for _ in range(60):
        text = guest.command(f"grep -a '^uml' /root/uml{number}.log; sleep 1")
        if all(words in text for words in wanted):
            return text
    text = guest.command(f"tail -n 40 /root/uml{number}.log")
    raise runner.Failure(f"user-mode Linux {number} does not say all of {wanted}: {text!r}")


def user_mode_linux(guest, _folder):
    port = guest.server_port
    guest.command("modprobe tun")
    # One that stays, and two that come and go: to the guest, to the others, to libslirp, to a server on this host.
    guest.command("/root/uml 1 STAYS=1")
    log_says(guest, 1, "uml 1 is up")
    guest.expect("ping -c 2 -W 5 10.0.2.21", " 0% packet loss")
    for _ in range(2):
        guest.command(f"/root/uml 2 OTHERS=10.0.2.15,10.0.2.21,10.0.2.2 PORT={port}; /root/uml 3 OTHERS=10.0.2.21 PORT={port}")
        for number, others in (2, ("10.0.2.15", "10.0.2.21", "10.0.2.2")), (3, ("10.0.2.21",)):
            log_says(guest, number, *(f"uml {number} reaches {other}" for other in others), f"uml {number} got {DIGEST}")
        guest.command("while pgrep -f 'NUMBER=[23]' >/dev/null; do sleep 0.5; done; ip link del tap2; ip link del tap3")
    # Cut off, it is reached by nobody; plugged in again, it is.
    guest.command("ip link set tap1 nomaster")
    guest.expect("ping -c 2 -W 2 10.0.2.21", "100% packet loss")
    guest.command("ip link set tap1 master bridge")
    guest.expect("ping -c 2 -W 5 10.0.2.21", " 0% packet loss")
    guest.command("pkill -9 -f NUMBER=1; sleep 1; ip link del tap1")
    guest.expect("ip -br link; echo end", "end")
    guest.expect("ping -c 2 -W 5 10.0.2.2", " 0% packet loss")


def test(options):
    disk = pathlib.Path(options.disks, "debian-bios.img")
    for needed in disk, pathlib.Path(options.media, "ssh"):
        if not needed.exists():
            print(f"SKIP: '{needed}' is missing: ./dev images makes it")
            sys.exit(77)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tools = tools_disk(options, folder)

        def body(terminal):
            guest = debian_shell.DebianShell(terminal)
            guest.server_port = server.server_port
            guest.terminal.wait_for(b"the guest's port 22")
            guest.first_lines = terminal.before.decode() + "the guest's port 22"
            guest.log_in()
            bring_up(guest)
            for part in ssh, user_mode_linux:
                print(part.__name__, flush=True)
                part(guest, folder)
            terminal.write(b"poweroff\r")
            runner.expect(terminal.wait_for_end(300) == 0, "the guest did not switch itself off")

        session.run(options, ["--disk", f"{disk},bus=virtio", "--disk", f"{tools},bus=virtio,format=raw", "--memory", "512M",
                              "--net", "user,hostfwd=tcp::0-:22", "--clock", "free", "--wall-timeout", "1500"], body)
    server.shutdown()


def add_arguments(parser):
    parser.add_argument("--disks", default="build/disks", help="folder made by tests/guests/build_disk.py")
    parser.add_argument("--media", default="build/media", help="folder made by tests/guests/build_media.py")


runner.main(test, __doc__, add_arguments)
