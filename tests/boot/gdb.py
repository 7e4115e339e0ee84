#!/usr/bin/env python3
"""gdb on machines: breakpoints on kernels and programs by address, watchpoints, steps in every mode, several processors, several
debuggers one after another. A run that was debugged ends as one that was not, with the same chain of hashes."""

import contextlib
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import runner

SYMBOLS = ["start_kernel", "jiffies_64", "__x64_sys_newuname", "do_idle"]
STOP_AT = "2000000000"


def start(options, folder, words, paused=True):
    """A run with a debugger's socket; its messages and its report come into `folder`."""
    path = folder / "gdb.socket"
    command = [options.reprise, "run", "--engine", options.engine, "--gdb", f"unix:{path}", "--json", folder / "report.json",
               "--serial", f"file:{folder / 'console'}", "--wall-timeout", "300", *(["--paused"] if paused else []), *words]
    run = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    wait_for_socket(run, path)
    return run, path


def wait_for_socket(run, path):
    end = time.monotonic() + 60
    while not path.exists():
        runner.expect(run.poll() is None, f"the run ended early: {run.stdout.read() if run.poll() is not None else ''}")
        runner.expect(time.monotonic() < end, "the debugger's socket did not appear")
        time.sleep(0.05)


def finish(run, folder, code=0):
    messages = run.communicate(timeout=300)[0]
    runner.expect(run.returncode == code, f"exit code {run.returncode} instead of {code}: {messages}")
    return json.loads((folder / "report.json").read_text())


def gdb(path, *commands):
    """What gdb prints to stdout for these commands, once it is connected."""
    words = ["gdb", "-nx", "-batch", "-ex", "set pagination off", "-ex", "set confirm off", "-ex", "set architecture i386:x86-64",
             "-ex", "set remotetimeout 60",  # the host may be busy
             "-ex", f"target remote {path}"]
    for command in commands:
        words += ["-ex", command]
    run = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    runner.expect(run.returncode == 0, f"gdb: {run.stdout}")
    return run.stdout


class Client:
    """The protocol by hand."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(120)
        self.socket.connect(str(path))
        self.text = b""

    def send(self, payload):
        self.socket.sendall(b"$" + payload + b"#%02x" % (sum(payload) & 0xff))

    def receive(self):
        while True:
            found = re.search(rb"\$([^#]*)#[0-9a-f]{2}", self.text)
            if found:
                self.text = self.text[found.end():]
                # It may have answered a kill, and gone.
                with contextlib.suppress(BrokenPipeError):
                    self.socket.sendall(b"+")
                return found[1].decode("latin-1")
            part = self.socket.recv(65536)
            runner.expect(part, "the server closed the connection")
            self.text += part

    def ask(self, payload):
        self.send(payload.encode())
        return self.receive()

    def register(self, name):
        """Its number is its place in the description."""
        text = ""
        while not text or part[0] == "m":
            part = self.ask(f"qXfer:features:read:target.xml:{len(text):x},1000")
            text += part[1:]
        return int.from_bytes(bytes.fromhex(self.ask(f"p{re.findall('<reg name=.([^ ]*?). ', text).index(name):x}")), "little")

    def command(self, line):
        """What the monitor says."""
        self.send(b"qRcmd," + line.encode().hex().encode())
        text = ""
        while (part := self.receive()) != "OK":
            text += bytes.fromhex(part[1:]).decode()
        return text

    def close(self):
        self.socket.close()


def linux(options, append):
    return ["--kernel", options.kernel, "--initrd", options.initrd, "--memory", "256M", "--append", f"console=ttyS0 quiet {append}"]


def symbols(options):
    """Addresses from the guest's own list."""
    script = f"grep -E ' ({'|'.join(SYMBOLS)})$' /proc/kallsyms\nexit\n"
    command = [options.reprise, "run", "--engine", options.engine, "--wall-timeout", "300", *linux(options, "nokaslr")]
    run = subprocess.run([str(word) for word in command], input=script, stdout=subprocess.PIPE, text=True, timeout=400)
    found = {name: int(address, 16) for address, name in re.findall(r"([0-9a-f]{16}) \w (\w+)", run.stdout)}
    runner.expect(set(SYMBOLS) <= set(found) and found["start_kernel"] != 0, f"symbols: {found}")
    return found


