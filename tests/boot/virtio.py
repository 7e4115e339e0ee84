#!/usr/bin/env python3
"""Stock Linux on two virtio disks: data read back, discard, ext4 made, used and checked, in the guest and afterwards
on the host, with the modern and with the legacy driver; the first image stays as it was, because nobody asked for writes. With several engines the same run."""

import pathlib
import shutil
import subprocess
import tempfile

import runner

DISK_BYTES = 64 << 20


def boot_with_disks(options, folder, engine, parameters=""):
    """A run; the image that is written through; what the run was."""
    folder = pathlib.Path(folder)
    raw, fs = folder / "raw.img", folder / "fs.img"
    for image in (raw, fs):
        image.unlink(missing_ok=True)
        runner.empty_disk(image, DISK_BYTES)
    options.engine = engine
    result = runner.boot(options, f"reprise.exec=/bin/disk-test {parameters}", ["--disk", raw, "--disk", f"{fs},write=yes",
                                                                   "--hash-every", "500000000"])
    tail = "\n".join(result.console.splitlines()[-25:])
    runner.expect("disk-test: done" in result.console, f"{engine}: exit code {result.exit_code}: {result.messages}\n{tail}")
    runner.expect(result.exit_code == 0, f"{engine}: exit code {result.exit_code}: {result.messages}")
    with open(raw, "rb") as file:
        runner.expect(not any(file.read()), f"{engine}: the first image was written to")
    return result, fs


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        runner.add_drivers(options, folder)
        first, image = boot_with_disks(options, folder, options.engine)
        fsck = shutil.which("e2fsck", path="/sbin:/usr/sbin:/usr/bin:/bin")
        if fsck:
            checked = subprocess.run([fsck, "-fn", image], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            runner.expect(checked.returncode == 0, f"e2fsck on the host: {checked.stdout}")
        runner.expect(first.console.count("modern virtio") == 2, "the disks' driver is not the modern one")
        legacy, _ = boot_with_disks(options, folder, options.engine, "virtio_pci.force_legacy=1")
        runner.expect(legacy.console.count("legacy virtio") == 2, "the disks' driver is not the legacy one")
        runner.expect("serial 'RP00001'" in first.console, "the first disk has no serial number")
        # The host's page cache is warm now; another engine where there is one.
        again, _ = boot_with_disks(options, folder, "interp" if options.engine == "jit" else options.engine)
        runner.expect(first.console == again.console, "the consoles differ")
        runner.expect(first.messages == again.messages, f"hashes differ: {first.messages} and {again.messages}")
        for key in ("instructions", "virtual_ns", "state_hash"):
            runner.expect(first.report[key] == again.report[key], f"{key} differs")
    print(f"{first.report['instructions'] / 1e6:.0f} million instructions, state {first.report['state_hash']}")


runner.main(test, __doc__)
