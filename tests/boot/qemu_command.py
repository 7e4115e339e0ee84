#!/usr/bin/env python3
"""QEMU's command line, by the name of QEMU: a stock kernel with -nographic, the exit codes of isa-debug-exit and others, images that
are written unless -snapshot says otherwise, serial ports on sockets, monitors for people and programs, sentences about what cannot be."""

import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

import runner


def qemu(options, folder):
    """The program under QEMU's name."""
    link = pathlib.Path(folder, "qemu-system-x86_64")
    if not link.exists():
        link.symlink_to(pathlib.Path(options.reprise).resolve())
    return link


def environment(options):
    return {**os.environ, "REPRISE_OPTIONS": f"--engine={options.engine} --wall-timeout=600"}


def run(options, folder, *words, **more):
    return subprocess.run([str(word) for word in (qemu(options, folder), *words)], env=environment(options), timeout=900,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **{"stdin": subprocess.DEVNULL, **more})


def kernel(options, append="console=ttyS0 panic=-1"):
    return ["-m", "512", "-kernel", options.kernel, "-initrd", options.initrd, "-append", append]


def stock_kernel(options, folder):
    """As a script of CI has it: all that QEMU has by default, input from a pipe, and power-off."""
    ended = run(options, folder, *kernel(options), "-nographic", "-no-reboot", "-smp", "2", "-enable-kvm", "-cpu", "max",
                "-object", "rng-random,filename=/dev/urandom,id=r", "-device", "virtio-rng-pci,rng=r",
                stdin=None, input=b"nproc; ls /sys/bus/pci/devices; poweroff -f\n")
    output = ended.stdout.decode(errors="replace").replace("\r", "")
    runner.expect(ended.returncode == 0, f"code {ended.returncode}: {ended.stderr.decode()}")
    runner.expect("\n2\n" in output and "0000:00:03.0" in output and "reboot: Power down" in output, output[-800:])
    runner.expect(ended.stderr == b"", ended.stderr.decode())