def kernel(options, folder):
    """Breakpoints and a watchpoint in a boot, of which the hashes say nothing."""
    at = symbols(options)
    words = [*linux(options, "nokaslr reprise.demo"), "--hash-every", "100000000", "--stop-at", STOP_AT]
    run, path = start(options, folder, words)
    text = gdb(path, f"hbreak *{at['start_kernel']:#x}", "continue", 'printf "at %#lx, paging %d\\n", $pc, ($cr0 >> 31) & 1',
               "stepi", "stepi", "delete", f"watch *(unsigned long*){at['jiffies_64']:#x}", "continue", "continue", "delete",
               f"break *{at['__x64_sys_newuname']:#x}", "continue", 'printf "at %#lx, cpl %d\\n", $pc, $cs & 3', "info threads",
               "delete", "monitor info pagewalk rip", "detach")
    for wanted in (f"at {at['start_kernel']:#x}, paging 1", f"at {at['__x64_sys_newuname']:#x}, cpl 0", "CPU 0, running",
                   "physical 0x", "detached"):
        runner.expect(wanted in text, f"gdb did not say '{wanted}':\n{text}")
    values = [int(value) for value in re.findall(r"(?:Old|New) value = (\d+)", text)]
    runner.expect(len(values) == 4 and values[1] == values[0] + 1 and values[3] == values[2] + 1, f"jiffies went {values}")
    debugged = finish(run, folder)
    command = [options.reprise, "run", "--engine", options.engine, "--serial", "null", "--json", folder / "plain.json", *words]
    subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=300)
    plain = json.loads((folder / "plain.json").read_text())
    runner.expect(len(plain["hashes"]) == 20, f"{len(plain['hashes'])} hashes")
    runner.expect(plain["hashes"] == debugged["hashes"], "the debugged run has another chain of hashes")


def entry_of(initrd, name):
    """Where the program begins, of an ELF file in an archive that is not packed."""
    data = pathlib.Path(initrd).read_bytes()
    at = 0
    while data[at:at + 6] == b"070701":
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        begin = (at + 110 + fields[11] + 3) & ~3
        if data[at + 110:at + 110 + fields[11] - 1].decode() == name:
            return int.from_bytes(data[begin + 24:begin + 32], "little")
        at = (begin + fields[6] + 3) & ~3
    raise runner.Failure(f"{name} is not in {initrd}")


def programs(options, folder):
    """A program's address exists in every process; bound to one address space it stops that process alone."""
    entry = entry_of(options.initrd, "bin/busybox")
    words = [*linux(options, "reprise.demo"), "--cpus", "2", "--timeout", "30"]
    run, path = start(options, folder, words)
    client = Client(path)
    runner.expect(client.ask(f"Z1,{entry:x},1") == "OK", "Z1")
    spaces = set()
    for _ in range(4):
        runner.expect(client.ask("c").startswith("T05thread:"), "the program was not hit")
        spaces.add(client.register("cr3"))
    runner.expect(len(spaces) > 1, f"all in one address space: {spaces}")
    runner.expect("stop only while CR3 is" in client.command(f"bind {entry:#x}"), "bind")
    # The same physical page may become the root of another process's tables later: few, not hundreds.
    client.send(b"c")
    time.sleep(0.3)
    client.socket.sendall(b"\x03")
    hits = 0
    while client.receive().startswith("T05"):
        hits += 1
        client.send(b"c")
    runner.expect(hits < 8, f"{hits} hits in a single address space")
    runner.expect(client.ask("vKill;1") == "OK", "kill")
    client.close()
    finish(run, folder)


