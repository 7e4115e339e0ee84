#!/usr/bin/env python3
"""Tools that start QEMU, as Debian's packages have them, with this program in QEMU's place.

    sbuild       sbuild-qemu-boot brings Debian's disk to its login prompt and leaves the image as it was
    debvm        debvm-run starts an image that debvm-create has made, on a q35, to a shell
    autopkgtest  autopkgtest-virt-qemu brings the same image up, runs a command in it by its consoles and folder, and gives its exit code
    kunit        kunit.py of the kernel's source builds its kernel and runs it; QEMU and `reprise test` find the same
    libvirt      a daemon of libvirt's asks what there is, starts a domain, sees its console, plugs a disk in and out, and ends it
    syzkaller    a machine of a fuzzer's, as its manager starts and ends it, with QMP over TCP

What they take from Debian's archive is kept beside the disks; without it a test is skipped."""

import argparse
import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tty

import runner

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "guests"))
import build_guests  # noqa: E402  (for its cpio writer)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reprise", required=True, help="the emulator")
    parser.add_argument("--engine", default="jit")
    parser.add_argument("--disks", required=True, help="folder of tests/guests/build_disk.py")
    parser.add_argument("--guests", default="build/guests", help="folder with vmlinuz and initramfs.img")
    parser.add_argument("--tool", choices=sorted(TOOLS), required=True)
    return parser.parse_args()


def package_of_debian(name, folder):
    """Unpacks it below `folder`; False: it cannot be had here."""
    got = subprocess.run(["apt-get", "download", name], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    files = list(pathlib.Path(folder).glob(f"{name}_*.deb"))
    if got.returncode != 0 or not files:
        return False
    subprocess.run(["dpkg-deb", "-x", files[0], folder], check=True)
    return True


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, command, environment):
        self.master, self.slave = pty.openpty()
        self.process = subprocess.Popen([str(word) for word in command], env=environment, stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, start_new_session=True)

    def wait_for(self, text, seconds):
        seen, end = b"", time.monotonic() + seconds
        while text not in seen:
            runner.expect(time.monotonic() < end and self.process.poll() is None,
                          f"'{text.decode()}' did not come: {seen[-600:]!r}")
            if select.select([self.master], [], [], 1)[0]:
                seen += os.read(self.master, 65536)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def as_it_was(image):
    """Nobody writes to it."""
    before = image.stat()
    yield
    after = image.stat()
    runner.expect((after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size), "the image was written to")


def sbuild_qemu_boot(options, folder, environment):
    image = pathlib.Path(options.disks, "debian-bios.img").resolve()
    program = shutil.which("sbuild-qemu-boot") or pathlib.Path(folder, "usr/bin/sbuild-qemu-boot")
    with as_it_was(image):
        guest = Terminal([program, "--arch", "amd64", "--ram-size", "512", "--cpus", "1", image], environment)
        try:
            guest.wait_for(b"login: ", 900)
            os.write(guest.master, b"\x01x")
            code = guest.process.wait(60)
            runner.expect(code == 0, f"code {code}")
        finally:
            guest.close()


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def want_tool(name, package):
    """It is installed: these tools have files of their own at fixed places."""
    if not shutil.which(name):
        skip(f"{name} is not there: apt-get install {package}")


# As autopkgtest's setup-testbed makes it.
SHELL_HOOK = """#!/bin/sh
cat >"$1/etc/systemd/system/autopkgtest-hvc1.service" <<UNIT
[Unit]
Description=root shell on hvc1
ConditionPathExists=/dev/hvc1

[Service]
ExecStart=/bin/sh
StandardInput=tty-fail
StandardOutput=tty
StandardError=tty
TTYPath=/dev/hvc1
SendSIGHUP=yes

[Install]
WantedBy=multi-user.target
UNIT
mkdir -p "$1/etc/systemd/system/multi-user.target.wants"
ln -s ../autopkgtest-hvc1.service "$1/etc/systemd/system/multi-user.target.wants/"
"""


