#!/usr/bin/env python3
"""Two tones of the PC's speaker in a WAV file: pitch and length are those that the guest asked for, and the file is the same
from every engine. A sound card that plays at the same time is heard with them."""

import os
import pathlib
import struct
import subprocess
import tempfile
import wave

import runner

DEBUG_EXIT = 0xf4
PIT_HZ = 1193182
# Where the card is put, and what it plays.
MIXER, BUS_MASTER, FRAMES = 0xd000, 0xd100, 4800


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


def out16(port, value):
    return struct.pack("<BBHBBHBB", 0x66, 0xba, port, 0x66, 0xb8, value, 0x66, 0xef)


def out32(port, value):
    return struct.pack("<BBHBIB", 0x66, 0xba, port, 0xb8, value, 0xef)


def both(speaker, card):
    """The speaker and the card at once, or one of them by the same instructions."""
    def config(register, value):
        return out32(0xcf8, 0x80001800 | register) + out32(0xcfc, value)

    start, ring, samples = 0x100000, 0x102000, 0x102100
    code = config(0x10, MIXER) + config(0x14, BUS_MASTER) + config(4, 5)
    code += out32(BUS_MASTER + 0x2c, 2) + out16(MIXER + 2, 0x0600) + out16(MIXER + 0x18, 0x0808)
    code += out32(BUS_MASTER + 0x10, ring) + out8(BUS_MASTER + 0x15, 0) + out8(BUS_MASTER + 0x1b, 1 if card else 0)
    code += out8(0x43, 0xb6) + out8(0x42, 0) + out8(0x42, 8) + out8(0x61, 3 if speaker else 0) + wait(100) + out8(0x61, 0)
    image = multiboot(code + wait(50) + out8(DEBUG_EXIT, 0))
    image += bytes(ring - start - len(image)) + struct.pack("<IIQ", samples, 2 * FRAMES | 1 << 30, 0)
    image += bytes(samples - start - len(image))
    image += b"".join(struct.pack("<hh", i % 96 * 100 - 4800, 4800 - i % 48 * 200) for i in range(FRAMES))
    return image


def play(options, folder, engine, image=None):
    kernel, sound = pathlib.Path(folder, "kernel"), pathlib.Path(folder, f"{engine}.wav")
    kernel.write_bytes(image or multiboot(tone(1000, 100) + wait(60) + tone(440, 200) + wait(100) + out8(DEBUG_EXIT, 0)))
    run = subprocess.run([str(options.reprise), "run", "--kernel", str(kernel), "--memory", "16M", "--engine", engine,
                          "--debug-exit", hex(DEBUG_EXIT), "--serial", "null", "--sound", f"wav:{sound}",
                          *(["--device", "AC97"] if image else [])],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    runner.expect(run.returncode == 1, f"{engine}: exit code {run.returncode}: {run.stdout.decode(errors='replace')}")
    return sound


def frames_of(sound):
    with wave.open(str(sound)) as file:
        runner.expect(file.getparams()[:3] == (2, 2, 48000), f"parameters {file.getparams()}")
        samples = struct.unpack(f"<{2 * file.getnframes()}h", file.readframes(file.getnframes()))
    return list(zip(samples[::2], samples[1::2]))


def check_mix(options, folder, engine):
    speaker, card, mix = (frames_of(play(options, folder, engine, both(*which)))
                          for which in ((True, False), (False, True), (True, True)))
    card_frames = [i for i, frame in enumerate(card) if frame != (0, 0)]
    runner.expect(abs(card_frames[-1] - card_frames[0] - FRAMES) <= 96, f"the card plays {len(card_frames)} frames")
    # The left is 9 dB less: 35 of 100.
    runner.expect(max(left for left, _ in card) == 4700 * 23253 // 65536, f"the loudest is {max(card)}")
    runner.expect(max(right for _, right in card) == 4800, "the right is as it was")
    for part in (speaker, card):
        part += [(0, 0)] * (len(mix) - len(part))
    runner.expect(mix == [(a + c, b + d) for (a, b), (c, d) in zip(speaker, card)], "the mix is not the sum of its parts")
    return mix


def check_listening(options, folder):
    """Whoever listens, the guest is the same. Without SDL 2, or on a host without even its dummy driver, a sentence says so."""
    kernel = pathlib.Path(folder, "kernel")
    kernel.write_bytes(both(True, True))
    chains = []
    for target in ("none", f"wav:{folder}/heard.wav", "sdl"):
        run = subprocess.run([str(options.reprise), "run", "--kernel", str(kernel), "--memory", "16M", "--engine", options.engine,
                              "--debug-exit", hex(DEBUG_EXIT), "--serial", "null", "--device", "AC97", "--sound", target,
                              "--clock", "free", "--hash-every", "10000000"], env={**os.environ, "SDL_AUDIODRIVER": "dummy"},
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
        if target == "sdl" and "built without SDL 2" in run.stderr:
            continue
        runner.expect(run.returncode == 1, f"{target}: exit code {run.returncode}: {run.stderr}")
        chains.append([line for line in run.stderr.splitlines() if line.startswith("state ")])
    runner.expect(len(chains[0]) > 5 and all(chain == chains[0] for chain in chains), f"listening changes the run: {chains}")


def rises(samples):
    return sum(1 for before, after in zip(samples, samples[1:]) if before <= 0 < after)


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        sounds = [play(options, folder, engine) for engine in dict.fromkeys(("interp", options.engine))]
        for sound in sounds[1:]:
            runner.expect(sound.read_bytes() == sounds[0].read_bytes(), "the engines do not sound alike")
        samples = [left for left, _ in frames_of(sounds[0])]
        begin = next(i for i, sample in enumerate(samples) if sample)
        first, second = samples[begin:begin + 4800], samples[begin + 7680:begin + 17280]
        for name, tone_samples, wanted in (("first", first, 100), ("second", second, 88)):
            got = rises(tone_samples)
            runner.expect(abs(got - wanted) <= 2, f"the {name} tone has {got} periods instead of {wanted}")
        runner.expect(not any(samples[begin + 7200:begin + 7600]), "it is not silent between the tones")
        mixes = [check_mix(options, folder, engine) for engine in dict.fromkeys(("interp", options.engine))]
        runner.expect(all(mix == mixes[0] for mix in mixes), "the engines do not mix alike")
        check_listening(options, folder)
        refused = subprocess.run([str(options.reprise), "run", "x", "--sound", "mp3:y"], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        runner.expect(refused.returncode != 0 and "none, sdl or wav:FILE" in refused.stdout, f"mp3: {refused.stdout}")


runner.main(test, __doc__)