BOOT_SECTOR = bytes([0xea, 0x05, 0x00, 0xc0, 0x07,        # jmp 07c0h:0005h
                     0xb9, 0x03, 0x00,                    # mov cx, 3
                     0xff, 0x06, 0x00, 0x06,              # inc word [0600h]
                     0xe2, 0xfa,                          # loop
                     0xba, 0xf4, 0x00, 0xb0, 0x10, 0xee,  # mov dx, 00f4h; mov al, 16; out dx, al
                     0xeb, 0xfe])


def real_mode(options, folder):
    """From the reset vector to a boot sector whose CS is not 0."""
    floppy = folder / "floppy.img"
    floppy.write_bytes(BOOT_SECTOR.ljust(510, b"\0") + b"\x55\xaa" + bytes(1440 * 1024 - 512))
    run, path = start(options, folder, ["--bios", "seabios", "--memory", "32M", "--floppy", floppy, "--debug-exit", "0xf4"])
    text = gdb(path, 'printf "reset %#lx cs_base %#lx\\n", $pc, $cs_base', "stepi", 'printf "firmware %#lx\\n", $pc',
               "hbreak *0x7c00", "continue",
               'printf "sector %#lx cs_base %#lx PE %d\\n", $pc, $cs_base, $cr0 & 1', "stepi",
               'printf "jumped %#lx cs_base %#lx\\n", $pc, $cs_base', "hbreak *0x7c08", "continue", "continue",
               'printf "loop %#lx cx %d\\n", $pc, $cx', "delete", "watch *(short*)(0x600 + (long)$ds_base)", "continue",
               "continue", "delete", 'printf "counted %d\\n", *(short*)(0x600 + (long)$ds_base)', "monitor disassemble", "kill")
    for wanted in ("reset 0xfffffff0 cs_base 0xffff0000", "firmware 0xfe05b", "sector 0x7c00 cs_base 0 PE 0", "jumped 0x7c05 cs_base 0x7c00",
                   "loop 0x7c08 cx 2", "counted 3", "killed"):
        runner.expect(wanted in text, f"gdb did not say '{wanted}':\n{text}")
    finish(run, folder)


def processors(options, folder):
    """Processors are threads; one is stepped, and others run as they would."""
    words = [*linux(options, "reprise.demo"), "--cpus", "4", "--stop-at", "400000000", "--hash-every", "20000000"]
    run, path = start(options, folder, words, paused=True)
    client = Client(path)
    runner.expect(client.ask("qfThreadInfo") == "m1,2,3,4", "threads")
    state = bytes.fromhex(client.ask("qThreadExtraInfo,4")).decode()
    runner.expect(state == "CPU 3, waits for SIPI", state)
    client.send(b"vCont;c")
    time.sleep(0.2)
    client.socket.sendall(b"\x03")
    runner.expect(client.receive().startswith("T02thread:"), "Ctrl-C")
    # Damaged, too long, unknown, nonsense: an answer each.
    client.socket.sendall(b"$g#00")
    while b"-" not in client.text:
        client.text += client.socket.recv(100)
    client.text = b""
    runner.expect(client.ask("g" * 20000) == "E16", "too long")
    runner.expect(client.ask("vNonsense") == "", "unknown")
    runner.expect(client.ask("Qqemu.PhyMemMode:1") == "OK", "physical memory")
    runner.expect(len(client.ask("m0,ffffffffffffffff")) == 2 * 0x4000, "a long read")
    runner.expect(client.ask("Qqemu.PhyMemMode:0") == "OK", "linear memory")
    for _ in range(20):
        runner.expect(client.ask("vCont;s:1").startswith("T05thread:"), "a step")
    client.close()  # without a word: the guest stays as it is
    client = Client(path)
    runner.expect(client.ask("?").startswith("T05thread:"), "why it stands still")
    runner.expect(len(client.ask("g")) > 1000, "registers")
    client.close()
    text = gdb(path, "info threads", "thread 4", "info registers rip", "detach")
    runner.expect("CPU 3" in text and "Switching to thread 4" in text, text)
    debugged = finish(run, folder)
    command = [options.reprise, "run", "--engine", options.engine, "--serial", "null", "--json", folder / "plain.json", *words]
    subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=300)
    runner.expect(json.loads((folder / "plain.json").read_text())["hashes"] == debugged["hashes"], "another chain of hashes")


