#!/usr/bin/env python3
"""Stock Linux with a virtio-serial: two consoles, one of them with a shell on a socket, and a port by name to which somebody on a socket
comes, goes and comes again. The recording of it is the same run on each engine."""

import json
import pathlib
import socket
import subprocess
import tempfile
import time

import runner

SCRIPT = """#!/bin/sh
load-drivers
for port in /sys/class/virtio-ports/*; do
  echo "ports-test: ${port##*p} $(cat $port/name)"
  [ "$(cat $port/name)" = org.test ] && node=/dev/${port##*/}
done
echo "hello through hvc0" >/dev/hvc0
setsid sh -c 'exec sh -i </dev/hvc1 >/dev/hvc1 2>&1' &
exec 3<>$node
while :; do
  if read -r line <&3; then
    echo "ports-test: got $line"
    [ "$line" = end ] && break
    echo "you said $line" >&3
    there=1
  elif [ "$there" = 1 ]; then
    echo "ports-test: gone"
    there=0
  else
    usleep 10000
  fi
done
"""


def connect(path):
    end = time.monotonic() + 60
    while True:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
            client.settimeout(120)
            return client
        except OSError:
            client.close()
            runner.expect(time.monotonic() < end, f"nobody listens at {path}")
            time.sleep(0.1)


def wait_for(client, text):
    seen = b""
    while text not in seen:
        more = client.recv(4096)
        runner.expect(more != b"", f"'{text.decode()}' did not come: {seen!r}")
        seen += more


def use(folder):
    shell = connect(folder / "hvc1")
    wait_for(shell, b"# ")
    shell.sendall(b"echo $((6 * 7)) is it\n")
    wait_for(shell, b"42 is it")
    for count, line in enumerate((b"first", b"second", b"end"), start=1):
        port = connect(folder / "port")
        port.sendall(line + b"\n")
        if line != b"end":
            wait_for(port, b"you said " + line)
            port.close()
            # The guest notices, unless somebody else comes at once.
            end = time.monotonic() + 60
            while (folder / "ttyS0").read_text().count("ports-test: gone") != count:
                runner.expect(time.monotonic() < end, f"the guest does not notice that {line.decode()} has gone")
                time.sleep(0.1)


def summary(path):
    report = json.loads(path.read_text())
    return {key: report[key] for key in ("state_hash", "instructions", "virtual_ns", "exit_reason", "exit_code")}


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.add_drivers(options, folder)
        runner.add_program(options, "ports-test", SCRIPT)
        run = [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--append",
               "console=ttyS0 reprise.exec=/bin/ports-test", "--memory", "512M", "--serial", f"file:{folder}/ttyS0",
               "--device", "virtio-serial", "--device", f"virtconsole,target=file:{folder}/hvc0", "--device",
               f"virtconsole,target=unix:{folder}/hvc1", "--device",
               f"virtserialport,name=org.test,target=unix:{folder}/port", "--cpus", "2", "--engine", options.engine, "--record",
               folder / "run.rec", "--json", folder / "run.json", "--wall-timeout", "900"]
        guest = subprocess.Popen([str(word) for word in run], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            use(folder)
            errors = guest.communicate(timeout=900)[1]
        finally:
            guest.kill()
            guest.wait()
        text = (folder / "ttyS0").read_text().replace("\r", "")
        runner.expect(guest.returncode == 0, f"exit code {guest.returncode}: {errors}\n{text[-800:]}")
        for wanted in ("2 org.test\n", "got first\nports-test: gone\nports-test: got second\nports-test: gone\nports-test: got end"):
            runner.expect(f"ports-test: {wanted}" in text, f"'{wanted}' is not there: {text[-800:]}")
        runner.expect((folder / "hvc0").read_text().replace("\r", "") == "hello through hvc0\n", "hvc0 got something else")
        for engine in ("jit", "interp"):
            again = subprocess.run([str(word) for word in (options.reprise, "replay", folder / "run.rec", "--engine", engine,
                                                           "--serial", f"file:{folder}/again", "--json", folder / f"{engine}.json")],
                                   stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
            runner.expect(again.returncode == 0, f"{engine}: code {again.returncode}: {again.stderr}")
            runner.expect(summary(folder / "run.json") == summary(folder / f"{engine}.json"), f"{engine}: another run")
            runner.expect((folder / "again").read_text().replace("\r", "") == text, f"{engine}: other output")


runner.main(test, __doc__)
