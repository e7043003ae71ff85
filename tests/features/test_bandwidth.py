import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from sklearn.metrics import adjusted_rand_score

from sklearn_music import SpectrogramExtractor
from sklearn_music.datasets import make_music
from sklearn_music.exceptions import AudioError
from sklearn_music.features import measure_bandwidth
from sklearn_music.pipelines import make_track_vae_pipeline

RATES = (8000, 16000, 22050, 44100)


def noise(rate, seconds=3, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * rate))


@pytest.fixture
def write(tmp_path):
    def write(name, waveform, rate, **kwargs):
        soundfile.write(tmp_path / name, waveform, rate, **kwargs)
        return tmp_path / name

    return write


@pytest.fixture
def count_measured(monkeypatch):
    """The number of times that a file was decoded to measure its bandwidth."""
    from sklearn_music.features import _bandwidth

    decoded = []
    read_audio = _bandwidth.read_audio

    def counted(path, **kwargs):
        decoded.append(path)
        return read_audio(path, **kwargs)

    monkeypatch.setattr(_bandwidth, "read_audio", counted)
    return decoded


@pytest.fixture(scope="module")
def music():
    """Six tracks, one a genre, the third classical, 3 seconds at 44,100 Hz."""
    return list(make_music(6, duration=3.0, sample_rate=44100, random_state=0).data["audio"])


@pytest.mark.parametrize("rate", RATES)
def test_a_file_that_reaches_half_its_rate(write, music, rate):
    for track in [noise(rate), *(soxr.resample(track, 44100, rate) for track in music)]:
        assert measure_bandwidth(write("a.wav", track, rate)) == rate / 2


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("low", [8000, 11025, 16000, 22050])
def test_audio_that_was_resampled_from_a_lower_rate(write, music, low, subtype):
    for track in [noise(44100), *music]:
        up = soxr.resample(soxr.resample(track, 44100, low), low, 44100)
        bandwidth = measure_bandwidth(write("a.wav", up, 44100, subtype=subtype))
        assert 0.92 * low / 2 < bandwidth <= low / 2


@pytest.mark.parametrize(
    ("kwargs", "lowest", "highest"),
    [
        ({"compression_level": 0.99, "bitrate_mode": "CONSTANT"}, 8000, 9500),  # 32 kbit/s
        ({"compression_level": 0.9, "bitrate_mode": "CONSTANT"}, 15000, 17500),
        ({"compression_level": 0, "bitrate_mode": "CONSTANT"}, 19500, 22050),
        ({"compression_level": 0.99, "bitrate_mode": "VARIABLE"}, 4000, 10000),
    ],
)
def test_mp3_files(write, music, kwargs, lowest, highest):
    # Without the classical track, whose treble is 80 dB below its peak: too faint to be measured.
    for track in [*music[:2], *music[3:], noise(44100)]:
        bandwidth = measure_bandwidth(write("a.mp3", track, 44100, **kwargs))
        assert lowest <= bandwidth <= highest


def tones(frequencies, rate, seconds=3):
    time = np.arange(seconds * rate) / rate
    return sum(0.2 * np.sin(2 * np.pi * frequency * time) for frequency in frequencies)


def low_pass(order, frequency, rate):
    return signal.sosfilt(signal.butter(order, frequency, fs=rate, output="sos"), noise(rate))


NO_CUT_OFF = {
    "silence": lambda rate: np.zeros(3 * rate),
    "low tone": lambda rate: tones([440], rate),
    "high tone": lambda rate: tones([0.3 * rate], rate),
    "chord": lambda rate: tones([220, 277, 330, 440], rate),
    "harmonics": lambda rate: tones(110 * np.arange(1, 20), rate) / 4,
    "glissando": lambda rate: 0.5 * signal.chirp(np.arange(5 * rate) / rate, 50, 5, 3000),
    "click": lambda rate: np.eye(1, 3 * rate, 1000)[0],
    "short": lambda rate: noise(rate, seconds=0.9),
    "brown": lambda rate: signal.lfilter([0.1], [1, -0.999], noise(rate)),
    "low-pass 2": lambda rate: low_pass(2, 1000, rate),
    "low-pass 4": lambda rate: low_pass(4, 2000, rate),
}