def writes(options, folder):
    """A debugger that writes says so, once; --gdb - is a pipe; a guest that ends says its exit code."""
    command = [options.reprise, "run", "--engine", options.engine, "--gdb", "-", "--paused", "--wall-timeout", "200",
               *linux(options, "reprise.demo"), "--stop-at", "2000000"]
    line = " ".join(f"'{word}'" for word in command) + f" 2>'{folder / 'messages'}'"
    text = gdb(f"| {line}", "set var *(int*)0x200000 = 0x1234", "set var *(int*)0x200004 = 0x1234", "set $r12 = 7",
               "x/1wx 0x200000", "p $r12", "continue")
    messages = (folder / "messages").read_text()
    runner.expect("0x00001234" in text and "= 7" in text, text)
    runner.expect("exited normally" in text, text)
    runner.expect(messages.count("the run is a branch") == 1, messages)


UML_SYMBOLS = ["_text", "start_kernel", "rest_init", "kernel_init", "_etext"]


def uml_symbols(options, folder):
    """A file of symbols for gdb, by what a user-mode Linux in the guest says of itself: Debian's program is stripped."""
    script = f"uml -q \"grep -E ' ({'|'.join(UML_SYMBOLS)})\\$' /proc/kallsyms\"; exit\n"
    command = [options.reprise, "run", "--engine", options.engine, "--wall-timeout", "300", *linux(options, "")]
    run = subprocess.run([str(word) for word in command], input=script, stdout=subprocess.PIPE, text=True, timeout=400)
    at = {name: int(address, 16) for address, name in re.findall(r"^([0-9a-f]{16}) \w (\w+)", run.stdout, re.MULTILINE)}
    runner.expect(set(UML_SYMBOLS) <= set(at), f"names of user-mode Linux: {at}")
    lines = [".text", "begin:", f".skip {at['_etext'] - at['_text']}"]
    for name, address in at.items():
        lines += [f".globl {name}", f".type {name}, @function", f".set {name}, begin + {address - at['_text']}"]
    (folder / "uml.s").write_text("\n".join(lines) + "\n")
    subprocess.run(["as", "-o", folder / "uml.o", folder / "uml.s"], check=True)
    subprocess.run(["ld", "-e", "0", f"-Ttext={at['_text']:#x}", "-o", folder / "uml", folder / "uml.o"], check=True)
    return folder / "uml"


def nested(options, folder):
    """A kernel that is a program of the guest: by its symbols, in its address space."""
    symbols = uml_symbols(options, folder)
    run, path = start(options, folder, [*linux(options, "reprise.demo"), "--timeout", "30"])
    text = gdb(path, f"symbol-file {symbols}", "hbreak *start_kernel", "continue", 'printf "cpl %d\\n", $cs & 3',
               "hbreak *kernel_init", 'eval "monitor bind %#lx", &kernel_init', "continue",
               "info symbol $pc", "delete", "detach")
    for wanted in ("in start_kernel ()", "cpl 3", "stop only while CR3 is", "kernel_init in section .text", "detached"):
        runner.expect(wanted in text, f"gdb did not say '{wanted}':\n{text}")
    finish(run, folder)
    runner.expect("demo complete" in (folder / "console").read_text(errors="replace"), "the guest's user-mode Linux did not end well")


def test(options):
    if shutil.which("gdb") is None:
        print("SKIP: there is no gdb; Debian's package gdb has it")
        sys.exit(77)
    for part in (kernel, programs, real_mode, processors, writes, nested):
        if options.part and part.__name__ != options.part:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                part(options, pathlib.Path(folder))
            except runner.Failure as failure:
                raise runner.Failure(f"{part.__name__}: {failure}") from failure
        print(f"{part.__name__}: as it should be")


if __name__ == "__main__":
    runner.main(test, __doc__, lambda parser: parser.add_argument("--part"))
