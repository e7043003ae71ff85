"""A collection with every kind of odd file, cell, lyric and label that users have."""

import os
import struct
import sys

import numpy as np
import pandas as pd
import soundfile

from sklearn_music.datasets import make_music

RATE = 22050


def make_odd_collection(folder):
    """Write odd files into a folder.

    Returns
    -------
    tracks : DataFrame
        With the columns ``audio``, ``lyrics``, ``title``, ``genre``, and ``readable``: whether the
        audio can be used, None where both answers are right.
    """
    rng = np.random.default_rng(0)
    music = make_music(60, duration=2.0, random_state=0).data
    waveforms = iter(music["audio"])
    rows = []

    def add(audio, readable, **kwargs):
        rows.append({"audio": audio, "readable": readable, **kwargs})

    def write(name, *, rate=RATE, channels=1, readable=True, data=None, **kwargs):
        wave = next(waveforms) if data is None else data
        wave = np.interp(np.arange(0, len(wave), RATE / rate), np.arange(len(wave)), wave)
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        soundfile.write(path, np.repeat(wave[:, None], channels, axis=1), rate, **kwargs)
        add(path, readable)
        return path

    def damaged(name, change, readable, **kwargs):
        path = write(name, readable=readable, **kwargs)
        with open(path, "rb") as file:
            content = change(bytearray(file.read()))
        with open(path, "wb") as file:
            file.write(content)

    # Formats, rates, channels and names.
    for subtype in ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "MS_ADPCM"):
        write(f"{subtype}.wav", subtype=subtype)
    for name in ("a.flac", "a.ogg", "a.mp3", "a.aiff", "a.au", "a.caf", "a.w64"):
        write(name)
    write("a.opus.ogg", format="OGG", subtype="OPUS", rate=48000)
    write("a.rf64", format="RF64")
    for rate in (8000, 11025, 16000, 44100, 48000, 96000):
        write(f"rate_{rate}.wav", rate=rate)
    write("stereo.wav", channels=2)
    write("six.wav", channels=6)
    write("with spaces & ampersands.wav")
    write("গান/আমার সোনার বাংলা.wav")
    write("🎵.flac")
    write(".hidden.wav")
    if sys.platform == "linux":  # elsewhere names are Unicode
        os.link(rows[0]["audio"], os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav"))
        add(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav"), True)

    # Odd sounds.
    write("silent.wav", data=np.zeros(RATE))
    write("short.wav", data=next(waveforms)[:300])
    write("one_sample.wav", data=np.ones(1) / 2)
    write("offset.wav", data=np.full(RATE, 0.5))
    write("clipped.wav", data=np.sign(next(waveforms)))
    write("long.flac", data=np.tile(next(waveforms), 10))
    write("nan.wav", data=np.full(RATE, np.nan), subtype="FLOAT", readable=False)
    write("inf.wav", data=np.full(RATE, np.inf), subtype="FLOAT", readable=False)

    # Damaged files and wrong headers.
    damaged("half.flac", lambda b: b[: len(b) // 2], False)
    damaged("half.wav", lambda b: b[: len(b) // 2], False)
    damaged("half.ogg", lambda b: b[: len(b) // 2], False)
    damaged("half.mp3", lambda b: b[: len(b) // 2], None)
    damaged("empty.mp3", lambda b: b"", False)
    damaged("text.mp3", lambda b: b"These are words, not music.\n" * 99, False)
    damaged("noise.mp3", lambda b: rng.bytes(9999), None)
    damaged("header_only.wav", lambda b: b[:44], False)
    for name, count in {"unknown": 0, "huge": 2**36 - 1, "hour": 3600 * RATE}.items():

        def change(b, count=count):
            b[21] = (b[21] & 0xF0) | (count >> 32)
            b[22:26] = struct.pack(">I", count & 0xFFFFFFFF)
            return b

        damaged(f"{name}.flac", change, True if name == "unknown" else None)
    damaged("pipe.wav", lambda b: b[:40] + b"\xff\xff\xff\xff" + b[44:], True)
    damaged("rate_1.wav", lambda b: b[:24] + struct.pack("<I", 1) + b[28:], None)

    # Cells that name no file, and waveforms.
    add(os.path.join(folder, "lost.wav"), False)
    os.mkdir(os.path.join(folder, "folder.wav"))
    add(os.path.join(folder, "folder.wav"), False)
    for cell in ("", None, np.nan, pd.NA, 3.5, "nul\0.wav"):
        add(cell, False)
    add(os.path.join(folder, "PCM_16.wav") + "/x", False)
    wave = next(waveforms)
    for waveform in (wave, wave.astype(np.float16), (wave * 32767).astype(np.int16)):
        add(waveform, True)
    add((wave * 127 + 128).astype(np.uint8), True)
    add(np.zeros(0), False)
    add(np.zeros((2, 9)), False)
    add(np.full(RATE, np.nan), False)

    tracks = pd.DataFrame(rows, dtype=object)  # pyarrow's text can't hold every file name

    def column(cells):
        return pd.Series(list(cells), dtype=object)

    words = music["lyrics"].dropna().tolist()
    lyrics = [
        *(None, np.nan, pd.NA, "", "  ", "[Instrumental]", "#REF!", "\u200b", "la"),
        words[0] + " \ud83d",
        words[1] + " $$a$$ <script>alert(1)</script>",
        words[2] * 50,
        "আমার সোনার বাংলা",
    ]
    tracks["lyrics"] = column(
        lyrics[i // 2] if i % 2 and i // 2 < len(lyrics) else words[i % len(words)]
        for i in range(len(tracks))
    )
    # Unreadable, and without lyrics, too.
    unreadable = np.flatnonzero(tracks["readable"].eq(False))
    tracks.loc[unreadable[::2], "lyrics"] = None
    titles = ["$$a$$", "<b>bold</b>", "caf\udce9", "x" * 300, None, "শিরোনাম", "a\0b", ""]
    tracks["title"] = column(titles[i % len(titles)] for i in range(len(tracks)))
    genres = ["rock", "$$a$$", "<script>", "caf\udce9", None, "নজরুল", np.nan, "cluster 0"]
    tracks["genre"] = column(genres[i % len(genres)] for i in range(len(tracks)))
    return tracks
