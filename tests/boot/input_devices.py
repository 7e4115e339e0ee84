#!/usr/bin/env python3
"""What the monitor types, moves and clicks arrives at Linux as events of its input devices: virtio keyboard, mouse and
tablet, or the PS/2 keyboard where there is no other."""

import pathlib
import re
import subprocess
import tempfile
import time

import monitor
import runner

VIRTIO = ["Virtio_Keyboard:12", "Virtio_Mouse:3", "Virtio_Tablet:7"]
SHIFTED_A = "1.42=1 0.0=0 1.30=1 0.0=0 1.30=0 0.0=0 1.42=0 0.0=0"


def events(options, folder, devices, names, act):
    """The events that `names` gave while `act` was done, by device."""
    path, console = pathlib.Path(folder, "socket"), pathlib.Path(folder, "console")
    console.unlink(missing_ok=True)
    command = [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--engine",
               options.engine, "--append", f"console=ttyS0 reprise.exec=/bin/input-test reprise.events={','.join(names)}",
               "--serial", f"file:{console}", "--monitor", f"unix:{path}", "--wall-timeout", "600"]
    for device in devices:
        command += ["--device", device]
    guest = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    try:
        client = monitor.Client(path)
        text = ""
        while "input-test: ready" not in text:
            text = console.read_text(errors="replace") if console.exists() else ""
            runner.expect(guest.poll() is None, f"the guest ended before it was ready:\n{text[-2000:]}")
            time.sleep(0.2)
        act(client)
        client.close()
        output = guest.communicate(timeout=300)[0].decode(errors="replace")
        text = console.read_text(errors="replace")
        runner.expect(guest.returncode == 0, f"exit code {guest.returncode}: {output}\n{text[-2000:]}")
    finally:
        guest.kill()
        guest.wait()
    found = re.findall(r"input-test: (\S+) (\d+\.\d+=\d+)", text)
    return {name: " ".join(event for device, event in found if device == name) for name, _ in found}


def on_virtio(client):
    client.ask("type", text="A")
    client.ask("sendkey", keys="ctrl_r")
    client.ask("mouse move", dx=5, dy=-2, wheel=1)
    client.ask("click", button="left", x=100, y=32767)


def on_ps2(client):
    client.ask("type", text="A")


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        runner.add_drivers(options, folder)
        got = events(options, folder, ["virtio-keyboard", "virtio-mouse", "virtio-tablet"], VIRTIO, on_virtio)
        wanted = {"Virtio_Keyboard": SHIFTED_A + " 1.97=1 0.0=0 1.97=0 0.0=0",
                  "Virtio_Mouse": "2.0=5 2.1=65534 0.0=0",
                  "Virtio_Tablet": "2.8=1 0.0=0 3.0=100 3.1=32767 0.0=0 1.272=1 0.0=0"}
        runner.expect(got == wanted, f"events {got} instead of {wanted}")
        got = events(options, folder, [], ["AT_Translated_Set_2_keyboard:12"], on_ps2)
        wanted = "4.4=42 1.42=1 0.0=0 4.4=30 1.30=1 0.0=0 4.4=30 1.30=0 0.0=0 4.4=42 1.42=0 0.0=0"
        runner.expect(got == {"AT_Translated_Set_2_keyboard": wanted}, f"events {got} instead of {wanted}")


if __name__ == "__main__":
    runner.main(test, __doc__)
