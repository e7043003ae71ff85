"""TransformersEncoder against transformers itself, on tiny models with random weights."""

import copy
import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_music.features.encoders import TransformersEncoder
from sklearn_music.features.encoders import _transformers as module

pytestmark = pytest.mark.skipif(
    find_spec("transformers") is None, reason="transformers is not installed"
)
CPU = torch.device("cpu")
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
CONVOLUTIONS = {
    "conv_dim": (8, 8),
    "conv_kernel": (10, 3),
    "conv_stride": (5, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
STAGES = {
    "spec_size": 64,
    "num_mel_bins": 16,
    "window_size": 4,
    "patch_size": 4,
    "patch_stride": [4, 4],
    "patch_embeds_hidden_size": 8,
    "hidden_size": 16,
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
}


def make(kind, seed=0):
    """Return a tiny model and its feature extractor."""
    import transformers as t

    torch.manual_seed(seed)
    if kind in ("wav2vec2", "hubert", "wavlm"):
        config = t.AutoConfig.for_model(kind, **SMALL, **CONVOLUTIONS)
        extractor = t.Wav2Vec2FeatureExtractor(sampling_rate=8000, do_normalize=True)
    elif kind == "ast":
        config = t.ASTConfig(
            **SMALL, patch_size=8, frequency_stride=8, time_stride=8, max_length=64, num_mel_bins=16
        )
        extractor = t.ASTFeatureExtractor(max_length=64, num_mel_bins=16)
    elif kind == "whisper":
        config = t.WhisperConfig(
            d_model=16, encoder_layers=3, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, num_mel_bins=16,
            max_source_positions=50, max_target_positions=8, vocab_size=20, pad_token_id=0,
            bos_token_id=0, eos_token_id=0, decoder_start_token_id=0,
        )  # fmt: skip
        extractor = t.WhisperFeatureExtractor(feature_size=16, chunk_length=1)
    else:
        fusion = kind == "fused clap"
        text = {**SMALL, "vocab_size": 20, "max_position_embeddings": 8, "projection_dim": 12}
        audio = {**STAGES, "enable_fusion": fusion, "projection_dim": 12}
        config = t.ClapConfig(text_config=text, audio_config=audio, projection_dim=12)
        extractor = t.ClapFeatureExtractor(
            feature_size=16, sampling_rate=8000, hop_length=80, fft_window_size=256, max_length_s=1,
            frequency_max=4000, truncation="fusion" if fusion else "rand_trunc",
        )  # fmt: skip
    model = t.AutoModel.from_config(config).eval()
    # As new, the weights are so small that the layers do next to nothing.
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.5)
    return model, extractor


KINDS = ["wav2vec2", "hubert", "wavlm", "ast", "whisper", "clap", "fused clap"]
WINDOW = {"ast": 0.6, "whisper": 0.5}  # shorter than what their extractors fill up
LAYERS = {"clap": [0, 1, 2, -2], "fused clap": [1]}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a function from a kind of model to the folder of one."""
    folders = {}

    def save(kind, seed=0, again=False):
        if (kind, seed) not in folders or again:
            folder = tmp_path_factory.mktemp("model")
            for part in make(kind, seed):
                part.save_pretrained(folder)
            if again:
                return folder
            folders[kind, seed] = folder
        return folders[kind, seed]

    return save


def encoder_of(saved, kind, **parameters):
    return TransformersEncoder(saved(kind), **{"window": WINDOW.get(kind, 0.8), **parameters})


def windows_for(encoder, n=3):
    time = np.arange(encoder.window_length) / encoder.sample_rate
    pitches = 110 * 2 ** np.arange(n)
    noise = np.random.default_rng(0).normal(0, 0.01, (n, len(time)))
    return (0.5 * np.sin(2 * np.pi * pitches[:, None] * time) + noise).astype(np.float32)


def encode(encoder, windows):
    return encoder.encode(np.stack([encoder.preprocess(window) for window in windows]), CPU)


def by_hand(kind, window, layer):
    """Return the numbers at each time, (n_times, n_features), by transformers' own calls."""
    model, extractor = make(kind)
    inputs = extractor(window, sampling_rate=extractor.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        if "clap" in kind and layer == -1:
            features = model.get_audio_features(**inputs)
            return getattr(features, "pooler_output", features)  # a tensor until transformers 5
        model = {"whisper": lambda: model.encoder}.get(kind, lambda: model)()
        outputs = (model.audio_model if "clap" in kind else model)(
            **inputs, output_hidden_states=True
        )
    states = outputs.last_hidden_state if layer == -1 else outputs.hidden_states[layer]
    if "clap" in kind:
        return states[0].reshape(len(states[0]), -1).T
    if kind == "ast":
        return outputs.pooler_output if layer == -1 else states[0, 2:]
    return states[0]


@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_what_transformers_gives(saved, kind):
    for layer in [-1, *LAYERS.get(kind, [0, 1, 3, -2])]:
        encoder = encoder_of(saved, kind, layer=layer)
        windows = windows_for(encoder)
        vectors = encode(encoder, windows)
        assert vectors.dtype == np.float32
        assert vectors.shape == (3, encoder.n_features)
        expected = np.stack([by_hand(kind, window, layer).mean(0).numpy() for window in windows])
        assert np.ptp(expected, axis=0).max() > 2e-4
        np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=5e-6)
        # Windows are independent of each other.
        np.testing.assert_allclose(encode(encoder, windows[:1]), vectors[:1], rtol=1e-4, atol=5e-6)


@pytest.mark.parametrize("kind", ["wavlm", "clap"])
def test_statistics_over_time(saved, kind):
    encoder = encoder_of(saved, kind, layer=1, pooling="stats")
    windows = windows_for(encoder, n=1)
    steps = by_hand(kind, windows[0], 1).numpy()
    expected = np.concatenate([steps.mean(axis=0), steps.std(axis=0)])
    assert encoder.n_features == len(expected)
    np.testing.assert_allclose(encode(encoder, windows)[0], expected, rtol=1e-4, atol=5e-6)


def test_it_says_what_it_takes_and_returns(saved):
    encoder = TransformersEncoder(saved("wav2vec2"), window=1.5)
    encoder.check_settings()
    assert (encoder.sample_rate, encoder.window_length, encoder.n_features) == (8000, 12000, 16)
    assert encoder.get_feature_names()[-1] == "transformersencoder15"
    assert TransformersEncoder(saved("clap"), window=1).n_features == 12


def test_length_and_rate_are_known_without_the_weights(saved, tmp_path):
    for file in saved("hubert").glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    encoder = TransformersEncoder(tmp_path, window=1)
    assert (encoder.sample_rate, encoder.window_length, encoder.n_features) == (8000, 8000, 16)
    with pytest.raises(OSError, match=r"can't load(?s:.*)OSError: .*no file named"):
        encoder.check_settings()


def test_identity_is_that_of_the_weights(saved):
    encoder = encoder_of(saved, "hubert")
    same = TransformersEncoder(saved("hubert", again=True), window=0.8)
    assert encoder.model != same.model
    assert encoder.identity() == same.identity()
    others = [
        encoder_of(saved, "hubert", layer=1),
        encoder_of(saved, "hubert", window=0.7),
        encoder_of(saved, "hubert", pooling="stats"),
        TransformersEncoder(saved("hubert", seed=1), window=0.8),
    ]
    assert len({encoder.identity(), *(other.identity() for other in others)}) == 5
    assert encoder_of(saved, "hubert", layer=-3).identity() == others[0].identity()


def test_settings_are_part_of_the_identity(saved):
    folders = [saved("hubert", again=True) for _ in range(2)]
    for folder, file, setting in zip(
        folders,
        ["config.json", "preprocessor_config.json"],
        [{"hidden_act": "relu"}, {"do_normalize": False}],
        strict=True,
    ):
        settings = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(settings | setting))
    identities = {TransformersEncoder(folder).identity() for folder in folders}
    assert len({*identities, TransformersEncoder(saved("hubert")).identity()}) == 3