def debvm_image(options):
    """A Debian with a generic kernel, whose root shell on hvc1 autopkgtest uses. Made once."""
    image = pathlib.Path(options.disks, "debvm.ext4").resolve()
    if image.exists():
        return image
    for name, package in (("debvm-create", "debvm"), ("mmdebstrap", "mmdebstrap"), ("genext2fs", "genext2fs"),
                          ("autopkgtest-virt-qemu", "autopkgtest")):
        want_tool(name, package)
    unfinished, hook = image.with_suffix(".unfinished"), image.with_suffix(".hook")
    unfinished.unlink(missing_ok=True)
    hook.write_text(SHELL_HOOK)
    hook.chmod(0o755)
    made = subprocess.run(["debvm-create", "-r", "bookworm", "-o", unfinished, "-z", "2G", "--",
                           "--include=linux-image-amd64,python3-minimal,udev",
                           f"--customize-hook={hook}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode != 0:
        skip(f"debvm-create makes no image: {made.stdout[-600:]}")
    unfinished.rename(image)
    return image


def debvm_run(options, folder, environment):
    image = debvm_image(options)
    want_tool("debvm-run", "debvm")
    with as_it_was(image):
        guest = Terminal(["debvm-run", "-i", image, "--", "-snapshot"], environment)
        try:
            guest.wait_for(b"login: root (automatic login)", 900)
            guest.wait_for(b"# ", 300)
            os.write(guest.master, b"cat /sys/bus/pci/devices/0000:00:1f.0/device; networkctl --no-pager | grep ether; echo $((6 * 7)) done\n")
            guest.wait_for(b"0x2918", 60)
            guest.wait_for(b"42 done", 60)
            os.write(guest.master, b"poweroff\n")
            code = guest.process.wait(300)
            runner.expect(code == 0, f"code {code}")
        finally:
            guest.close()


def content_of(image, name, folder):
    """A file of an ext4 image, with links followed as debvm-run does."""
    out = pathlib.Path(folder, name)
    listing = subprocess.run(["/sbin/debugfs", image, "-R", f"stat {name}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True).stdout
    target = next(line.split('"')[1] for line in listing.splitlines() if "link dest" in line)
    with open(out, "wb") as file:
        subprocess.run(["/sbin/debugfs", image, "-R", f"cat {target}"], stdout=file, stderr=subprocess.DEVNULL, check=True)
    return out


def autopkgtest(options, folder, environment):
    want_tool("autopkgtest-virt-qemu", "autopkgtest")
    image = debvm_image(options)
    # The image has no boot loader, and --qemu-options knows no blanks.
    command = pathlib.Path(folder, "qemu-with-kernel")
    command.write_text(f"""#!/bin/sh
exec qemu-system-x86_64 "$@" -kernel {content_of(image, 'vmlinuz', folder)} -initrd {content_of(image, 'initrd.img', folder)} \\
  -append 'root=LABEL=debvm rw console=ttyS0'
""")
    command.chmod(0o755)
    tool = subprocess.Popen(["autopkgtest-virt-qemu", "--boot=none", f"--qemu-command={command}", "--ram-size=512",
                             "--timeout-reboot=900", f"--overlay-dir={folder}", image],
                            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(request):
        tool.stdin.write(request + "\n")
        line = tool.stdout.readline().strip()
        runner.expect(line.startswith("ok"), f"{request}: {line!r}")
        return line.split()[1:]

    try:
        runner.expect(tool.stdout.readline().strip() == "ok", "it does not begin")
        runner.expect("isolation-machine" in ask("capabilities"), "it isolates nothing")
        ask("open")
        run = ask("print-execute-command")[0].split(",")
        ended = subprocess.run([*run, "sh", "-c", "cat; uname -r; exit 7"], input="from the host\n", stdout=subprocess.PIPE,
                               text=True, timeout=300)
        runner.expect(ended.returncode == 7 and ended.stdout.startswith("from the host\n6.1."), f"{ended}")
        ask("close")
        tool.stdin.write("quit\n")
        runner.expect(tool.wait(120) == 0, f"code {tool.returncode}")
    finally:
        tool.kill()
        tool.wait()


def kernel_source(options, folder):
    """The source of Debian's kernel, unpacked once."""
    source = pathlib.Path(options.disks, "linux-source").resolve()
    if source.exists():
        return source
    archive = pathlib.Path("/usr/src/linux-source-6.1.tar.xz")
    if not archive.exists():
        if not package_of_debian("linux-source-6.1", folder):
            skip("Debian's package linux-source-6.1 is not to be had here")
        archive = pathlib.Path(folder, "usr/src/linux-source-6.1.tar.xz")
    for name in ("flex", "bison", "bc"):
        want_tool(name, name)
    unfinished = source.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    subprocess.run(["tar", "-C", unfinished, "--strip-components=1", "-xf", archive], check=True)
    unfinished.rename(source)
    return source


def kunit_results(text):
    """What kunit.py prints: [(test, status)] and its numbers, {status: how many}."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    names = re.findall(r"^\[[0-9:]+\] \[(PASSED|FAILED|SKIPPED|ERROR|CRASHED)\] (\S.*)$", plain, re.MULTILINE)
    counts = re.search(r"Ran \d+ tests: (.*)", plain)
    return sorted((name, status) for status, name in names), dict(re.findall(r"(\w+): (\d+)", counts[1] if counts else ""))


def results_in(tests):
    """Of what `reprise test --json` has, those without tests of their own."""
    for test in tests:
        if "tests" in test:
            yield from results_in(test["tests"])
        else:
            yield test["name"], {"pass": "PASSED", "skip": "SKIPPED", "fail": "FAILED"}.get(test["outcome"], "ERROR")


def kunit(options, folder, environment):
    """kunit.py builds its kernel (once) and runs it: here, on QEMU, and the same kernel by `reprise test`."""
    source = kernel_source(options, folder)
    build = source / "build-kunit"

    def tool(command, *words, path=environment["PATH"]):
        return subprocess.run(["python3", "tools/testing/kunit/kunit.py", command, "--arch=x86_64", f"--build_dir={build}", *words],
                              cwd=source, env={**environment, "PATH": path}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=5000)

    kernel = build / "arch/x86/boot/bzImage"
    if not kernel.exists():
        compiler = ["--make_options", "CC=ccache gcc"] if shutil.which("ccache") else []
        for command, words in (("config", []), ("build", ["--jobs", str(os.cpu_count())])):
            made = tool(command, *words, *compiler)
            runner.expect(made.returncode == 0, f"kunit.py {command}: {made.stdout[-1500:]}")
    ended = tool("exec", "--timeout=900")
    results, counts = kunit_results(ended.stdout)
    runner.expect(ended.returncode == 0 and len(results) > 200 and int(counts["passed"]) > 200 and set(counts) == {"passed", "skipped"},
                  f"code {ended.returncode}, {len(results)} results, {counts}: {ended.stdout[-1500:]}")
    if shutil.which("qemu-system-x86_64"):
        on_qemu = kunit_results(tool("exec", "--timeout=900", path=os.environ["PATH"]).stdout)
        runner.expect((results, counts) == on_qemu, f"on QEMU {set(on_qemu[0]) ^ set(results)}, {on_qemu[1]}")

    out = pathlib.Path(folder, "out")
    tested = subprocess.run([options.reprise, "test", "-k", kernel, "--kernel-tests", "--engine", options.engine, "--memory", "1G", "--out", out],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=900)
    told = json.loads((out / "result.json").read_text())
    runner.expect(tested.returncode == 0 and told["verdict"] == "pass", f"code {tested.returncode}: {tested.stderr[-1500:]}")
    runner.expect((told["counts"]["passed"], told["counts"]["skipped"]) == (int(counts["passed"]), int(counts["skipped"])),
                  f"kunit.py has {counts}, reprise test {told['counts']}")
    missing = set(results_in(told["tests"])) - set(results)
    runner.expect(not missing, f"kunit.py does not have {missing}")

    # What a kernel without tests ends with.
    silent = subprocess.run([options.reprise, "test", "-k", kernel, "--kernel-tests", "--engine", options.engine, "--append", "kunit.enable=0"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=900)
    runner.expect(silent.returncode in (10, 14), f"without tests it ends with {silent.returncode}: {silent.stderr[-1500:]}")


def syzkaller(options, folder, environment):
    """As its package vm/qemu builds the command, waits for the guest, asks for its registers and ends it."""
    image = pathlib.Path(options.disks, "debian-bios.img").resolve()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["qemu-system-x86_64", "-m", "1024", "-smp", "2", "-chardev",
               f"socket,id=SOCKSYZ,server=on,wait=off,host=localhost,port={port}", "-mon", "chardev=SOCKSYZ,mode=control",
               "-display", "none", "-serial", "stdio", "-no-reboot", "-name", "VM-0", "-device", "virtio-rng-pci", "-enable-kvm",
               "-cpu", "host,migratable=off", "-device", "e1000,netdev=net0", "-netdev", "user,id=net0,restrict=on", "-hda", image,
               "-snapshot"]
    guest = Terminal(command, environment)
    try:
        guest.wait_for(b"login: ", 900)
        with socket.create_connection(("localhost", port)) as control:
            lines = control.makefile("rw")
            lines.readline()
            for request in ({"execute": "qmp_capabilities"},
                            {"execute": "human-monitor-command", "arguments": {"command-line": "info registers", "cpu-index": 1}}):
                lines.write(json.dumps(request))
                lines.flush()
                answer = json.loads(lines.readline())
                runner.expect("return" in answer, f"{request}: {answer}")
            runner.expect("RIP" in answer["return"].upper(), f"registers are {answer}")
        guest.process.terminate()
        runner.expect(guest.process.wait(60) == 0, f"code {guest.process.returncode}")
    finally:
        guest.close()


LIBVIRT_SCRIPT = r"""#!/bin/sh
load-drivers
while [ ! -e /sys/block/vda ]; do usleep 10000; done
echo "libvirt: up with $(cat /sys/block/vda/size) sectors"
while [ ! -e /sys/block/vdb ]; do usleep 10000; done
echo "libvirt: second $(dd if=/dev/vdb bs=4 count=1 2>/dev/null)"
while [ -e /sys/block/vdb ]; do usleep 10000; done
echo "libvirt: second is gone"
"""

DOMAIN = """<domain type='qemu'>
  <name>small</name>
  <memory unit='MiB'>256</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{folder}/vmlinuz</kernel>
    <initrd>{folder}/initrd</initrd>
    <cmdline>console=ttyS0 reprise.exec=/bin/of-libvirt</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>{folder}/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{folder}/first.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <serial type='pty'/>
    <console type='pty'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
"""


class Libvirt:
    """A daemon for one user, who is not root: as root there is the system's only."""

    def __init__(self, folder, environment):
        self.as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        home = folder / "home"
        home.mkdir(mode=0o700)
        self.environment = {**environment, "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_CACHE_HOME": str(home / "cache"),
                            "XDG_CONFIG_HOME": str(home / "config")}
        for path in (folder, *folder.rglob("*")):
            if self.as_user and not path.is_symlink():
                os.chown(path, 65534, 65534)
        self.log = open(folder / "libvirtd", "w")
        self.daemon = subprocess.Popen([*self.as_user, "libvirtd"], env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log,
                                       stderr=self.log)
        self.wait_until(lambda: (home / "libvirt/libvirt-sock").exists(), 60, "the daemon does not listen")

    def wait_until(self, condition, seconds, otherwise):
        end = time.monotonic() + seconds
        while not condition():
            runner.expect(time.monotonic() < end and self.daemon.poll() is None, otherwise)
            time.sleep(0.2)

    def virsh(self, *words):
        done = subprocess.run([*self.as_user, "virsh", "-c", "qemu:///session", *map(str, words)], env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        runner.expect(done.returncode == 0, f"virsh {' '.join(map(str, words))}: {done.stdout[-1500:]}")
        return done.stdout

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(60)
        self.log.close()


class PseudoTerminal:
    """The other end of a guest's serial port."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.file)
        self.seen = ""

    def wait_for(self, text):
        end = time.monotonic() + 300
        while text not in self.seen:
            runner.expect(time.monotonic() < end, f"'{text}' did not come: {self.seen[-800:]}")
            if select.select([self.file], [], [], 1)[0]:
                self.seen += os.read(self.file, 65536).decode(errors="replace")


def libvirt(options, folder, environment):
    for name, package in (("libvirtd", "libvirt-daemon"), ("virsh", "libvirt-clients"), ("qemu-img", "qemu-utils")):
        want_tool(name, package)
    folder = pathlib.Path(folder)
    folder.chmod(0o755)
    shutil.copy(pathlib.Path(options.guests, "vmlinuz"), folder / "vmlinuz")
    shutil.copy(pathlib.Path(options.guests, "initramfs.img"), folder / "initrd")
    archive = build_guests.Cpio()
    archive.add("bin/of-libvirt", 0o100755, LIBVIRT_SCRIPT.encode())
    with open(folder / "initrd", "ab") as initrd:
        initrd.write(pathlib.Path(options.guests, "drivers.img").read_bytes() + archive.bytes())
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "first.qcow2", "16M"], check=True)
    (folder / "second.img").write_bytes(b"S" * (1 << 20))
    (folder / "domain.xml").write_text(DOMAIN.format(folder=folder))
    session = Libvirt(folder, environment)
    try:
        told = session.virsh("domcapabilities", "--emulatorbin", folder / "qemu-system-x86_64", "--arch", "x86_64", "--machine", "pc")
        runner.expect("<domain>qemu</domain>" in told and "<machine>pc-i440fx-7.2</machine>" in told, told[:500])
        session.virsh("define", folder / "domain.xml")
        session.virsh("start", "small")
        serial = PseudoTerminal(session.virsh("ttyconsole", "small").strip())
        serial.wait_for("libvirt: up with 32768 sectors")
        runner.expect("<target dev='vda' bus='virtio'/>" in session.virsh("dumpxml", "small"), "dumpxml has no disk")
        runner.expect(session.virsh("domstate", "small").strip() == "running", "it does not run")
        session.virsh("suspend", "small")
        runner.expect(session.virsh("domstate", "small").strip() == "paused", "it is not paused")
        session.virsh("resume", "small")
        session.virsh("attach-disk", "small", folder / "second.img", "vdb", "--targetbus", "virtio", "--live")
        serial.wait_for("libvirt: second SSSS")
        session.virsh("detach-disk", "small", "vdb", "--live")
        serial.wait_for("libvirt: second is gone")
        # Then it switches itself off.
        session.wait_until(lambda: session.virsh("domstate", "small").strip() == "shut off", 120, "it is not off")
        session.virsh("start", "small")
        session.virsh("destroy", "small")
        runner.expect(session.virsh("domstate", "small").strip() == "shut off", "it was not ended")
    finally:
        session.close()


def sbuild(options, folder, environment):
    if not shutil.which("sbuild-qemu-boot") and not package_of_debian("sbuild-qemu", folder):
        skip("Debian's package sbuild-qemu is not to be had here")
    sbuild_qemu_boot(options, folder, environment)


TOOLS = {"sbuild": sbuild, "debvm": debvm_run, "autopkgtest": autopkgtest, "kunit": kunit, "syzkaller": syzkaller, "libvirt": libvirt}


def main():
    options = arguments()
    if options.tool in ("sbuild", "syzkaller") and not pathlib.Path(options.disks, "debian-bios.img").exists():
        skip(f"there is no {options.disks}/debian-bios.img; ./dev images makes it")
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "qemu-system-x86_64").symlink_to(pathlib.Path(options.reprise).resolve())
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}",
                       "REPRISE_OPTIONS": f"--engine={options.engine} --wall-timeout=1500"}
        try:
            TOOLS[options.tool](options, folder, environment)
        except runner.Failure as failure:
            print(f"FAIL: {failure}")
            sys.exit(1)
    print("PASS")


main()