@pytest.mark.parametrize("kind", NO_CUT_OFF)
@pytest.mark.parametrize("rate", RATES)
def test_what_is_no_cut_off(write, kind, rate):
    waveform = NO_CUT_OFF[kind](rate)
    for subtype in ("PCM_16", "FLOAT"):
        assert measure_bandwidth(write("a.wav", waveform, rate, subtype=subtype)) == rate / 2


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    cut=st.floats(2500, 8500),
    slope=st.floats(-12, 3),
    scale=st.floats(1e-4, 1),
)
def test_a_cut_off_is_found_where_it_is(seed, cut, slope, scale):
    """Whatever the loudness, and whatever the slope of the spectrum below it, in dB per octave."""
    n = 3 * 22050
    frequencies = np.fft.rfftfreq(n, 1 / 22050)
    gain = np.maximum(frequencies, 50) ** (slope / 6.02)
    spectrum = np.fft.rfft(noise(22050, seed=seed)) * gain
    full = np.fft.irfft(spectrum, n)
    low = np.fft.irfft(np.where(frequencies > cut, 0, spectrum), n)
    extractor = SpectrogramExtractor(n_mels=4, fmax="common")
    assert extractor.fit([scale * full / np.abs(full).max()]).fmax_ == 11025
    extractor.fit([scale * low / np.abs(low).max()])
    assert 0.92 * cut - 350 <= extractor.fmax_ <= 0.92 * cut + 100


def test_an_intro_without_treble_is_no_cut_off(write):
    intro = soxr.resample(noise(8000, seconds=11), 8000, 22050)
    path = write("a.wav", np.concatenate([intro, noise(22050, seconds=4)]), 22050)
    assert measure_bandwidth(path) == 11025
    assert measure_bandwidth(path, duration=8) < 4000
    assert measure_bandwidth(path, offset=11) == 11025


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(AudioError, match="does not exist"):
        measure_bandwidth(tmp_path / "a.wav")