def test_a_folder_that_is_written_again_is_loaded_again(saved):
    folder = saved("wavlm", again=True)
    encoder = TransformersEncoder(folder, window=0.8)
    windows = windows_for(encoder)
    before, identity = encode(encoder, windows), encoder.identity()
    make("wavlm", seed=1)[0].save_pretrained(folder)
    assert not np.allclose(encode(encoder, windows), before)
    assert encoder.identity() != identity


def test_a_vector_for_training_only_may_be_missing(saved):
    from safetensors.torch import load_file, save_file

    identities = set()
    for seed in range(2):
        folder = saved("wav2vec2", again=True)
        weights = load_file(folder / "model.safetensors")
        del weights["masked_spec_embed"]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        torch.manual_seed(seed)
        state = torch.random.get_rng_state()
        identities.add(TransformersEncoder(folder).identity())
        assert torch.equal(torch.random.get_rng_state(), state)
    assert len(identities) == 1
    del weights["encoder.layer_norm.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ValueError, match=r"1 of the weights are missing, 'encoder.layer_norm.bias'"
    ):
        TransformersEncoder(folder).check_settings()


def test_half_precision_is_made_single(saved, tmp_path):
    model, extractor = make("wav2vec2")
    for part in (model.half(), extractor):
        part.save_pretrained(tmp_path)
    encoder = TransformersEncoder(tmp_path, window=0.8)
    windows = windows_for(encoder)
    exact = encode(encoder_of(saved, "wav2vec2"), windows)
    np.testing.assert_allclose(encode(encoder, windows), exact, atol=0.05)


def test_pickle_and_clone(saved):
    encoder = encoder_of(saved, "wav2vec2", layer=2)
    windows = windows_for(encoder)
    vectors = encode(encoder, windows)
    pickled = pickle.dumps(encoder)
    assert len(pickled) < 2000
    for other in (pickle.loads(pickled), clone(encoder), copy.deepcopy(encoder)):
        assert other.get_params() == encoder.get_params()
        assert other.identity() == encoder.identity()
        np.testing.assert_array_equal(encode(other, windows), vectors)


