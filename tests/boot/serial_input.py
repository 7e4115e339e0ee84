#!/usr/bin/env python3
"""What is typed on the serial port reaches whoever reads it: the UEFI shell; a stock kernel's shell, typed before the kernel
has started; the kernel's SysRq, after a break by Ctrl-A b."""

import subprocess

import runner
import session


def uefi_shell(options):
    def body(guest):
        guest.wait_for(b"Shell>")
        guest.type(b"ver\r")
        guest.wait_for(b"UEFI Interactive Shell v")
        guest.wait_for(b"Shell>")
        guest.write(b"echo typed\r")
        guest.wait_for(b"\ntyped")
        # OVMF switches off where it has put the PM block itself.
        guest.write(b"reset -s\r")
        code = guest.wait_for_end()
        runner.expect(code == 0, f"exit code {code} after the shell's reset -s")

    session.run(options, ["--bios", "ovmf", "--memory", "256M", "--wall-timeout", "600"], body)


def typed_ahead(options):
    """Every character, whatever the kernel and its drivers do to the port while they start."""
    lines = [": longer than any FIFO that a UART ever had", "echo typed $((6 * 7)).", "exit", ""]
    command = [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--engine",
               options.engine, "--timeout", "120", "--append"]
    # Through the console that prints from the first moment on, and through one that begins with its driver.
    for append in ("console=ttyS0 earlyprintk=ttyS0,115200", "console=ttyS0 quiet"):
        run = subprocess.run([str(word) for word in (*command, append)], input="\n".join(lines).encode(), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=600)
        output = run.stdout.decode(errors="replace").replace("\r", "")
        for wanted in (f"# {lines[0]}\n", "\ntyped 42.\n"):
            runner.expect(wanted in output, f"'{wanted}' is not in the output: {output[-600:]}")
        runner.expect(run.returncode == 0, f"exit code {run.returncode}")


def sysrq(options):
    def body(guest):
        guest.wait_for(b"guest:")
        guest.type(b"echo 1 >/proc/sys/kernel/sysrq\r")
        guest.wait_for(b"guest:")
        guest.write(b"\x01bh")
        guest.wait_for(b"sysrq: HELP")
        guest.write(b"exit\r")
        guest.wait_for_end()

    session.run(options, ["--kernel", options.kernel, "--initrd", options.initrd, "--memory", "512M", "--append", "console=ttyS0",
                          "--wall-timeout", "600"], body)


def test(options):
    for part in (uefi_shell, typed_ahead, sysrq):
        print(part.__name__, flush=True)
        part(options)


runner.main(test, __doc__)
