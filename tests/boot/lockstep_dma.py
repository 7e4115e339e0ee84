#!/usr/bin/env python3
"""Both engines in lockstep while disks on IDE, AHCI and virtio write to memory and read from it: Linux writes a pattern to each
and reads it back past its cache.

Needs --guests to name what tests/guests/build_storage_guest.py makes.
"""

import pathlib
import tempfile

import runner
import session

PROMPT = b"guest:"
MIB = 4
# sda, sdb and vda in whatever order: all of them get the same.
SCRIPT = (f"dd if=/dev/urandom of=/tmp/p bs=1M count={MIB} 2>/dev/null; for d in sda sdb vda; do "
          f"dd if=/tmp/p of=/dev/$d bs=1M oflag=direct 2>/dev/null; dd if=/dev/$d bs=256k count={4 * MIB} iflag=direct 2>/dev/null | "
          "cmp - /tmp/p && echo good''_$d; done; echo errors''_$(dmesg | grep -cE 'I/O error|Emask|timeout'); echo over''_now")


def test(options):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        words = ["--kernel", options.kernel, "--initrd", options.initrd, "--memory", "256M", "--append", "console=ttyS0 quiet",
                 "--wall-timeout", "800"]
        images = {bus: folder / bus for bus in ("ide", "ahci", "virtio")}
        for bus, image in images.items():
            runner.empty_disk(image, 64 << 20)
            words += ["--disk", f"{image},bus={bus},write=yes,format=raw"]

        def body(terminal):
            terminal.wait_for(PROMPT, 600)
            terminal.write(b"for m in $(cat /modules/list); do insmod /modules/$m; done; sleep 2; echo loaded''_now\r")
            terminal.wait_for(b"loaded_now", 300)
            terminal.write(SCRIPT.encode() + b"\r")
            terminal.wait_for(b"over_now", 600)
            text = terminal.before.decode(errors="replace")
            for disk in ("sda", "sdb", "vda"):
                runner.expect(f"good_{disk}" in text, f"{disk} does not hold what was written: {text}")
            runner.expect("errors_0" in text, f"the kernel complains: {text}")
            terminal.write(b"poweroff -f\r")
            code = terminal.wait_for_end(120)
            runner.expect(code == 0, f"exit code {code}: {terminal.seen[-600:]!r}")

        session.run(options, words, body)
        contents = {image.read_bytes()[:MIB << 20] for image in images.values()}
        runner.expect(len(contents) == 1 and any(contents.pop()), "the images do not hold the same pattern")


runner.main(test, __doc__, guest_may_be_missing=True)