def test_common_fmax(write, tmp_path, count_measured):
    paths = [write(f"{rate}.wav", noise(rate), rate) for rate in RATES]
    extractor = SpectrogramExtractor(n_mels=8, fmax="common", memory=tmp_path / "cache", n_jobs=2)
    message = (
        r"2 of 4 tracks hold nothing above 8 kHz \(row 0, 8000.wav: 4 kHz, row 1, 16000.wav: 8 "
        r"kHz\)\. So all tracks are compared up to 3.5 kHz .* the others up to 11 kHz\.$"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        image = extractor.fit_transform(paths)
    assert len(caught) == 1
    assert extractor.fmax_ == 3500
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the sample rates
        expected = SpectrogramExtractor(n_mels=8, fmax=3500).fit_transform(paths)
    np.testing.assert_array_equal(image, expected)
    n_measured = len(count_measured)
    with pytest.warns(UserWarning, match="2 of 4"):
        extractor.fit(paths)
    extractor.transform(paths)  # nothing is below fmax_
    assert len(count_measured) == n_measured == 4
    np.testing.assert_array_equal(extractor.fit(paths[2:]).transform(paths[2:]).shape, (2, 8 * 130))
    assert extractor.fmax_ == 11025
    with pytest.warns(UserWarning, match=r"1 of 1 tracks holds nothing above 4 kHz .*fit again"):
        extractor.transform(paths[:1])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("fmax", [None, "common", 5000])
def test_files_of_one_kind_give_no_warning(write, rate, fmax):
    """Although all hold nothing above 4,000 Hz, say: there are no others that have more."""
    paths = [write(f"{seed}.wav", noise(rate, seed=seed), rate) for seed in range(3)]
    extractor = SpectrogramExtractor(n_mels=8, fmax=fmax)
    assert np.isfinite(extractor.fit_transform(paths)).all()
    expected = {8000: 3500, 16000: 7250}.get(rate, 11025)
    assert extractor.fmax_ == (expected if fmax == "common" else fmax or 11025)


@pytest.mark.parametrize("feature", ["mel", "mfcc", "chroma"])
def test_common_fmax_leaves_out_what_only_some_tracks_have(write, music, feature):
    """So that two versions of a track, one of a low rate, are nearly the same."""
    track = music[0]
    low = soxr.resample(track, 44100, 8000)
    paths = [write("a.wav", track, 44100), write("b.wav", low, 8000)]
    extractor = SpectrogramExtractor(feature, n_mels=32, n_mfcc=13)
    with pytest.warns(UserWarning, match="1 of 2 tracks"):
        all_bands = extractor.fit_transform(paths)
    with pytest.warns(UserWarning, match="1 of 2 tracks"):
        common = extractor.set_params(fmax="common").fit_transform(paths)
    difference = [np.abs(images[0] - images[1]).mean() for images in (all_bands, common)]
    assert difference[1] < 0.2 * difference[0]


def test_measured_bandwidths_of_waveforms_and_mp3_files(write, music):
    low = soxr.resample(soxr.resample(music[0], 44100, 8000), 8000, 22050)
    waveforms = [low, *(soxr.resample(track, 44100, 22050) for track in music)]
    extractor = SpectrogramExtractor(n_mels=8, fmax="common")
    with pytest.warns(UserWarning, match=r"1 of 7 tracks holds nothing above 3\.\d+ kHz \(row 0:"):
        extractor.fit(waveforms)
    assert extractor.fmax_ in (3250, 3500)
    mp3 = {"compression_level": 0.99, "bitrate_mode": "CONSTANT"}
    paths = [write("a.mp3", music[0], 44100, **mp3), write("b.wav", music[0], 44100)]
    with pytest.warns(UserWarning, match=r"row 0, a\.mp3: (8|9)"):
        assert 7000 <= extractor.fit(paths).fmax_ <= 8500


def test_a_number_of_files_of_low_rates_gives_a_warning(write):
    paths = [write(f"{i}.wav", noise(8000), 8000) for i in range(7)]
    paths += [write(f"{i}.wav", noise(22050), 22050) for i in range(7, 9)]
    with pytest.warns(
        UserWarning, match=r"7 of 9 tracks .* and 2 more\)\. .*Use fmax='common', or fmax=3500,"
    ):
        SpectrogramExtractor(n_mels=8, duration=1).fit(paths)
    SpectrogramExtractor(n_mels=8, duration=1, fmax=4000).fit(paths)


def test_one_damaged_file_does_not_take_the_treble_from_all(write):
    paths = [write(f"{i}.wav", noise(22050), 22050) for i in range(3)]
    paths.append(write("bad.wav", noise(4000), 4000))
    for fmax in ("common", None):
        extractor = SpectrogramExtractor(n_mels=8, fmax=fmax)
        with pytest.warns(UserWarning, match=r"1 of 4 .*bad.wav: 2 kHz\)\. .*Leave them out\.$"):
            extractor.fit(paths)
        assert extractor.fmax_ == 11025
    # Alone they are compared all the same.
    assert SpectrogramExtractor(n_mels=8, fmax="common").fit(paths[3:]).fmax_ == 1750


@pytest.mark.parametrize("duration", [None, 1.0])
def test_tracks_that_cannot_be_read_do_not_count(write, tmp_path, duration):
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    paths = [bad, write("a.wav", noise(16000), 16000), tmp_path / "missing.wav"]
    extractor = SpectrogramExtractor(n_mels=8, fmax="common", duration=duration)
    with pytest.raises(AudioError, match="Row 2"):
        extractor.fit(paths)
    with pytest.raises(AudioError, match=r"Row 0: .*bad\.wav"):
        extractor.fit(paths[:2])
    extractor.set_params(on_error="nan")
    assert extractor.fit(paths).fmax_ == 7250
    with pytest.warns(UserWarning, match="2 of 3 tracks could not be used"):
        rows = extractor.transform(paths)
    assert np.isnan(rows).all(axis=1).tolist() == [True, False, True]


def test_fmin_above_the_common_fmax(write):
    path = write("a.wav", noise(8000), 8000)
    with pytest.raises(ValueError, match="which is 3500 Hz for these tracks"):
        SpectrogramExtractor(fmin=3600, fmax="common").fit([path])
    with pytest.raises(ValueError, match="The 'fmax' parameter"):
        SpectrogramExtractor(fmax="lowest").fit([path])


def test_the_learnt_fmax_is_in_the_key_of_the_cache(write, tmp_path, count_decoded):
    paths = [write(f"{rate}.wav", noise(rate), rate) for rate in (22050, 8000, 7900)]
    extractor = SpectrogramExtractor(n_mels=8, fmax="common", memory=tmp_path / "cache", duration=2)
    extractor.fit_transform(paths[:1])
    with pytest.warns(UserWarning, match="1 of 2"):
        extractor.fit_transform(paths[:2])
    assert count_decoded == ["22050.wav", "22050.wav", "8000.wav"]
    # A nearly equal bandwidth gives the same images.
    with pytest.warns(UserWarning, match="2 of 3"):
        extractor.fit_transform(paths)
    assert count_decoded[3:] == ["7900.wav"]
    assert joblib.hash(extractor._identity()) != joblib.hash(extractor.fit(paths[:1])._identity())


def test_clusters_follow_the_music_and_not_the_rate(tmp_path):
    """Twelve tracks, each at four rates: without the cure, the clusters are the rates."""
    music = make_music(12, duration=3.0, sample_rate=44100, random_state=0)
    paths, tracks, rates = [], [], []
    for i, waveform in enumerate(music.data["audio"]):
        for rate in RATES:
            paths.append(tmp_path / f"{i}-{rate}.wav")
            soundfile.write(paths[-1], soxr.resample(waveform, 44100, rate), rate)
            tracks.append(i)
            rates.append(rate)
    pipe = make_track_vae_pipeline(6, lyrics_weight=0, duration=3.0, random_state=0)
    pipe.set_params(embed__max_epochs=15)
    with pytest.warns(UserWarning, match="24 of 48 tracks hold nothing above 8 kHz"):
        labels = pipe.fit_predict(pd.DataFrame({"audio": paths}))
    assert adjusted_rand_score(rates, labels) < 0.1
    tracks = np.array(tracks)
    pairs = np.triu(tracks[:, None] == tracks, k=1)
    together = labels[:, None] == labels
    assert together[pairs].mean() > 0.8
    assert together[np.triu(tracks[:, None] != tracks, k=1)].mean() < 0.4
