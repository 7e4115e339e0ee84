#!/usr/bin/env python3
"""Stock Linux plays tones of three kinds on the AC'97 card, then with the volume changed, and records: the WAV file has each
with its pitch, length and loudness, and is the same from the second run. The guest is made by
tests/guests/build_storage_guest.py."""

import io
import math
import pathlib
import struct
import sys
import tempfile
import wave

import runner

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guests"))
import build_guests  # noqa: E402

LOUD = 10000
SECONDS = 0.5
# rate, and Hz of each channel
TONES = [(48000, (1000, 500)), (44100, (441, 882)), (22050, (700,))]
# What is heard: Hz and loudness on the left and on the right. Last the first tone, 6 dB less on the right; muted, nothing.
HEARD = [((1000, LOUD), (500, LOUD)), ((441, LOUD), (882, LOUD)), ((700, LOUD), (700, LOUD)), ((1000, LOUD), (500, LOUD / 2))]


def tone(rate, pitches):
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(len(pitches))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack(f"<{len(pitches)}h",
                                              *(round(LOUD * math.sin(2 * math.pi * hz * i / rate)) for hz in pitches))
                                  for i in range(int(rate * SECONDS))))
    return data.getvalue()


def heard(options, folder, engine, name):
    console, sound = pathlib.Path(folder, f"{name}.txt"), pathlib.Path(folder, f"{name}.wav")
    result = runner.boot(options, "reprise.exec=/bin/sound",
                         ["--device", "AC97", "--sound", f"wav:{sound}", "--engine", engine, "--memory", "512M"])
    console.write_text(result.console)
    lines = [line for line in result.console.splitlines() if line.startswith("sound: ")]
    runner.expect(result.exit_code == 0 and "sound: complete" in lines,
                  f"{engine}: exit code {result.exit_code}: {result.messages}\n{result.console[-3000:]}")
    runner.expect("sound: recorded 176444 bytes, 0 of them not silent" in lines, f"what was recorded: {lines[-4:]}")
    runner.expect(any("STAC9700" in line for line in lines), "the driver does not know the codec")
    return sound


def stretches(left, right):
    """Ranges of frames with sound, apart by a twentieth of a second of silence or more."""
    found = []
    for i, frame in enumerate(zip(left, right)):
        if frame == (0, 0):
            continue
        if found and i - found[-1][1] < 2400:
            found[-1][1] = i + 1
        else:
            found.append([i, i + 1])
    return found


def pitch(samples):
    """Hz, from the first rise through zero to the last."""
    rises = [i for i in range(1, len(samples)) if samples[i - 1] <= 0 < samples[i]]
    return (len(rises) - 1) * 48000 / (rises[-1] - rises[0])


def check(sound):
    with wave.open(str(sound)) as file:
        samples = struct.unpack(f"<{2 * file.getnframes()}h", file.readframes(file.getnframes()))
    channels = samples[::2], samples[1::2]
    found = stretches(*channels)
    runner.expect(len(found) == len(HEARD), f"there are {len(found)} sounds, {found}")
    for (begin, end), wanted in zip(found, HEARD):
        seconds = (end - begin) / 48000
        runner.expect(abs(seconds - SECONDS) < 0.001, f"a tone of {SECONDS} s takes {seconds} s")
        for samples, (hz, loud) in zip(channels, wanted):
            got = pitch(samples[begin:end])
            runner.expect(abs(got - hz) < 0.5, f"a tone of {hz} Hz has {got}")
            loudest = max(samples[begin:end])
            runner.expect(abs(loudest - loud) < loud * 0.01, f"a tone of {hz} Hz and loudness {loud} has {loudest}")


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        archive = build_guests.Cpio()
        archive.folder("tones")
        for i, (rate, pitches) in enumerate(TONES):
            archive.add(f"tones/{i}.wav", 0o100644, tone(rate, pitches))
        initrd = pathlib.Path(folder, "initrd.img")
        initrd.write_bytes(pathlib.Path(options.initrd).read_bytes() + archive.bytes())
        options.initrd = initrd
        first = heard(options, folder, "jit", "first")
        check(first)
        second = heard(options, folder, options.engine, "second")
        runner.expect(first.read_bytes() == second.read_bytes(), "the second run sounds otherwise")


runner.main(test, __doc__, guest_may_be_missing=True)
