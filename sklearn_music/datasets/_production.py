"""How `make_music` sounds: the instruments, drums and mix of a genre, which vary by track."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Timbre:
    """One instrument: the spectrum and the envelope of a note."""

    slope: float  # the n-th harmonic has amplitude n ** -slope
    even: float = 1.0  # level of the even harmonics
    attack: float = 0.005  # seconds
    decay: float = 0.4  # seconds, time constant
    sustain: float = 0.0  # the level that the decay falls to
    darkening: float = 1.0  # how much steeper `slope` is at the end of a note
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
class Production:
    """The sound of a genre, or of one track."""

    chords: Timbre
    bass: Timbre
    lead: Timbre
    kit: Kit
    mix: Mix


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

VOICE = Timbre(1.0, attack=0.04, decay=1.0, sustain=0.7, darkening=0.2, vibrato=20)

# How much tracks of a genre differ. These and the levels above were tuned until KMeans on pooled
# MFCCs found the genres about half-way.
BORROWING = 0.03  # chance that an instrument or the drum kit comes from any genre
DEVIATION = 0.12  # standard deviation of the logarithm of every number
DEVIATION_DECIBELS = 2.0
IN_DECIBELS = {"low", "high", "noise"}


def vary_production(genre: str, rng: np.random.Generator) -> Production:
    """Return the sound of one track of a genre: other instruments and levels each time."""
    production = PRODUCTIONS[genre]
    guest = list(PRODUCTIONS.values())[rng.integers(len(PRODUCTIONS))]
    parts = {}
    for name, part in vars(production).items():
        # A borrowed mix would be a borrowed genre; an instrument is only a colour.
        if name != "mix" and rng.random() < BORROWING:
            part = getattr(guest, name)
        parts[name] = replace(part, **_vary(vars(part), rng))
    return Production(**parts)


def _vary(numbers: dict[str, float], rng: np.random.Generator) -> dict[str, float]:
    return {
        name: number + DEVIATION_DECIBELS * rng.standard_normal()
        if name in IN_DECIBELS
        else number * np.exp(DEVIATION * rng.standard_normal())
        for name, number in numbers.items()
    }
