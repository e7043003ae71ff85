"""The words of `make_music`: line templates and nouns, written for this library."""

import unicodedata

import numpy as np

# {a} is most often a noun of the genre, {b} is one that all genres share.
TEMPLATES = {
    "en": (
        "I keep the {a} beside me until the {b} is gone",
        "There was {a} in the morning and {a} in the {b}",
        "Tell me why the {a} never calls my name",
        "Carry me over the {a}, carry me home",
        "{a} and {b}, that is all we know",
        "You left your {a} under the {b}",
        "Every {a} has a story, every {a} has an end",
        "I saw the {a} again last night",
        "Nothing but {a}, nothing but {b}",
        "Sing for the {a}, sing it slow",
        "We were looking for {a} and we found the {b}",
        "Give me the {a}, I will give you the {b}",
    ),
    "bn": (
        "{a} আর {b} নিয়ে আমার গান",
        "আজ শুধু {a} চাই",
        "{a} আমাকে ডাকে বারবার",
        "কোথায় গেল সেই {a}",
        "মনে পড়ে {a}, মনে পড়ে {b}",
        "চোখ বন্ধ করলেই দেখি {a}",
        "{a} ছাড়া আর কিছু নেই",
        "এই {a} তোমার, এই {a} আমার",
        "দূরে কোথাও {a}, কাছে শুধু {b}",
        "যত দূরে যাই, সঙ্গে থাকে {a}",
        "বলো বন্ধু, {a} কোথায়",
        "কত দিন দেখিনি {a}",
    ),
}

COMMON_NOUNS = {
    "en": "night day rain sky road song house time heart wind star light".split(),
    "bn": "রাত দিন বৃষ্টি আকাশ পথ গান ঘর সময় মন বাতাস তারা আলো".split(),
}

GENRE_NOUNS = {
    "en": {
        "classical": "dawn moon prayer silence lily violin garden angel chapel candle".split(),
        "electronic": "neon laser machine signal robot voltage orbit strobe screen code".split(),
        "folk": "river boat harvest clay ferry meadow mother village sparrow orchard".split(),
        "hip hop": "city block corner money rhyme hustle mic wall rooftop crown".split(),
        "pop": "love kiss smile summer letter dream rainbow sugar perfume balloon".split(),
        "rock": "fire thunder storm highway rebel chain roar steel scream dust".split(),
    },
    "bn": {
        "classical": "ভোর চাঁদ প্রার্থনা নীরবতা পদ্ম বেহালা বাগান শিশির মন্দির প্রদীপ".split(),
        "electronic": "নিয়ন লেজার যন্ত্র সংকেত রোবট বিদ্যুৎ মহাকাশ তরঙ্গ পর্দা স্পন্দন".split(),
        "folk": "নদী নৌকা ধানখেত মাটি মাঝি মেঠোপথ একতারা গ্রাম পাখি বটগাছ".split(),
        "hip hop": "শহর গলি রাস্তা টাকা ছন্দ লড়াই মাইক দেয়াল ছাদ মুকুট".split(),
        "pop": "ভালোবাসা আদর হাসি বসন্ত চিঠি স্বপ্ন রংধনু মিষ্টি সুবাস প্রজাপতি".split(),
        "rock": "আগুন বজ্র ঝড় মহাসড়ক বিদ্রোহ শিকল গর্জন ইস্পাত চিৎকার ধুলো".split(),
    },
}

# They are the same in both languages, as on the radio.
HOOKS = {
    "classical": "Ave, ave, gloria",
    "electronic": "Drop the bass, bass, drop the bass",
    "folk": "Hey ho, derry, hey ho",
    "hip hop": "Yo, check it, yo, check it",
    "pop": "Ooh baby, la la, baby",
    "rock": "Yeah, whoa, yeah, whoa",
}

GENRE_SHARE = 0.9  # of the {a} nouns and of the hooks; the others come from any genre
HOOK_SHARE = 0.9  # of the lyrics have a hook


def write_lyrics(genre: str, language: str, rng: np.random.Generator) -> str:
    """Write a short lyric, "en" or "bn", in Unicode's form NFC: two verses, each with a refrain."""
    nouns = GENRE_NOUNS[language]
    genres = list(nouns)

    def mostly_own_genre() -> str:
        return genre if rng.random() < GENRE_SHARE else genres[rng.integers(len(genres))]

    def line() -> str:
        words = nouns[mostly_own_genre()]
        # A genre has its few favourite words (Zipf's law).
        weights = 1 / np.arange(1, len(words) + 1)
        text = str(rng.choice(TEMPLATES[language])).format(
            a=rng.choice(words, p=weights / weights.sum()), b=rng.choice(COMMON_NOUNS[language])
        )
        return text[0].upper() + text[1:] + ("।" if language == "bn" else "")

    refrain = [line(), line()]
    if rng.random() < HOOK_SHARE:
        refrain.append(HOOKS[mostly_own_genre()])
    verses = [[line() for _ in range(rng.integers(2, 5))] for _ in range(2)]
    lines = [*verses[0], *refrain, *verses[1], *refrain]
    return unicodedata.normalize("NFC", "\n".join(lines))
