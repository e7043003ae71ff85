"""The signal processing of `make_music`: from notes and timbres to a waveform."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from ._composition import COMPOSITIONS, Note, Score
from ._production import VOICE, Kit, Mix, Timbre, vary_production

Samples = NDArray[np.float32]

TABLE_SIZE = 2048

# Hz: first, second and third formant of "ah", "eh", "ee", "oh", "oo".
VOWELS = np.array(
    [(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)]
)


def render_track(
    genre: str, sound: str, sung: bool, n_samples: int, sample_rate: int, rng: np.random.Generator
) -> Samples:
    """Render one track, composed like `genre` and produced like `sound`, with a peak below 0.9.

    If it is `sung`, a voice takes the melody, otherwise an instrument.
    """
    production = vary_production(sound, rng)
    score = Score(COMPOSITIONS[genre], n_samples / sample_rate, rng)
    synthesizer = _Synthesizer(n_samples, sample_rate, rng)
    mix, kit = production.mix, production.kit
    lead, lead_level = (VOICE, mix.voice) if sung else (production.lead, mix.lead)
    # The order matters: each part draws from the same generator.
    parts = [
        (mix.chords, synthesizer.play(score.chords(), production.chords)),
        (mix.bass, synthesizer.play(score.bass(), production.bass)),
        (lead_level, synthesizer.play(score.lead(), lead, sung=sung)),
        (kit.kick, synthesizer.hit(score.hits("kick"), synthesizer.kick(kit))),
        (kit.snare, synthesizer.hit(score.hits("snare"), synthesizer.snare(kit))),
        (kit.hat, synthesizer.hit(score.hits("hat"), synthesizer.hat(kit))),
    ]
    track = np.zeros(n_samples, dtype=np.float32)
    for level, part in parts:
        track += np.float32(level) * part
    return synthesizer.master(track, mix)


class _Synthesizer:
    """Notes to samples."""

    def __init__(self, n_samples: int, sample_rate: int, rng: np.random.Generator):
        self.n_samples = n_samples
        self.sample_rate = sample_rate
        self.rng = rng

    def play(self, notes: list[Note], timbre: Timbre, *, sung: bool = False) -> Samples:
        part = np.zeros(self.n_samples, dtype=np.float32)
        played: dict[tuple, Samples] = {}
        phases = self.rng.uniform(0, 2 * np.pi, 64)
        for note in notes:
            vowel = int(self.rng.integers(len(VOWELS))) if sung else None
            pitches = note.pitches
            if timbre.drive > 2 and len(pitches) == 3:
                # A distorted third is muddy, hence the power chords of loud guitars.
                pitches = (pitches[0], pitches[1], pitches[0] + 12)
            key = (pitches, round(note.length, 3), vowel)
            if key not in played:
                tones = [self._tone(pitch, note.length, timbre, phases, vowel) for pitch in pitches]
                played[key] = np.sum(tones, axis=0) / np.float32(np.sqrt(len(pitches)))
            self._add(part, note, played[key])
        if timbre.drive > 0:
            part = np.tanh(np.float32(timbre.drive) * part)
        return part

    def hit(self, notes: list[Note], drum: Samples) -> Samples:
        part = np.zeros(self.n_samples, dtype=np.float32)
        for note in notes:
            self._add(part, note, drum)
        return part

    def kick(self, kit: Kit) -> Samples:
        time = self._times(5 * kit.kick_decay)
        # The pitch falls from three times its own within a few hundredths of a second.
        cycles = kit.kick_pitch * (time + 2 * 0.03 * (1 - np.exp(-time / 0.03)))
        click = 0.3 * np.exp(-time / 0.002) * self._noise(len(time))
        return (np.exp(-time / kit.kick_decay) * np.sin(2 * np.pi * cycles) + click).astype("f4")

    def snare(self, kit: Kit) -> Samples:
        time = self._times(5 * kit.snare_decay)
        drum = np.exp(-time / 0.05) * np.sin(2 * np.pi * kit.snare_pitch * time)
        wires = np.exp(-time / kit.snare_decay) * self._noise(len(time))
        return (0.5 * drum + 0.4 * wires).astype("f4")

    def hat(self, kit: Kit) -> Samples:
        time = self._times(5 * kit.hat_decay)
        # The second difference of noise is metallic: all of it is above a few kHz.
        metal = np.diff(self._noise(len(time) + 2), n=2) * 0.3
        return (np.exp(-time / kit.hat_decay) * metal).astype("f4")

    def master(self, track: Samples, mix: Mix) -> Samples:
        """Equalise, add the room and the noise floor, limit, and set the level."""
        room = self._times(4 * mix.room_time)
        echoes = self._noise(len(room)) * np.exp(-room / np.float32(mix.room_time))
        echoes /= np.sqrt(np.sum(echoes**2)) + 1e-12
        size = next_fast_len(self.n_samples + len(room), real=True)
        frequency = rfftfreq(size, 1 / self.sample_rate)
        low = 10 ** (mix.low / 20 / (1 + (frequency / 200) ** 2))
        high = 10 ** (mix.high / 20 / (1 + (3000 / np.maximum(frequency, 1)) ** 2))
        response = (low * high).astype(np.float32) * (1 + np.float32(mix.room) * rfft(echoes, size))
        track = irfft(rfft(track, size) * response, size)[: self.n_samples]
        track /= np.max(np.abs(track)) + 1e-9
        track = np.tanh(np.float32(mix.compression) * track)
        track += np.float32(10 ** (mix.noise / 20)) * self._noise(self.n_samples)
        level = 0.9 * 10 ** (-self.rng.uniform(0, 6) / 20)
        return (level * track / (np.max(np.abs(track)) + 1e-9)).astype(np.float32)

    def _times(self, seconds: float) -> Samples:
        n_samples = min(self.n_samples, max(1, round(seconds * self.sample_rate)))
        return np.arange(n_samples, dtype=np.float32) / np.float32(self.sample_rate)

    def _noise(self, n_samples: int) -> Samples:
        return self.rng.standard_normal(n_samples, dtype=np.float32)

    def _add(self, part: Samples, note: Note, sound: Samples) -> None:
        """Add a note's sound to a part, as far as the two overlap."""
        start = round(note.onset * self.sample_rate)
        end = min(start + len(sound), self.n_samples)
        if max(start, 0) < end:
            heard = sound[max(-start, 0) : end - start]
            part[max(start, 0) : end] += np.float32(note.loudness) * heard

    def _tone(self, pitch, length, timbre: Timbre, phases, vowel) -> Samples:
        frequency = 440.0 * 2 ** ((pitch - 69) / 12)
        time = self._times(length + 0.06)
        fade = np.minimum(1, (length + 0.06 - time) / 0.06)
        fall = np.exp(-time / np.float32(timbre.decay))
        envelope = (
            np.minimum(1, time / np.float32(timbre.attack))
            * (timbre.sustain + (1 - timbre.sustain) * fall)
            * fade
        )
        bright, dark = self._cycles(frequency, timbre, phases, vowel)

        def look_up(cycles):
            index = (cycles * TABLE_SIZE).astype(np.int32) & (TABLE_SIZE - 1)
            return dark[index] + fall * (bright - dark)[index]

        cycles = frequency * time
        if timbre.vibrato:
            # Phase is the integral of pitch: a sine of 5.5 Hz stays a sine.
            depth = frequency * (2 ** (timbre.vibrato / 1200) - 1) / (2 * np.pi * 5.5)
            cycles = cycles + np.float32(depth) * np.sin(np.float32(2 * np.pi * 5.5) * time)
        tone = look_up(cycles)
        if timbre.detune:
            ratio = np.float32(2 ** (timbre.detune / 1200))
            tone = (tone + look_up(cycles * ratio + 0.3)) * 0.7
        return (envelope * tone).astype(np.float32)

    def _cycles(self, frequency, timbre: Timbre, phases, vowel) -> list[Samples]:
        """Return one cycle of the beginning of a note, and one of its end."""
        n_harmonics = int(np.clip(0.45 * self.sample_rate / frequency, 1, len(phases)))
        harmonics = np.arange(1, n_harmonics + 1)
        colour = np.where(harmonics % 2, 1.0, timbre.even) * np.exp(1j * phases[:n_harmonics])
        if vowel is not None:
            distance = (harmonics * frequency - VOWELS[vowel][:, None]) / 120
            colour = colour * (0.05 + (1 / (1 + distance**2)).sum(axis=0))
        tables = []
        for slope in (timbre.slope, timbre.slope + timbre.darkening):
            spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=complex)
            spectrum[1 : n_harmonics + 1] = colour * harmonics**-slope
            tables.append(irfft(spectrum))
        # One gain for both: the end of a note is darker, not louder.
        gain = 0.25 / (np.sqrt(np.mean(tables[0] ** 2)) + 1e-12)
        return [(gain * table).astype(np.float32) for table in tables]
