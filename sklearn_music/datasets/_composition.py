"""What is played in `make_music`: the tempo, chords and rhythms of a genre, and a track's notes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

STEPS_PER_BAR = 16

# Semitones above the tonic, first in a major key, then in a minor one.
CHORDS = {
    "I": (0, 4, 7), "ii": (2, 5, 9), "iii": (4, 7, 11),
    "IV": (5, 9, 12), "V": (7, 11, 14), "vi": (9, 12, 16),
    "i": (0, 3, 7), "III": (3, 7, 10), "iv": (5, 8, 12),
    "v": (7, 10, 14), "VI": (8, 12, 15), "VII": (10, 14, 17),
}  # fmt: skip


@dataclass(frozen=True)
class Composition:
    """Of each part, the options. In a rhythm, "x" starts a note, "-" holds it, "." is a rest."""

    tempo: tuple[float, float]  # beats per minute
    progressions: tuple[str, ...]
    chords: tuple[str, ...]
    bass: tuple[str, ...]
    lead: tuple[str, ...]
    kick: tuple[str, ...]
    snare: tuple[str, ...]
    hat: tuple[str, ...]
    arpeggio: bool = False
    swing: float = 0.0  # share of a step by which every second step is late


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

GENRES = tuple(COMPOSITIONS)


class Note(NamedTuple):
    """Onset and length in seconds, pitches in semitones (MIDI), loudness from 0 to 1."""

    onset: float
    length: float
    pitches: tuple[int, ...]
    loudness: float


class Score:
    """The notes of one track, part by part."""

    def __init__(self, composition: Composition, duration: float, rng: np.random.Generator):
        self.composition = composition
        self.rng = rng
        tempo = rng.uniform(*composition.tempo)
        self.step = 60 / tempo / 4  # seconds
        n_steps = int(np.ceil(duration / self.step))
        self.tonic = 48 + int(rng.integers(-4, 5))
        self.progression = [CHORDS[name] for name in self._pick(composition.progressions).split()]
        # Slow music changes chords twice a bar, or a short excerpt would never leave the tonic.
        self.steps_per_chord = STEPS_PER_BAR if tempo > 100 else STEPS_PER_BAR // 2
        # An excerpt starts on any beat of a bar; notes that began before it sound in it.
        self.first = int(rng.integers(4)) * 4
        self.last = self.first + n_steps

    def chords(self) -> list[Note]:
        arpeggio = self.composition.arpeggio and self.rng.random() < 0.6
        notes = []
        for i, (step, held) in enumerate(self._rhythm(self.composition.chords)):
            root, third, fifth = (self.tonic + pitch for pitch in self._chord(step))
            # Open voicing, as on a guitar: close thirds this low are muddy.
            pitches = (root, fifth, third + 12)
            if arpeggio:
                # A picked string rings on under the ones that follow.
                notes.append(self._note(step, 2 * held, (pitches[(0, 1, 2, 1)[i % 4]],)))
            else:
                notes.append(self._note(step, held, pitches))
        return notes

    def bass(self) -> list[Note]:
        return [
            self._note(step, held, (self.tonic - 12 + self._chord(step)[0] % 12,))
            for step, held in self._rhythm(self.composition.bass)
        ]

    def lead(self) -> list[Note]:
        rhythm = self._rhythm(self.composition.lead)
        register = self.tonic + int(self.rng.choice([10, 12, 15]))
        degree, notes = 0, []
        for step, held in rhythm:
            if self.rng.random() < 0.15:  # a breath
                continue
            degree = int(np.clip(degree + self.rng.integers(-2, 3), -2, 4))
            pitch = self._chord(step)[degree % 3] % 12 + 12 * (degree // 3)
            notes.append(self._note(step, held, (register + pitch,)))
        return notes

    def hits(self, drum: str) -> list[Note]:
        rhythm = self._rhythm(getattr(self.composition, drum))
        return [self._note(step, held, ()) for step, held in rhythm]

    def _pick(self, options: tuple[str, ...]) -> str:
        return options[self.rng.integers(len(options))]

    def _chord(self, step: int) -> tuple[int, int, int]:
        return self.progression[step // self.steps_per_chord % len(self.progression)]

    def _rhythm(self, patterns: tuple[str, ...]) -> list[tuple[int, int]]:
        """Pick a pattern; return (step, number of steps held) of its notes in all bars."""
        pattern = self._pick(patterns)
        notes = []
        for bar in range(0, self.last, STEPS_PER_BAR):
            for start in range(STEPS_PER_BAR):
                if pattern[start] == "x" and bar + start < self.last:
                    rest = pattern[start + 1 :]
                    notes.append((bar + start, 1 + len(rest) - len(rest.lstrip("-"))))
        return notes

    def _note(self, step: int, held: int, pitches: tuple[int, ...]) -> Note:
        late = self.composition.swing if step % 2 else 0.0
        human = 0.004 * self.rng.standard_normal()
        accent = 1.0 if step % 4 == 0 else 0.75
        return Note(
            onset=(step - self.first + late) * self.step + human,
            length=held * self.step,
            pitches=pitches,
            loudness=accent * self.rng.uniform(0.8, 1.0),
        )
