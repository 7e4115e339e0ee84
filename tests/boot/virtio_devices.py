#!/usr/bin/env python3
"""Stock Linux with a virtio console and a virtio entropy device; then it panics, and the pvpanic port ends the run
before the kernel has said its last word. The random numbers follow from the seed. Then the same with the legacy driver."""

import pathlib
import re
import tempfile

import runner


def random_of(options, folder, seed, parameters=""):
    hvc0 = pathlib.Path(folder, "hvc0")
    result = runner.boot(options, f"reprise.exec=/bin/device-test {parameters}",
                         ["--console", f"file:{hvc0}", "--device", "virtio-rng", "--seed", str(seed)])
    tail = "\n".join(result.console.splitlines()[-25:])
    rng = re.search(r"device-test: rng virtio_rng\.0 +([0-9a-f]{64})", result.console)
    runner.expect(rng, f"the guest has no virtio_rng; exit code {result.exit_code}: {result.messages}\n{tail}")
    wanted = "device-test: hello through hvc0\n" + 8 * "".join(f"{n}\n" for n in range(1, 201))
    output = hvc0.read_text().replace("\r", "")
    runner.expect(output == wanted, f"hvc0 got {len(output)} characters instead of {len(wanted)}: {output[:200]}")
    runner.expect(result.exit_code == 10, f"exit code {result.exit_code} instead of 10: {result.messages}\n{tail}")
    runner.expect("Kernel panic - not syncing" in result.console, f"the kernel did not panic:\n{tail}")
    runner.expect("end Kernel panic" not in result.console, "the run went on after pvpanic was told")
    return rng[1]


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        runner.add_drivers(options, folder)
        first, same, other = (random_of(options, folder, seed) for seed in (1, 1, 2))
        legacy = random_of(options, folder, 1, "virtio_pci.force_legacy=1")
        runner.expect(first == legacy, "the legacy driver got other random numbers")
        runner.expect(first == same, "the same seed gave other random numbers")
        runner.expect(first != other, "another seed gave the same random numbers")


runner.main(test, __doc__)
