"""The sound of `make_music`: a genre's composition and production, rendered to a waveform.

A track is composed (tempo, chords, rhythm) and then produced (instruments, drum kit, mix, room).
The two are kept apart so that a track can be written in one genre and sound like another.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

Samples = NDArray[np.float32]

STEPS_PER_BAR = 16
TABLE_SIZE = 2048

# Semitones above the tonic.
CHORDS = {
    "I": (0, 4, 7),
    "ii": (2, 5, 9),
    "iii": (4, 7, 11),
    "IV": (5, 9, 12),
    "V": (7, 11, 14),
    "vi": (9, 12, 16),
    "i": (0, 3, 7),
    "III": (3, 7, 10),
    "iv": (5, 8, 12),
    "v": (7, 10, 14),
    "VI": (8, 12, 15),
    "VII": (10, 14, 17),
}

# Hz: first, second and third formant of "ah", "eh", "ee", "oh", "oo".
VOWELS = np.array(
    [(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)]
)


@dataclass(frozen=True)
class Timbre:
    """One instrument: the spectrum and the envelope of a note."""

    slope: float  # the n-th harmonic has amplitude n ** -slope
    even: float = 1.0  # level of the even harmonics
    attack: float = 0.005  # seconds
    decay: float = 0.4  # seconds, time constant
    sustain: float = 0.0  # the level that the decay falls to
    darkening: float = 1.0  # what a note's end adds to `slope`
    vibrato: float = 0.0  # cents
    detune: float = 0.0  # cents between the two voices of a chorus
    drive: float = 0.0  # gain into the distortion


@dataclass(frozen=True)
class Kit:
    """The drums: pitch in Hz, times in seconds, levels relative to the loudest part."""

    kick_pitch: float = 50.0
    kick_decay: float = 0.12
    snare_pitch: float = 190.0
    snare_decay: float = 0.09
    hat_decay: float = 0.03
    kick: float = 0.8
    snare: float = 0.5
    hat: float = 0.2


@dataclass(frozen=True)
class Mix:
    """Levels of the parts, and what happens to their sum."""

    chords: float = 0.5
    bass: float = 0.5
    lead: float = 0.4
    voice: float = 0.5
    low: float = 0.0  # dB, shelf under 200 Hz
    high: float = 0.0  # dB, shelf above 3 kHz
    room: float = 0.2  # level of the reverberation
    room_time: float = 0.4  # seconds
    compression: float = 1.0  # gain into the limiter
    noise: float = -60.0  # dB, tape hiss, vinyl, the room


@dataclass(frozen=True)
class Composition:
    """What is played. In a rhythm of 16 steps, "x" starts a note, "-" holds it, "." rests."""

    tempo: tuple[float, float]
    progressions: tuple[str, ...]
    chords: tuple[str, ...]
    bass: tuple[str, ...]
    lead: tuple[str, ...]
    kick: tuple[str, ...]
    snare: tuple[str, ...]
    hat: tuple[str, ...]
    arpeggio: bool = False
    swing: float = 0.0  # share of a step by which every second step is late


@dataclass(frozen=True)
class Production:
    """How it sounds."""

    chords: Timbre
    bass: Timbre
    lead: Timbre
    kit: Kit
    mix: Mix


COMPOSITIONS = {
    "classical": Composition(
        tempo=(66, 96),
        progressions=("I IV V I", "i iv V i", "I vi ii V", "i VI iv V"),
        chords=("x-x-x-x-x-x-x-x-", "x-------x-------", "x---x---x---x---"),
        bass=("x-------x-------",),
        lead=("x-----x-x---x---", "x---x-x-x-------", "x-x-x-x-x---x---"),
        kick=("x...............",),
        snare=("................",),
        hat=("................",),
        arpeggio=True,
    ),
    "electronic": Composition(
        tempo=(120, 138),
        progressions=("i VI III VII", "i VII VI VII", "i i VI VII"),
        chords=("..x-..x-..x-..x-", "x--x--x-x--x--x-", "x-------x-------"),
        bass=("..x-..x-..x-..x-", "x.xxx.xxx.xxx.xx"),
        lead=("x.x.x.xxx.x.x.xx", "x..x..x.x..x..x."),
        kick=("x...x...x...x...",),
        snare=("....x.......x...",),
        hat=("..x...x...x...x.", "x.x.x.x.x.x.x.x."),
    ),
    "folk": Composition(
        tempo=(84, 120),
        progressions=("I V IV I", "I IV I V", "vi IV I V", "i VII i v"),
        chords=("x.x.x.x.x.x.x.x.", "x-x-xxx-x-x-xxx-"),
        bass=("x-------x-------", "x---x---x---x---"),
        lead=("x---x-x-x---x---", "x-x-x---x-x-x---"),
        kick=("x.......x.......",),
        snare=("................", "....x.......x..."),
        hat=("x.xxx.xxx.xxx.xx", "..x...x...x...x."),
        arpeggio=True,
    ),
    "hip hop": Composition(
        tempo=(80, 98),
        progressions=("i i VI v", "i iv i v", "i VI i VII"),
        chords=("x-----x---------", "x-------..x-----"),
        bass=("x-----x-..x-----", "x------xx--x----"),
        lead=("x.xxx.x.x.xxx.x.", "xxx.x.xxx.x.xxx."),
        kick=("x......x..x.....", "x..x......x....."),
        snare=("....x.......x...",),
        hat=("x.x.x.xxx.x.x.x.", "x.xxx.x.x.xxxxx."),
        swing=0.25,
    ),
    "pop": Composition(
        tempo=(98, 124),
        progressions=("I V vi IV", "vi IV I V", "I vi IV V", "IV V iii vi"),
        chords=("x---x---x---x---", "x--x--x-x--x--x-"),
        bass=("x-x-x-x-x-x-x-x-", "x-----x-x-----x-"),
        lead=("x-x-x---x-x-x-x-", "x--x--x-x---x---"),
        kick=("x......xx.......", "x...x...x...x..."),
        snare=("....x.......x...",),
        hat=("x.x.x.x.x.x.x.x.", "x.x.x.xxx.x.x.xx"),
    ),
    "rock": Composition(
        tempo=(112, 150),
        progressions=("I IV V IV", "i VII VI VII", "I V IV I", "i III VII iv"),
        chords=("x-x-x-x-x-x-x-x-", "x---x-x-x---x-x-", "x-------x-----x-"),
        bass=("x-x-x-x-x-x-x-x-",),
        lead=("x---x-x-x---x---", "x-x---x-x-------"),
        kick=("x.......x.x.....", "x.x.....x......."),
        snare=("....x.......x...",),
        hat=("x.x.x.x.x.x.x.x.", "x...x...x...x..."),
    ),
}

PRODUCTIONS = {
    "classical": Production(
        chords=Timbre(
            2.0, attack=0.09, decay=1.5, sustain=0.8, darkening=0.2, vibrato=12, detune=5
        ),
        bass=Timbre(1.8, attack=0.08, decay=1.5, sustain=0.8, darkening=0.2, vibrato=6),
        lead=Timbre(1.7, attack=0.06, decay=1.0, sustain=0.8, darkening=0.2, vibrato=25),
        kit=Kit(kick_pitch=70, kick_decay=0.35, kick=0.2, snare=0.02, hat=0.01),
        mix=Mix(
            chords=0.6,
            bass=0.35,
            lead=0.4,
            voice=0.3,
            low=3,
            high=-20,
            room=0.8,
            room_time=1.4,
            compression=0.7,
            noise=-62,
        ),
    ),
    "electronic": Production(
        chords=Timbre(0.8, attack=0.005, decay=0.3, sustain=0.5, darkening=0.3, detune=22),
        bass=Timbre(1.1, decay=0.2, sustain=0.4, darkening=0.8, detune=8),
        lead=Timbre(0.9, decay=0.12, sustain=0.1, darkening=0.8, detune=12),
        kit=Kit(kick_pitch=48, kick_decay=0.16, kick=1.0, snare=0.4, hat=0.5, hat_decay=0.05),
        mix=Mix(chords=0.8, bass=0.5, lead=0.4, voice=0.15, high=10, room=0.2, compression=2.0),
    ),
    "folk": Production(
        chords=Timbre(0.9, attack=0.002, decay=0.3, sustain=0.03, darkening=1.2, detune=8),
        bass=Timbre(1.6, attack=0.004, decay=0.35, darkening=1.2),
        lead=Timbre(1.9, even=0.4, attack=0.04, decay=1.0, sustain=0.7, darkening=0.3, vibrato=18),
        kit=Kit(kick=0.08, snare=0.05, hat=0.05, hat_decay=0.04),
        mix=Mix(chords=0.8, bass=0.15, lead=0.25, voice=0.3, low=-8, room=0.15, noise=-52),
    ),
    "hip hop": Production(
        chords=Timbre(2.2, attack=0.008, decay=0.5, sustain=0.1, darkening=1.0, vibrato=5),
        bass=Timbre(3.2, attack=0.01, decay=0.7, sustain=0.2, darkening=0.5),
        lead=Timbre(2.0, decay=0.15, darkening=1.0),
        kit=Kit(kick_pitch=42, kick_decay=0.3, snare_decay=0.12, kick=1.1, snare=0.55, hat=0.22),
        mix=Mix(chords=0.25, bass=0.9, lead=0.12, voice=0.4, low=5, high=-6, room=0.05, noise=-54),
    ),
    "pop": Production(
        chords=Timbre(1.8, attack=0.004, decay=0.45, sustain=0.15, darkening=0.8, detune=4),
        bass=Timbre(1.9, decay=0.3, sustain=0.4, darkening=0.6),
        lead=Timbre(1.6, decay=0.3, sustain=0.3, darkening=0.6, detune=6),
        kit=Kit(kick=0.6, snare=0.55, hat=0.18, snare_decay=0.06),
        mix=Mix(chords=0.5, bass=0.45, lead=0.35, voice=0.45, room=0.2, compression=1.3),
    ),
    "rock": Production(
        chords=Timbre(0.9, attack=0.004, decay=1.0, sustain=0.8, darkening=0.1, detune=8, drive=9),
        bass=Timbre(1.3, decay=0.5, sustain=0.5, darkening=0.5, drive=1.5),
        lead=Timbre(1.0, decay=1.0, sustain=0.7, darkening=0.2, vibrato=15, drive=4),
        kit=Kit(kick=0.7, snare=0.7, hat=0.3, snare_decay=0.14, hat_decay=0.08),
        mix=Mix(chords=1.2, bass=0.45, lead=0.25, voice=0.3, high=2, room=0.12, compression=2.0),
    ),
}

GENRES = tuple(COMPOSITIONS)
VOICE = Timbre(1.0, attack=0.04, decay=1.0, sustain=0.7, darkening=0.2, vibrato=20)

# How far tracks of a genre differ. With the levels above, these were tuned until KMeans on pooled
# MFCC found the genres about half-way.
BORROWING = 0.03  # chance that an instrument or the drum kit comes from any genre
SPREAD = 0.12  # standard deviation of the logarithm of every number
SPREAD_DECIBELS = 2.0
IN_DECIBELS = {"low", "high", "noise"}


def render_track(
    genre: str,
    sound: str,
    *,
    sung: bool,
    n_samples: int,
    sample_rate: int,
    rng: np.random.Generator,
) -> Samples:
    """Render one track, composed in the manner of `genre` and produced in that of `sound`.

    Parameters
    ----------
    genre, sound : str
        Members of `GENRES`.
    sung : bool
        Whether a voice or an instrument takes the melody.
    n_samples : int
        Length of the track.
    sample_rate : int
        In Hz.
    rng : numpy.random.Generator
        Source of everything that varies from track to track.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The waveform, its peak at most 0.9.
    """
    composition = COMPOSITIONS[genre]
    production = _vary(PRODUCTIONS[sound], rng)
    score = _Score(composition, n_samples / sample_rate, rng)
    stage = _Stage(n_samples, sample_rate, rng)
    mix, kit = production.mix, production.kit

    parts = [
        (mix.chords, stage.play(score.chords(), production.chords)),
        (mix.bass, stage.play(score.bass(), production.bass)),
        (
            mix.voice if sung else mix.lead,
            stage.play(score.lead(), VOICE if sung else production.lead, sung=sung),
        ),
        (kit.kick, stage.hit(score.hits("kick"), stage.kick(kit))),
        (kit.snare, stage.hit(score.hits("snare"), stage.snare(kit))),
        (kit.hat, stage.hit(score.hits("hat"), stage.hat(kit))),
    ]
    track = np.zeros(n_samples, dtype=np.float32)
    for level, part in parts:
        track += np.float32(level) * part
    return stage.master(track, mix)


def _vary(production: Production, rng: np.random.Generator) -> Production:
    """Another band, another studio: the same genre with other instruments and levels."""
    guest = PRODUCTIONS[GENRES[rng.integers(len(GENRES))]]
    parts = {}
    for part in fields(production):
        own = getattr(production, part.name)
        # A borrowed mix would be a borrowed genre; an instrument is only a colour.
        if part.name != "mix" and rng.random() < BORROWING:
            own = getattr(guest, part.name)
        parts[part.name] = _jitter(own, rng)
    return Production(**parts)


def _jitter(part, rng):
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    varied = {
        name: value + SPREAD_DECIBELS * rng.standard_normal()
        if name in IN_DECIBELS
        else value * np.exp(SPREAD * rng.standard_normal())
        for name, value in values.items()
    }
    return replace(part, **varied)


@dataclass(frozen=True)
class Note:
    """Onset and length in seconds, pitches in semitones (MIDI), loudness from 0 to 1."""

    onset: float
    length: float
    pitches: tuple[int, ...]
    loudness: float


class _Score:
    """The notes of one track."""

    def __init__(self, composition: Composition, duration: float, rng: np.random.Generator):
        self.composition = composition
        self.rng = rng
        tempo = rng.uniform(*composition.tempo)
        self.step = 60 / tempo / 4
        self.n_steps = int(np.ceil(duration / self.step))
        self.tonic = 48 + int(rng.integers(-4, 5))
        self.progression = [CHORDS[name] for name in self._pick(composition.progressions).split()]
        # Slow music changes chords twice a bar, or a short excerpt would never leave the tonic.
        self.steps_per_chord = STEPS_PER_BAR if tempo > 100 else STEPS_PER_BAR // 2
        # An excerpt starts on any beat of a bar; the notes held from before it sound in it.
        self.first = int(rng.integers(4)) * 4

    def _pick(self, options):
        return options[self.rng.integers(len(options))]

    def _chord(self, step):
        return self.progression[step // self.steps_per_chord % len(self.progression)]

    def _onset(self, step):
        late = self.composition.swing if step % 2 else 0.0
        human = 0.004 * self.rng.standard_normal()
        return (step - self.first + late) * self.step + human

    def _rhythm(self, pattern):
        """Yield (step, number of steps held) for each note of a pattern, bar after bar."""
        last = self.first + self.n_steps
        for bar in range(0, last, STEPS_PER_BAR):
            for start in range(STEPS_PER_BAR):
                if pattern[start] == "x" and bar + start < last:
                    held = len(pattern[start + 1 :]) - len(pattern[start + 1 :].lstrip("-"))
                    yield bar + start, held + 1

    def _note(self, step, held, pitches):
        accent = 1.0 if step % 4 == 0 else 0.75
        return Note(
            self._onset(step), held * self.step, pitches, accent * self.rng.uniform(0.8, 1.0)
        )

    def chords(self) -> list[Note]:
        arpeggio = self.composition.arpeggio and self.rng.random() < 0.6
        notes = []
        for i, (step, held) in enumerate(self._rhythm(self._pick(self.composition.chords))):
            root, third, fifth = (self.tonic + pitch for pitch in self._chord(step))
            # Open voicing, as on a guitar: close thirds this low are mud.
            pitches = (root, fifth, third + 12)
            notes.append(
                # A picked string rings on under the ones that follow.
                self._note(step, 2 * held, (pitches[(0, 1, 2, 1)[i % 4]],))
                if arpeggio
                else self._note(step, held, pitches)
            )
        return notes

    def bass(self) -> list[Note]:
        pattern = self._pick(self.composition.bass)
        return [
            self._note(step, held, (self.tonic - 12 + self._chord(step)[0] % 12,))
            for step, held in self._rhythm(pattern)
        ]

    def lead(self) -> list[Note]:
        pattern = self._pick(self.composition.lead)
        register = self.tonic + int(self.rng.choice([10, 12, 15]))
        degree, notes = 0, []
        for step, held in self._rhythm(pattern):
            if self.rng.random() < 0.15:  # a breath
                continue
            degree = int(np.clip(degree + self.rng.integers(-2, 3), -2, 4))
            chord = self._chord(step)
            pitch = chord[degree % 3] % 12 + 12 * (degree // 3)
            notes.append(self._note(step, held, (register + pitch,)))
        return notes

    def hits(self, drum: str) -> list[Note]:
        pattern = self._pick(getattr(self.composition, drum))
        return [self._note(step, held, ()) for step, held in self._rhythm(pattern)]


class _Stage:
    """Notes to samples."""

    def __init__(self, n_samples: int, sample_rate: int, rng: np.random.Generator):
        self.n_samples = n_samples
        self.sample_rate = sample_rate
        self.rng = rng

    def _times(self, seconds):
        n_samples = min(self.n_samples, max(1, round(seconds * self.sample_rate)))
        return np.arange(n_samples, dtype=np.float32) / np.float32(self.sample_rate)

    def _add(self, part, onset, loudness, sound):
        start = round(onset * self.sample_rate)
        end = min(start + len(sound), self.n_samples)
        if max(start, 0) < end:
            part[max(start, 0) : end] += np.float32(loudness) * sound[max(-start, 0) : end - start]

    def play(self, notes: list[Note], timbre: Timbre, *, sung: bool = False) -> Samples:
        part = np.zeros(self.n_samples, dtype=np.float32)
        played: dict[tuple, Samples] = {}
        phases = self.rng.uniform(0, 2 * np.pi, 64)
        for note in notes:
            vowel = int(self.rng.integers(len(VOWELS))) if sung else None
            pitches = note.pitches
            if timbre.drive > 2 and len(pitches) == 3:
                # A distorted third is mud, hence the power chords of loud guitars.
                pitches = (pitches[0], pitches[1], pitches[0] + 12)
            key = (pitches, round(note.length, 3), vowel)
            if key not in played:
                played[key] = np.sum(
                    [self._tone(pitch, note.length, timbre, phases, vowel) for pitch in pitches],
                    axis=0,
                ) / np.float32(np.sqrt(len(pitches)))
            self._add(part, note.onset, note.loudness, played[key])
        if timbre.drive > 0:
            part = np.tanh(np.float32(timbre.drive) * part)
        return part

    def _tone(self, pitch, length, timbre, phases, vowel) -> Samples:
        frequency = 440.0 * 2 ** ((pitch - 69) / 12)
        time = self._times(length + 0.06)
        fade = np.minimum(1, (length + 0.06 - time) / 0.06)
        fall = np.exp(-time / np.float32(timbre.decay))
        envelope = (
            np.minimum(1, time / np.float32(timbre.attack))
            * (timbre.sustain + (1 - timbre.sustain) * fall)
            * fade
        )
        bright, dark = self._tables(frequency, timbre, phases, vowel)
        cycles = frequency * time
        if timbre.vibrato:
            # Phase is the integral of pitch: a sine of 5.5 Hz stays a sine.
            depth = frequency * (2 ** (timbre.vibrato / 1200) - 1) / (2 * np.pi * 5.5)
            cycles = cycles + np.float32(depth) * np.sin(np.float32(2 * np.pi * 5.5) * time)
        tone = self._look_up(cycles, bright, dark, fall)
        if timbre.detune:
            ratio = np.float32(2 ** (timbre.detune / 1200))
            tone = (tone + self._look_up(cycles * ratio + 0.3, bright, dark, fall)) * 0.7
        return (envelope * tone).astype(np.float32)

    def _look_up(self, cycles, bright, dark, fall):
        index = (cycles * TABLE_SIZE).astype(np.int32) & (TABLE_SIZE - 1)
        return dark[index] + fall * (bright - dark)[index]

    def _tables(self, frequency, timbre, phases, vowel):
        """One cycle of the note's beginning, and one of its end."""
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
            table = irfft(spectrum)
            tables.append(table)
        # One gain for both: the end of a note is darker, not louder.
        gain = 0.25 / (np.sqrt(np.mean(tables[0] ** 2)) + 1e-12)
        return [(gain * table).astype(np.float32) for table in tables]

    def hit(self, notes: list[Note], drum: Samples) -> Samples:
        part = np.zeros(self.n_samples, dtype=np.float32)
        for note in notes:
            self._add(part, note.onset, note.loudness, drum)
        return part

    def _noise(self, n_samples) -> Samples:
        return self.rng.standard_normal(n_samples, dtype=np.float32)

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
        # Two differences: noise of metal, all of it above a few kHz.
        metal = np.diff(self._noise(len(time) + 2), n=2) * 0.3
        return (np.exp(-time / kit.hat_decay) * metal).astype("f4")

    def master(self, track: Samples, mix: Mix) -> Samples:
        """Equalise, add the room and the noise floor, limit, and level."""
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