def resets(options, folder):
    """A panic resets the machine: with -no-reboot that ends the run with code 0, as QEMU's does; else the kernel starts again."""
    words = (*kernel(options, "console=ttyS0 panic=-1 rdinit=/nothing quiet"), "-nographic")
    ended = run(options, folder, *words, "-no-reboot")
    runner.expect(ended.returncode == 0 and b"Kernel panic" in ended.stdout, f"code {ended.returncode}: {ended.stdout[-400:]!r}")
    ended = run(options, folder, *words, "-device", "pvpanic", "-action", "panic=exit-failure")
    runner.expect(ended.returncode == 1, f"code {ended.returncode} with panic=exit-failure")
    again = subprocess.Popen([str(word) for word in (qemu(options, folder), *words)], env=environment(options),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    seen = b""
    while seen.count(b"Kernel panic - not syncing") < 2:
        more = os.read(again.stdout.fileno(), 65536)
        runner.expect(more != b"", f"the machine did not start again: {seen[-400:]!r}")
        seen += more
    again.send_signal(signal.SIGTERM)
    again.stdout.close()
    code = again.wait(60)
    runner.expect(code == 0, f"code {code} after SIGTERM")


def boot_sector(options, folder):
    """The image is written, but not with -snapshot, and what is written to port F4h is the exit code."""
    image = pathlib.Path(folder, "boot.img")
    runner.assemble(pathlib.Path(__file__).parent / "qemu_boot.asm", image)
    words = ("-drive", f"file={image},format=raw,cache=unsafe", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-display",
             "none", "-serial", "stdio", "-nodefaults")
    for value, more in ((0x10, ["-snapshot"]), (0x10, []), (0x11, ["-snapshot"])):
        ended = run(options, folder, *words, *more)
        runner.expect(ended.returncode == value << 1 | 1, f"code {ended.returncode}: {ended.stderr.decode()}")
        runner.expect(b"the boot sector is here" in ended.stdout, f"it said {ended.stdout[-200:]!r}")
    runner.expect(image.read_bytes()[512] == 0x11, "the image was not written, or by -snapshot, too")


def boot_once(options, folder):
    """What -boot once= says holds until the machine is reset."""
    sector, floppy = pathlib.Path(folder, "once.img"), pathlib.Path(folder, "once-floppy.img")
    runner.assemble(pathlib.Path(__file__).parent / "qemu_boot_once.asm", sector)
    floppy.write_bytes(sector.read_bytes().ljust(1440 * 1024, b"\0"))
    sector.write_bytes(sector.read_bytes().ljust(1 << 20, b"\0"))
    words = ("-drive", f"file={sector},format=raw", "-drive", f"file={floppy},format=raw,if=floppy", "-snapshot", "-device",
             "isa-debug-exit,iobase=0xf4,iosize=0x04", "-display", "none", "-serial", "stdio", "-nodefaults")
    for order, wanted in (("once=a", ["floppy", "disk"]), ("order=c,once=a", ["floppy", "disk"]), ("c", ["disk"])):
        ended = run(options, folder, *words, "-boot", order)
        said = re.findall(r"from the (\w+)", ended.stdout.decode())
        runner.expect(ended.returncode == 1 and said == wanted, f"{order}: code {ended.returncode}, {said}: {ended.stderr.decode()}")


def pipes_and_logs(options, folder):
    """A serial port on two FIFOs, and files that have what is said there, too: anew, and behind what they hold."""
    image, pipe, log = (pathlib.Path(folder, name) for name in ("boot.img", "pipe", "log"))
    for end in (".in", ".out"):
        os.mkfifo(f"{pipe}{end}")
    words = ("-drive", f"file={image},format=raw", "-snapshot", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-display", "none",
             "-nodefaults")
    line = b"the boot sector is here\r\n"
    reader = os.open(f"{pipe}.out", os.O_RDWR | os.O_NONBLOCK)
    log.write_bytes(b"what was there\n")
    for chardev, wanted in ((f"pipe,path={pipe},logfile={log},logappend=on", b"what was there\n" + line),
                            (f"pipe,path={pipe},logfile={log}", line), (f"ringbuf,logfile={log}", line),
                            (f"file,path={log},append=on", 2 * line)):
        ended = run(options, folder, *words, "-chardev", f"{chardev},id=c", "-serial", "chardev:c")
        runner.expect(ended.returncode & 1 == 1 and ended.stderr == b"", f"{chardev}: {ended}")
        runner.expect(log.read_bytes() == wanted, f"{chardev}: {log.read_bytes()!r}")
        if chardev.startswith("pipe"):
            runner.expect(os.read(reader, 4096) == line, "the FIFO has something else")
    os.close(reader)


def background(options, folder):
    """-daemonize: the command ends when the run has begun, or with code 1 when it cannot; the run goes on until somebody ends it."""
    image, path, pid_file = (pathlib.Path(folder, name) for name in ("boot.img", "qmp-behind", "pid-behind"))
    words = ("-display", "none", "-nodefaults", "-daemonize", "-S", "-pidfile", pid_file, "-qmp", f"unix:{path},server=on,wait=off")
    ended = run(options, folder, "-drive", f"file={image},format=raw", "-snapshot", *words)
    runner.expect(ended.returncode == 0 and ended.stderr == b"", f"{ended}")
    pid = int(pid_file.read_text())
    runner.expect(os.getsid(pid) == pid, "it is in a session of others")
    with socket.socket(socket.AF_UNIX) as qmp:
        qmp.connect(str(path))
        lines = qmp.makefile("rw")
        lines.readline()
        for command in ("qmp_capabilities", "query-status", "quit"):
            lines.write(json.dumps({"execute": command}))
            lines.flush()
            runner.expect("return" in json.loads(lines.readline()), command)
        lines.read()
    end = time.monotonic() + 60
    while pid_file.exists():
        runner.expect(time.monotonic() < end, "it did not end")
        time.sleep(0.05)
    ended = run(options, folder, "-drive", "file=/nowhere/x.img,format=raw", *words)
    runner.expect(ended.returncode == 1 and b"/nowhere/x.img" in ended.stderr and not pid_file.exists(), f"{ended}")


def receive_until(connection, text, seconds=120):
    seen = b""
    connection.settimeout(seconds)
    while text not in seen:
        try:
            more = connection.recv(65536)
        except TimeoutError:
            more = b""
        runner.expect(more != b"", f"'{text.decode()}' did not come: {seen[-400:]!r}")
        seen += more
    return seen


def serial_sockets(options, folder):
    """COM1 on a socket that waits for its client, COM2 on one that does not, a pid file."""
    paths = [pathlib.Path(folder, name) for name in ("com1", "com2", "pid")]
    process = subprocess.Popen(
        [str(word) for word in (qemu(options, folder), *kernel(options), "-display", "none", "-monitor", "none", "-net", "none",
                                "-chardev", f"socket,path={paths[0]},server=on,id=c1", "-serial", "chardev:c1", "-serial",
                                f"unix:{paths[1]},server,nowait", "-pidfile", paths[2], "-no-reboot")],
        env=environment(options), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 60
        with socket.socket(socket.AF_UNIX) as com1, socket.socket(socket.AF_UNIX) as com2:
            while com1.connect_ex(str(paths[0])) != 0:
                runner.expect(time.monotonic() < end and process.poll() is None, "nobody listens at the socket of COM1")
                time.sleep(0.05)
            receive_until(com1, b"Linux version")
            runner.expect(int(paths[2].read_text()) == process.pid, "the pid file names another process")
            com2.connect(str(paths[1]))
            receive_until(com1, b"guest:")
            time.sleep(1)  # the guest's line editor throws away what was typed before its prompt
            com1.sendall(b"stty -F /dev/ttyS1 raw && echo set\n")
            receive_until(com1, b"\nset")
            com1.sendall(b"head -c 5 /dev/ttyS1 | rev >/dev/ttyS1\n")
            receive_until(com1, b"/dev/ttyS1\r")
            com2.sendall(b"abcde")
            receive_until(com2, b"edcba")
            com1.sendall(b"poweroff -f\n")
            receive_until(com1, b"Power down")
        code = process.wait(120)
        runner.expect(code == 0, f"code {code}: {process.stderr.read().decode()}")
        runner.expect(not any(path.exists() for path in paths), "sockets or pid file were left behind")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def terminal_keys(options, folder):
    """Ctrl-A c is the monitor, Ctrl-A x ends the run."""
    master, slave = pty.openpty()
    process = subprocess.Popen([str(word) for word in (qemu(options, folder), *kernel(options), "-nographic")],
                               env=environment(options), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    try:
        def wait_for(text):
            seen, end = b"", time.monotonic() + 300
            while text not in seen:
                runner.expect(time.monotonic() < end, f"'{text.decode()}' did not come: {seen[-400:]!r}")
                if select.select([master], [], [], 1)[0]:
                    seen += os.read(master, 65536)

        wait_for(b"guest:")
        os.write(master, b"\x01c")
        wait_for(b"(qemu) ")
        os.write(master, b"info status\r")
        wait_for(b"processor")
        os.write(master, b"\x01c\x01x")
        code = process.wait(60)
        runner.expect(code == 0, f"code {code} after Ctrl-A x")
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def monitors(options, folder):
    """A guest that is stopped before its first instruction, by QMP; people's lines on another socket; what becomes of each."""
    paths = {name: pathlib.Path(folder, name) for name in ("qmp", "hmp", "console")}
    process = subprocess.Popen(
        [str(word) for word in (qemu(options, folder), *kernel(options), "-nodefaults", "-display", "none", "-serial",
                                f"file:{paths['console']}", "-S", "-qmp", f"unix:{paths['qmp']},server=on,wait=off", "-chardev",
                                f"socket,path={paths['hmp']},server=on,wait=off,id=m", "-mon", "chardev=m,mode=readline",
                                "-no-reboot")],
        env=environment(options), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 60
        with socket.socket(socket.AF_UNIX) as qmp, socket.socket(socket.AF_UNIX) as hmp:
            while qmp.connect_ex(str(paths["qmp"])) != 0:
                runner.expect(time.monotonic() < end and process.poll() is None, "nobody listens at the socket of QMP")
                time.sleep(0.05)
            lines = qmp.makefile("rw")

            def ask(command, **arguments):
                lines.write(json.dumps({"execute": command, "arguments": arguments, "id": command}))
                lines.flush()
                events = []
                while True:
                    said = json.loads(lines.readline())
                    if said.get("id") == command:
                        return said, events
                    events.append(said["event"])

            runner.expect("QMP" in json.loads(lines.readline()), "there was no greeting")
            runner.expect("error" in ask("query-status")[0], "a command was taken before qmp_capabilities")
            ask("qmp_capabilities")
            runner.expect(ask("query-status")[0]["return"]["status"] == "prelaunch", "-S did not stop the guest")
            said, events = ask("cont")
            runner.expect(said["return"] == {} and events == ["RESUME"], f"cont: {said}, {events}")
            hmp.connect(str(paths["hmp"]))
            receive_until(hmp, b"(qemu) ")
            hmp.sendall(b"info status\n")
            answer = receive_until(hmp, b"(qemu) ")
            runner.expect(b"processor" in answer, f"info status: {answer!r}")
            end = time.monotonic() + 300
            while b"guest:" not in paths["console"].read_bytes():
                runner.expect(time.monotonic() < end, "the kernel did not come up")
                time.sleep(0.2)
            runner.expect("processor" in ask("human-monitor-command", **{"command-line": "info status"})[0]["return"], "no text")
            said, events = ask("stop")
            runner.expect(events == ["STOP"] and ask("query-status")[0]["return"]["running"] is False, f"stop: {events}")
            hmp.sendall(b"cont\nquit\n")
            receive_until(hmp, b"(qemu) ")
            last = [json.loads(line) for line in lines]
            runner.expect(last and last[-1]["event"] == "SHUTDOWN" and last[-1]["data"]["reason"] == "host-qmp-quit", f"{last}")
        code = process.wait(60)
        runner.expect(code == 0, f"code {code}: {process.stderr.read().decode()}")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def refusals(options, folder):
    for words, wanted in ((["-M", "isapc"], "-M isapc: there is no machine 'isapc'"),
                          (["-device", "rtl8139"], "-device rtl8139: the network cards are virtio-net-pci and e1000"),
                          (["-drive", "file=/nowhere/x.img,if=virtio", "-nographic"], "/nowhere/x.img"),
                          (["-nographic", "-serial", "stdio", "-serial", "stdio"], "stdio was given twice"),
                          (["-kernel", "/nowhere/vmlinuz", "-nographic"], "/nowhere/vmlinuz"),
                          (["-nographic", "-smp", "4,sockets=3"], "3"),
                          (["-nographic", "-daemonize"], "-daemonize: -nographic is for this terminal"),
                          (["-display", "none", "-serial", "stdio", "-daemonize"], "-daemonize: stdio is this terminal"),
                          (["--no-such-option"], "--no-such-option: invalid option")):
        ended = run(options, folder, *words)
        lines = ended.stderr.decode().splitlines()
        runner.expect(ended.returncode == 1 and len(lines) == 1 and lines[0].startswith("qemu-system-x86_64: ") and
                      wanted in lines[0], f"{words}: code {ended.returncode}, {lines}")
        runner.expect(ended.stdout == b"", f"{words}: {ended.stdout!r}")
    version = run(options, folder, "--version")
    runner.expect(version.returncode == 0 and version.stdout.startswith(b"QEMU emulator version "), f"{version.stdout!r}")


def guest_events(options, folder):
    """QMP hears of a reset and of a power-off that the guest brings about; with -no-shutdown the process stays. What SMBIOS and the
    configuration device tell arrives in the guest."""
    path, console = pathlib.Path(folder, "events"), pathlib.Path(folder, "console-of-events")
    process = subprocess.Popen(
        [str(word) for word in (qemu(options, folder), *kernel(options, "console=ttyS0 quiet"), "-nodefaults", "-display", "none",
                                "-serial", "stdio", "-no-shutdown", "-qmp", f"unix:{path},server=on,wait=off", "-uuid",
                                "550e8400-e29b-41d4-a716-446655440000", "-smbios", "type=1,product=of the test", "-S")],
        env=environment(options), stdin=subprocess.PIPE, stdout=open(console, "wb"), stderr=subprocess.PIPE)
    try:
        with socket.socket(socket.AF_UNIX) as qmp:
            end = time.monotonic() + 60
            while qmp.connect_ex(str(path)) != 0:
                runner.expect(time.monotonic() < end and process.poll() is None, "nobody listens at the socket of QMP")
                time.sleep(0.05)
            qmp.settimeout(300)
            lines = qmp.makefile("rw")
            lines.readline()

            def say(command):
                lines.write(json.dumps({"execute": command}))
                lines.flush()

            def event(name):
                while True:
                    said = json.loads(lines.readline())
                    if said.get("event") == name:
                        return said.get("data")

            def type_at(prompt, text):
                until = time.monotonic() + 300
                while console.read_bytes().count(b"guest:") < prompt:
                    runner.expect(time.monotonic() < until, f"there is no prompt {prompt}")
                    time.sleep(0.2)
                process.stdin.write(text)
                process.stdin.flush()

            say("qmp_capabilities")
            say("cont")
            type_at(1, b"cat /sys/class/dmi/id/product_uuid /sys/class/dmi/id/product_name; sleep 1; echo b >/proc/sysrq-trigger\n")
            runner.expect(event("RESET") == {"guest": True, "reason": "guest-reset"}, "the reset is another's")
            type_at(2, b"cat /sys/class/dmi/id/product_uuid; poweroff -f\n")
            runner.expect(event("SHUTDOWN") == {"guest": True, "reason": "guest-shutdown"}, "the power-off is another's")
            event("STOP")
            say("query-status")
            runner.expect(json.loads(lines.readline())["return"]["status"] == "shutdown", "it is not shut down")
            runner.expect(process.poll() is None, "the process did not stay")
            say("quit")
            runner.expect(event("SHUTDOWN")["reason"] == "host-qmp-quit", "the end is another's")
        code = process.wait(60)
        runner.expect(code == 0, f"code {code}: {process.stderr.read()}")
    finally:
        process.kill()
        process.wait()
    text = console.read_text(errors="replace")
    # Linux says it twice; SeaBIOS on the screen alone.
    runner.expect(text.count("550e8400-e29b-41d4-a716-446655440000") == 2 and "of the test" in text, text[-600:])


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        for part in (refusals, boot_sector, boot_once, pipes_and_logs, background, stock_kernel, resets, serial_sockets, monitors, guest_events, terminal_keys):
            print(part.__name__, flush=True)
            part(options, folder)


runner.main(test, __doc__)