@pytest.mark.parametrize("kind", ["wav2vec2", "ast", "whisper", "clap"])
def test_windows_are_prepared_in_threads(saved, kind):
    encoder = encoder_of(saved, kind)
    windows = windows_for(encoder, n=6)
    expected = [encoder.preprocess(window) for window in windows]
    module._describe.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(list(pool.map(encoder.preprocess, windows)), expected)


def test_nothing_is_printed_nor_set(saved, capfd):
    import transformers
    from huggingface_hub.utils import are_progress_bars_disabled

    folder = saved("clap", again=True)
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["ClapAudioModelWithProjection"]
    (folder / "config.json").write_text(json.dumps(config))
    transformers.logging.enable_progress_bar()
    before = transformers.logging.get_verbosity(), False
    state = np.random.get_state()[1].copy()
    capfd.readouterr()
    encoder = TransformersEncoder(folder, window=1)
    encode(encoder, windows_for(encoder))
    assert "".join(capfd.readouterr()) == ""
    assert (transformers.logging.get_verbosity(), are_progress_bars_disabled()) == before
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_without_transformers(monkeypatch):
    module._describe.cache_clear()
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-music\[transformers\]"'):
        TransformersEncoder("any").check_settings()


def test_a_model_that_is_not_there(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    expected = "Expected the name of an audio model on https://huggingface.co/models"
    for name in ("no-such/model", tmp_path / "none", tmp_path):
        with pytest.raises((OSError, ValueError), match=expected) as caught:
            TransformersEncoder(name).check_settings()
        assert f"Got model={str(name)!r}, which transformers can't load." in str(caught.value)
        assert len(str(caught.value)) < 1000


def test_a_model_of_text_is_no_audio_model(tmp_path):
    import transformers

    sizes = {**SMALL, "vocab_size": 20}
    transformers.BertModel(transformers.BertConfig(**sizes)).save_pretrained(tmp_path)
    with pytest.raises((OSError, ValueError), match=r"Expected an audio model .* is 'bert'"):
        TransformersEncoder(tmp_path).check_settings()


@pytest.mark.parametrize("kind", ["encodec", "qwen2_audio"])
def test_models_without_hidden_states(tmp_path, kind):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    settings = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 8000}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=f"no single stack of layers. .* This one is '{kind}'"):
        TransformersEncoder(tmp_path).check_settings()


def test_a_model_of_images_is_no_audio_model(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    settings = {"image_processor_type": "ViTImageProcessor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises((OSError, ValueError), match=r"Expected an audio model .* is 'vit'"):
        TransformersEncoder(tmp_path).check_settings()


def test_code_of_a_model_runs_only_on_request(saved, tmp_path, monkeypatch):
    import transformers.dynamic_module_utils

    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = saved("hubert", again=True)
    (folder / "ours.py").write_text(
        "from transformers import HubertConfig, HubertModel\n"
        "class OurConfig(HubertConfig):\n"
        "    model_type = 'ours'\n"
        "class OurModel(HubertModel):\n"
        "    config_class = OurConfig\n"
        "    def forward(self, *args, **kwargs):\n"
        "        output = super().forward(*args, **kwargs)\n"
        "        output.last_hidden_state = -output.last_hidden_state\n"
        "        return output\n"
    )
    config = json.loads((folder / "config.json").read_text())
    classes = {"AutoConfig": "ours.OurConfig", "AutoModel": "ours.OurModel"}
    config |= {"model_type": "ours", "auto_map": classes}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        TransformersEncoder(folder, window=0.8).check_settings()
    encoder = TransformersEncoder(folder, window=0.8, trust_remote_code=True)
    windows = windows_for(encoder)
    expected = -encode(encoder_of(saved, "hubert"), windows)
    np.testing.assert_allclose(encode(encoder, windows), expected, rtol=1e-4, atol=5e-6)


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("hubert", {"layer": 4}, "Got layer=4, .* has 3 layers: expected -4 to 3"),
        ("hubert", {"layer": -5}, "Got layer=-5"),
        ("clap", {"layer": 3}, "has 2 layers: expected -3 to 2"),
        ("clap", {"window": 1.1}, "Got window=1.1, .* takes windows of 1 seconds at most"),
        ("ast", {"window": 1}, "takes windows of 0.64 seconds at most"),
        ("whisper", {"window": 2}, "takes windows of 1 seconds at most"),
        ("clap", {"pooling": "stats"}, 'Got pooling="stats", .* use pooling="mean"'),
        ("ast", {"pooling": "stats", "layer": -1}, 'Got pooling="stats"'),
        ("hubert", {"window": 0.01}, "'window' parameter"),
        ("hubert", {"pooling": "max"}, "'pooling' parameter"),
    ],
)
def test_wrong_parameters(saved, kind, parameters, message):
    with pytest.raises(ValueError, match=message):
        encoder_of(saved, kind, **parameters).check_settings()
