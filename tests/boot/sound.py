#!/usr/bin/env python3
"""Two tones of the PC's speaker in a WAV file: pitch and length are those that the guest asked for, and the file is the same
from every engine."""

import pathlib
import struct
import subprocess
import tempfile
import wave

import runner

DEBUG_EXIT = 0xf4
PIT_HZ = 1193182


def out8(port, value):
    return struct.pack("<BBHBBB", 0x66, 0xba, port, 0xb0, value, 0xee)


def wait(milliseconds):
    """mov ecx, count; dec ecx; jnz: two instructions of a nanosecond each."""
    return b"\xb9" + struct.pack("<I", milliseconds * 500_000) + b"\x49\x75\xfd"


def tone(hz, milliseconds):
    count = PIT_HZ // hz
    return (out8(0x43, 0xb6) + out8(0x42, count & 0xff) + out8(0x42, count >> 8) + out8(0x61, 3) + wait(milliseconds) +
            out8(0x61, 0))


def multiboot(code):
    start = 0x100000
    header = struct.pack("<8I", 0x1badb002, 0x10000, (-0x1badb002 - 0x10000) & 0xffffffff, start, start, 0, 0, start + 32)
    return header + code


def heard(options, folder, engine):
    kernel, sound = pathlib.Path(folder, "kernel"), pathlib.Path(folder, f"{engine}.wav")
    kernel.write_bytes(multiboot(tone(1000, 100) + wait(60) + tone(440, 200) + wait(100) + out8(DEBUG_EXIT, 0)))
    run = subprocess.run([str(options.reprise), "run", "--kernel", str(kernel), "--memory", "16M", "--engine", engine,
                          "--debug-exit", hex(DEBUG_EXIT), "--serial", "null", "--sound", f"wav:{sound}"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    runner.expect(run.returncode == 1, f"{engine}: exit code {run.returncode}: {run.stdout.decode(errors='replace')}")
    return sound


def rises(samples):
    return sum(1 for before, after in zip(samples, samples[1:]) if before <= 0 < after)


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        sounds = [heard(options, folder, engine) for engine in dict.fromkeys(("interp", options.engine))]
        for sound in sounds[1:]:
            runner.expect(sound.read_bytes() == sounds[0].read_bytes(), "the engines do not sound alike")
        with wave.open(str(sounds[0])) as file:
            runner.expect(file.getparams()[:3] == (2, 2, 48000), f"parameters {file.getparams()}")
            samples = struct.unpack(f"<{2 * file.getnframes()}h", file.readframes(file.getnframes()))[::2]
        begin = next(i for i, sample in enumerate(samples) if sample)
        first, second = samples[begin:begin + 4800], samples[begin + 7680:begin + 17280]
        for name, tone_samples, wanted in (("first", first, 100), ("second", second, 88)):
            got = rises(tone_samples)
            runner.expect(abs(got - wanted) <= 2, f"the {name} tone has {got} periods instead of {wanted}")
        runner.expect(not any(samples[begin + 7200:begin + 7600]), "it is not silent between the tones")
        refused = subprocess.run([str(options.reprise), "run", "x", "--sound", "mp3:y"], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        runner.expect(refused.returncode != 0 and "none or wav:FILE" in refused.stdout, f"mp3: {refused.stdout}")


runner.main(test, __doc__)
