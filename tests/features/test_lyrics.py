import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_music import LyricVectorizer
from sklearn_music.features.stop_words import BENGALI, ENGLISH, GERMAN

ENGLISH_LYRICS = [
    "The river runs beneath the moon, runs to the silver sea",
    "Dancing on the rooftop, the city lights are calling me",
    "Moon on the water, silver on the sea, carry me home",
    "Lights in the city, dancing feet, we don't go home",
]
BANGLA_LYRICS = [
    "চাঁদের আলো নদীর জলে, রাতের হাওয়া গান গায়।",
    "ভৌতিক গল্প শোনায় বুড়ো, হাওয়া থামে॥ রাতের শেষে",
    "নদীর ধারে একলা ঘর, চাঁদের আলো জানালায়।",
]
LYRICS = [*ENGLISH_LYRICS, None, *BANGLA_LYRICS, "[Instrumental]"]
PRESENT = np.array([text not in (None, "[Instrumental]") for text in LYRICS])

VECTORIZERS = {
    "tfidf": LyricVectorizer(),
    "characters": LyricVectorizer(char_ngram_range=(2, 3), min_df=2),
    "lsa": LyricVectorizer(n_components=3, add_indicator=True, random_state=0),
    "encoder": LyricVectorizer(encoder=lambda texts: letter_counts(texts), add_indicator=True),
    "reduced encoder": LyricVectorizer(2, encoder=lambda texts: letter_counts(texts)),
}


def letter_counts(texts):
    return [[len(text), text.count("a"), text.count("র"), text.count(" ")] for text in texts]


def dense(block):
    return block.toarray() if sparse.issparse(block) else np.asarray(block)


@pytest.fixture(params=VECTORIZERS)
def vectorizer(request):
    return clone(VECTORIZERS[request.param])


# Stop words


@pytest.mark.parametrize(
    ("name", "stop_words"), [("english", ENGLISH), ("german", GERMAN), ("bengali", BENGALI)]
)
def test_named_stop_words(name, stop_words):
    assert len(stop_words) >= 100
    lyrics = [" ".join(sorted(stop_words)) + " নদী river", "নদী river"]
    vectorizer = LyricVectorizer(stop_words=name).fit(lyrics)
    assert vectorizer.get_feature_names_out().tolist() == ["river", "নদী"]


def test_own_stop_words_in_any_spelling():
    stop_words = ["RIVER", "Don’t", "সময\u09bc", "let it", "123"]
    for kind in (list, tuple, set, frozenset):
        vectorizer = LyricVectorizer(stop_words=kind(stop_words))
        vectorizer.fit(["river don't সময় let it flow"])
        assert vectorizer.get_feature_names_out().tolist() == ["flow"]


# TF-IDF


def test_tfidf():
    block = LyricVectorizer().fit_transform(LYRICS)
    assert sparse.issparse(block)
    assert block.format == "csr"
    assert block.dtype == np.float32
    assert_allclose(sparse.linalg.norm(block, axis=1), PRESENT, rtol=1e-6)


def test_missing_lyrics_do_not_shift_the_idf():
    with_missing = LyricVectorizer().fit(LYRICS)
    without = LyricVectorizer().fit([text for text, here in zip(LYRICS, PRESENT, strict=True)
                                     if here])  # fmt: skip
    assert_array_equal(with_missing.vectorizer_.idf_, without.vectorizer_.idf_)
    assert (with_missing.n_missing_, without.n_missing_) == (2, 0)


def test_names_of_terms():
    names = LyricVectorizer(ngram_range=(1, 2)).fit(["নদীর জল", "Sea!"]).get_feature_names_out()
    assert names.tolist() == ["sea", "জল", "নদীর", "নদীর জল"]


def test_character_ngrams_join_the_words():
    vectorizer = LyricVectorizer(char_ngram_range=(2, 2)).fit(["sea, sand", None])
    names = vectorizer.get_feature_names_out()
    assert names[:2].tolist() == ["word__sand", "word__sea"]
    assert {"char__ s", "char__ea", "char__d "} <= set(names)
    assert "char__, " not in names
    assert vectorizer.transform(["seat"]).nnz == 3


@pytest.mark.parametrize("name", ["tfidf", "characters", "lsa"])
def test_unknown_words_give_a_zero_row(name):
    output = clone(VECTORIZERS[name]).fit(LYRICS).transform(["xqxq", "qxqx"])
    assert_array_equal(dense(output), np.zeros(output.shape))


# Missing lyrics


@pytest.mark.parametrize(
    "missing",
    [None, np.nan, float("nan"), pd.NA, pd.NaT, "", " \n", "[Instrumental]", " [instrumental] ",
     "INSTRUMENTAL", "#ERROR", "#ERROR!", "nan", "N/A"],
)  # fmt: skip
def test_missing(missing):
    vectorizer = LyricVectorizer(add_indicator=True).fit([*ENGLISH_LYRICS, missing])
    assert vectorizer.n_missing_ == 1
    output = dense(vectorizer.transform([missing, ENGLISH_LYRICS[0]]))
    assert_array_equal(output[0], np.eye(output.shape[1])[-1])
    assert output[1, -1] == 0


@pytest.mark.parametrize(
    "text", ["[ Instrumental ]", "Instrumental.", "...", "♪♪♪", "\u200b", "123", "#error"]
)
def test_text_that_says_nothing_is_missing(text):
    vectorizer = LyricVectorizer(add_indicator=True).fit(["the river sings", text])
    assert vectorizer.n_missing_ == 1
    assert dense(vectorizer.transform([text]))[0].tolist() == [0, 0, 0, 1]
    with pytest.raises(ValueError, match="All 2 lyrics are missing"):
        vectorizer.fit([text, text])


def test_own_missing_values():
    vectorizer = LyricVectorizer(missing_values=["(No Words)"])
    assert vectorizer.fit(["(no words)", "[Instrumental]", None]).n_missing_ == 2


def test_all_missing_in_fit(vectorizer):
    with pytest.raises(ValueError, match="All 3 lyrics are missing"):
        vectorizer.fit([None, "", "[Instrumental]"])


def test_all_missing_in_transform(vectorizer):
    output = vectorizer.fit(LYRICS).transform([None, np.nan])
    assert sparse.issparse(output) == sparse.issparse(vectorizer.transform(LYRICS))
    assert output.dtype == np.float32
    output = dense(output)
    expected = np.zeros((2, len(vectorizer.get_feature_names_out())))
    if vectorizer.add_indicator:
        expected[:, -1] = 1
    assert_array_equal(output, expected)


def test_all_missing_column_of_floats():
    vectorizer = LyricVectorizer(2).fit(LYRICS)
    assert_array_equal(vectorizer.transform(np.full((3, 1), np.nan)), np.zeros((3, 2)))


# LSA


def test_lsa():
    vectorizer = LyricVectorizer(n_components=4)
    block = vectorizer.fit_transform(LYRICS)
    assert isinstance(block, np.ndarray)
    assert block.dtype == np.float32
    assert vectorizer.n_components_ == 4
    assert_allclose(np.linalg.norm(block, axis=1), PRESENT, rtol=1e-5)
    assert_array_equal(block[~PRESENT], 0)
    assert vectorizer.get_feature_names_out().tolist() == [f"lyricvectorizer{i}" for i in range(4)]


def test_languages_fall_apart():
    block = LyricVectorizer(2).fit_transform(ENGLISH_LYRICS + BANGLA_LYRICS)
    labels = KMeans(2, n_init=5, random_state=0).fit_predict(block)
    assert len(set(labels[:4])) == len(set(labels[4:])) == 1
    assert labels[0] != labels[-1]


@pytest.mark.parametrize(
    ("lyrics", "n_components", "used"),
    [
        (LYRICS, 16, 7),
        (["sea sand", "sea sun", None, "sun sand"], 5, 3),
        (["sea sand sun"], 2, 1),
        (["sea"], 3, 1),
        (["sea", "sea sea", None], 2, 1),
        (["sea sand"] * 4, 3, 1),
    ],
)
def test_too_many_components(lyrics, n_components, used):
    vectorizer = LyricVectorizer(n_components, random_state=0)
    with pytest.warns(
        UserWarning, match=f"n_components={n_components}.*allow {used} only"
    ) as caught:
        vectorizer.fit(lyrics)
    block = vectorizer.transform(lyrics)
    assert caught[0].filename == __file__
    assert block.shape == (len(lyrics), used)
    assert vectorizer.n_components_ == used == len(vectorizer.get_feature_names_out())
    present = [text is not None and text != "[Instrumental]" for text in lyrics]
    assert_allclose(np.linalg.norm(block, axis=1), present, rtol=1e-5)


@pytest.mark.parametrize("lyrics", [["sea"], ["sea", "sea"], ["sea sand"], ["sea sand"] * 9])
def test_one_component_of_next_to_nothing(lyrics):
    block = LyricVectorizer(1).fit_transform([*lyrics, None])
    assert_allclose(np.abs(block[:, 0]), [1] * len(lyrics) + [0], rtol=1e-6)


def test_rounding_is_not_blown_up():
    vectorizer = LyricVectorizer(1).fit(["sea sand"] * 5 + ["moon"])
    assert_array_equal(vectorizer.transform(["moon"]), [[0]])


def test_seed_changes_nothing_but_rounding():
    one, other = (LyricVectorizer(3, random_state=seed).fit_transform(LYRICS) for seed in (None, 1))
    assert_allclose(one, other, atol=1e-4)


DISTINCT = [
    "the river sings at night",
    "row row a boat at night",
    "moon over the water over",
    "fire in the hills",
    "stone and sand",
]
NEW = ["river boat moon", "fire water sings row", "the night hills sand"]


@pytest.mark.parametrize(
    ("lyrics", "parameters", "rank"),
    [
        (DISTINCT * 4, {}, 5),
        (DISTINCT * 4, {"char_ngram_range": (2, 3)}, 5),
        (DISTINCT, {}, 5),
        ([*DISTINCT, None, "Stone and SAND!"], {}, 5),
        (DISTINCT[:1], {}, 1),
        (DISTINCT[:1] * 9, {"char_ngram_range": (1, 2)}, 1),
        # Terms that always come together, once and twice, are one direction.
        (["sea sea sun", "sea sea sun moon", "moon"], {}, 2),
        (
            DISTINCT * 4,
            {"encoder": lambda texts: letter_counts(texts)},
            3,
        ),  # of 4 letters, one is absent
    ],
)
@pytest.mark.parametrize("n_components", [4, 5, 6, 8, 16, 20])
def test_there_are_no_components_beyond_the_rank(lyrics, parameters, rank, n_components):
    """Their directions would be arbitrary, and new lyrics would lie in them."""

    def cosines(lyrics, seed):
        vectorizer = LyricVectorizer(n_components, random_state=seed, **parameters)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            vectorizer.fit(lyrics)
        assert len(caught) == (n_components > rank)
        for warning in caught:
            assert f"allow {rank} only" in str(warning.message)
        assert vectorizer.n_components_ == min(n_components, rank)
        block = vectorizer.transform(NEW)
        assert block.shape == (3, vectorizer.n_components_)
        return block @ block.T

    expected = cosines(lyrics, 0)
    assert_allclose(cosines(lyrics, 1), expected, atol=1e-4)
    assert_allclose(cosines(lyrics[::-1], 0), expected, atol=1e-4)
    if n_components >= rank:
        tfidf = LyricVectorizer(**parameters).fit(lyrics)
        features = dense(tfidf.transform([*filter(None, lyrics)]))
        basis = np.linalg.svd(features.astype(float))[2][:rank]
        new = dense(tfidf.transform(NEW)) @ basis.T
        norms = np.linalg.norm(new, axis=1, keepdims=True)
        new /= np.where(norms > 1e-4, norms, np.inf)
        assert_allclose(expected, new @ new.T, atol=1e-4)


def test_small_components_are_not_taken_for_none(rng):
    """Lyrics that differ in a single word of hundreds."""
    words = np.array([f"{a}{b}" for a in "bcdfghklmnprst" for b in ("a", "e", "i", "o", "u")])
    text = " ".join(rng.choice(words, 500))
    lyrics = [f"{text} {word}" for word in ("sea", "sun", "moon", "sand")]
    assert LyricVectorizer(4).fit(lyrics).n_components_ == 4


def test_no_word_left():
    for lyrics, parameters in [
        (["the and of"], {"stop_words": "english"}),
        (["sea", "sand"], {"min_df": 2}),
        (["sea"], {"min_df": 2}),
    ]:
        with pytest.raises(ValueError, match=f"No word is left of {len(lyrics)} lyrics"):
            LyricVectorizer(3, **parameters).fit(lyrics)


# Encoder


def test_encoder_gets_present_lyrics_as_written():
    seen = []

    def encoder(texts):
        seen.append(texts)
        return letter_counts(texts)

    vectorizer = LyricVectorizer(encoder=encoder)
    block = vectorizer.fit_transform(["Cafe\u0301!", None, "The sea"])
    assert seen == [["Café!", "The sea"]]
    assert block.dtype == np.float32
    assert_array_equal(block, [[5, 1, 0, 0], [0, 0, 0, 0], [7, 1, 0, 1]])
    assert vectorizer.n_components_ == 4
    vectorizer.transform([None, ""])
    assert len(seen) == 1


def test_encoder_is_reduced():
    vectorizer = LyricVectorizer(2, encoder=letter_counts)
    block = vectorizer.fit_transform(LYRICS)
    assert_allclose(np.linalg.norm(block, axis=1), PRESENT, rtol=1e-5)
    assert vectorizer.svd_.n_features_in_ == 4


@pytest.mark.parametrize("width", [1, 2, 5])
def test_encoder_of_zeros(width):
    vectorizer = LyricVectorizer(1, encoder=lambda texts: np.zeros((len(texts), width)))
    assert_array_equal(vectorizer.fit_transform(LYRICS), np.zeros((len(LYRICS), 1)))


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (lambda texts: np.ones(len(texts)), r"shape \(7,\) for 7 lyrics"),
        (lambda texts: np.ones((3, 2)), r"shape \(3, 2\) for 7 lyrics"),
        (lambda texts: np.ones((len(texts), 0)), "shape"),
        (lambda texts: np.ones((len(texts), 2, 2)), "shape"),
        (lambda texts: [[1.0]] * 6 + [[1.0, 2.0]], "no array of numbers"),
        (lambda texts: [["a"]] * 7, "no array of numbers"),
        (lambda texts: None, "shape|no array of numbers"),
        (HashingVectorizer().transform, "csr_.* no array of numbers.*dense"),
        (lambda texts: np.full((len(texts), 2), np.nan), "NaN or infinity.*The river"),
        (lambda texts: np.full((len(texts), 2), 1e300), "NaN or infinity"),
    ],
)
def test_bad_encoder_output(encoder, message):
    with pytest.raises(ValueError, match=message):
        LyricVectorizer(encoder=encoder).fit(LYRICS)


@pytest.mark.parametrize("n_components", [None, 2])
def test_encoder_that_changes_its_width(n_components):
    def encoder(texts):
        return np.random.default_rng(0).random((len(texts), len(texts)))

    vectorizer = LyricVectorizer(n_components, encoder=encoder).fit(LYRICS)
    with pytest.raises(ValueError, match="3 columns, but 7 in fit"):
        vectorizer.transform(ENGLISH_LYRICS[:3])


def test_model_in_place_of_its_method():
    class Model:
        def encode(self, texts):
            return letter_counts(texts)

    class CallableModel(Model):
        def __call__(self, tensors):
            raise AssertionError

    for model in (Model(), CallableModel()):
        with pytest.raises(ValueError, match=r"encoder=model\.encode"):
            LyricVectorizer(encoder=model).fit(LYRICS)
    assert LyricVectorizer(encoder=Model().encode).fit_transform(LYRICS).shape == (9, 4)


# Input


@pytest.mark.parametrize(
    "as_input",
    [
        list,
        tuple,
        lambda x: np.array(x, dtype=object),
        lambda x: np.array(x, dtype=object).reshape(-1, 1),
        lambda x: [[value] for value in x],
        pd.Series,
        lambda x: pd.Series(x, dtype="str", index=[5] * len(x)),
        lambda x: pd.Series(x, dtype="string"),
        lambda x: pd.Series(x, dtype="category"),
        lambda x: pd.DataFrame({"lyrics": x}, index=range(100, 100 + len(x))),
    ],
)
def test_forms_of_input(as_input, vectorizer):
    expected = dense(clone(vectorizer).fit_transform(LYRICS))
    X = as_input(LYRICS)
    before = pickle.dumps(X)
    assert_allclose(dense(vectorizer.fit_transform(X)), expected, atol=1e-6)
    assert_allclose(dense(vectorizer.transform(X)), expected, atol=1e-5)
    assert pickle.dumps(X) == before


def test_string_array():
    assert LyricVectorizer().fit_transform(np.array(ENGLISH_LYRICS)).shape[0] == 4


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("the sea", "single str"),
        (b"the sea", "single bytes"),
        (None, "single NoneType"),
        (sparse.csr_matrix(np.eye(3)), "single csr_matrix"),
        ([], r"0 sample\(s\)"),
        (pd.Series([], dtype=object), r"0 sample\(s\)"),
        (pd.DataFrame({"lyrics": []}), r"0 sample\(s\)"),
        (np.ones((3, 2)), r"shape \(3, 2\), expected one column"),
        (np.ones((3, 1)), r"Got 1\.0 \(float\) in row 0"),
        (pd.DataFrame({"lyrics": ["a"], "genre": ["b"]}), r"shape \(1, 2\)"),
        (["the sea", None, 3], r"Got 3 \(int\) in row 2 of X, expected text"),
        (["the sea", b"the sea"], r"\(bytes\) in row 1"),
        (["the sea", ["the", "sea"]], r"\(list\) in row 1"),
        (["the sea", True], r"\(bool\) in row 1"),
    ],
)
def test_bad_input(X, message):
    for method in (LyricVectorizer().fit, LyricVectorizer().fit(LYRICS).transform):
        with pytest.raises(ValueError, match=message):
            method(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"n_components": 2.5}, "n_components"),
        ({"ngram_range": (2, 1)}, r"ngram_range=\(2, 1\), expected a tuple"),
        ({"ngram_range": (0, 1)}, "ngram_range"),
        ({"ngram_range": (1,)}, "ngram_range"),
        ({"char_ngram_range": (1, 2.5)}, "char_ngram_range"),
        ({"stop_words": "french"}, "stop_words"),
        ({"stop_words": ["the", 3]}, r"3 \(int\) in stop_words"),
        ({"missing_values": "none"}, "missing_values"),
        ({"missing_values": ["none", np.nan]}, r"\(float\) in missing_values"),
        ({"encoder": "bert"}, "encoder"),
        ({"min_df": -1}, "min_df"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        LyricVectorizer(**parameters).fit(LYRICS)


# scikit-learn's conventions: of its common checks, most stop short of estimators of text.


def test_parameters_are_left_alone(vectorizer):
    before = vectorizer.get_params()
    assert vectorizer.fit(LYRICS) is vectorizer
    assert vectorizer.get_params() == before
    fitted = [name for name in vars(vectorizer) if name not in before]
    assert all(name.endswith("_") and not name.startswith("_") for name in fitted)
    assert clone(vectorizer).get_params().keys() == before.keys()


def test_fit_is_idempotent(vectorizer):
    first = dense(vectorizer.fit(LYRICS).transform(LYRICS))
    again = dense(vectorizer.fit(LYRICS).transform(LYRICS))
    both = dense(vectorizer.fit_transform(LYRICS))
    assert_allclose(again, first, atol=1e-6)
    assert_allclose(both, first, atol=1e-5)


def test_fit_forgets(vectorizer):
    vectorizer.fit(LYRICS)
    vectorizer.set_params(n_components=None, encoder=None).fit(["the sea"] * 2)
    assert vectorizer.svd_ is None
    assert vectorizer.n_components_ == len(vectorizer.vectorizer_.get_feature_names_out())


def test_rows_are_transformed_alone(vectorizer):
    output = dense(vectorizer.fit(LYRICS).transform(LYRICS))
    alone = np.vstack([dense(vectorizer.transform([text])) for text in LYRICS])
    assert_allclose(alone, output, atol=1e-5)


def test_order_of_rows(vectorizer):
    order = np.random.default_rng(0).permutation(len(LYRICS))
    output = dense(clone(vectorizer).fit_transform(LYRICS))
    permuted = dense(vectorizer.fit_transform([LYRICS[i] for i in order]))
    assert_allclose(permuted, output[order], atol=1e-4)


def test_not_fitted(vectorizer):
    for method in ("transform", "get_feature_names_out"):
        with pytest.raises(NotFittedError):
            getattr(vectorizer, method)(LYRICS)


def test_feature_names(vectorizer):
    output = vectorizer.fit(LYRICS).transform(LYRICS)
    names = vectorizer.get_feature_names_out()
    assert names.dtype == object
    assert len(set(names)) == len(names) == output.shape[1]
    assert_array_equal(vectorizer.get_feature_names_out(["lyrics"]), names)
    assert (names[-1] == "lyricvectorizer_missing") == vectorizer.add_indicator
    for wrong in (["lyrics", "genre"], "lyrics", []):
        with pytest.raises(ValueError, match="input_features"):
            vectorizer.get_feature_names_out(wrong)


def test_pandas_output(vectorizer):
    table = pd.DataFrame({"lyrics": LYRICS}, index=range(50, 50 + len(LYRICS)))
    expected = vectorizer.fit(table).transform(table)
    vectorizer.set_output(transform="pandas")
    vectorizer.fit(table)
    if sparse.issparse(expected):
        with pytest.raises(ValueError, match="sparse"):
            vectorizer.transform(table)
        return
    for output in (vectorizer.transform(table), vectorizer.fit_transform(table)):
        assert output.columns.tolist() == vectorizer.get_feature_names_out().tolist()
        assert output.index.tolist() == table.index.tolist()
        assert_allclose(output, expected, atol=1e-5)
        assert set(output.dtypes) == {np.dtype("float32")}


def test_global_pandas_output(vectorizer):
    expected = dense(clone(vectorizer).fit_transform(LYRICS))
    # Global output settings mustn't reach the estimators inside.
    with config_context(transform_output="pandas"):
        vectorizer.set_output(transform="default").fit(LYRICS)
        assert_allclose(dense(vectorizer.transform(LYRICS)), expected, atol=1e-5)
        assert_allclose(dense(vectorizer.fit_transform(LYRICS)), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["tfidf", "characters", "lsa"])
def test_pickle(name):
    vectorizer = clone(VECTORIZERS[name]).fit(LYRICS)
    copy = pickle.loads(pickle.dumps(vectorizer))
    assert_array_equal(dense(copy.transform(LYRICS)), dense(vectorizer.transform(LYRICS)))


@pytest.mark.parametrize("name", ["tfidf", "characters", "lsa"])
def test_skops_round_trip(name):
    skops_io = pytest.importorskip("skops.io")
    vectorizer = clone(VECTORIZERS[name]).fit(LYRICS)
    dump = skops_io.dumps(vectorizer)
    trusted = skops_io.get_untrusted_types(data=dump)
    assert trusted == ["sklearn_music.features._lyrics.LyricVectorizer"]
    copy = skops_io.loads(dump, trusted=trusted)
    assert_array_equal(dense(copy.transform(LYRICS)), dense(vectorizer.transform(LYRICS)))


@pytest.mark.parametrize("columns", ["lyrics", ["lyrics"]])
def test_in_column_transformer(columns, vectorizer):
    table = pd.DataFrame({"lyrics": LYRICS, "tempo": np.arange(9.0)}, index=[1] * 9)
    features = ColumnTransformer(
        [("lyrics", vectorizer, columns)], remainder="passthrough", sparse_threshold=0
    )
    block = features.fit_transform(table)
    names = features.get_feature_names_out()
    assert block.shape == (9, len(names))
    assert names[-1] == "remainder__tempo"
    assert all(name.startswith("lyrics__") for name in names[:-1])


def test_in_grid_search():
    table = pd.DataFrame({"lyrics": LYRICS * 3})
    pipe = Pipeline(
        [
            ("embed", ColumnTransformer([("text", LyricVectorizer(), "lyrics")])),
            ("cluster", KMeans(n_clusters=2, n_init=3, random_state=0)),
        ]
    )
    grid = {
        "embed__text__n_components": [2, 3],
        "embed__text__encoder": [None, letter_counts],
        "embed__text__stop_words": [None, "bengali", ["the"]],
    }
    search = GridSearchCV(pipe, grid, cv=3, error_score="raise").fit(table)
    assert len(search.predict(table)) == 27


def test_in_pipeline():
    pipe = make_pipeline(LyricVectorizer(2, random_state=0), KMeans(2, n_init=3, random_state=0))
    assert set(pipe.fit_predict(LYRICS)) == {0, 1}


@given(
    st.lists(st.one_of(st.none(), st.text(), st.sampled_from(LYRICS)), min_size=1, max_size=8),
    st.sampled_from([None, 1, 3]),
    st.sampled_from([None, (1, 2)]),
    st.randoms(use_true_random=False),
)
def test_any_lyrics(lyrics, n_components, char_ngram_range, random):
    vectorizer = LyricVectorizer(n_components, char_ngram_range=char_ngram_range)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Got n_components")
        try:
            output = vectorizer.fit_transform(lyrics)
        except ValueError as error:
            assert "lyrics are missing" in str(error) or "No word is left" in str(error)  # noqa: PT017
            return
    again = dense(vectorizer.transform(lyrics))
    assert np.isfinite(again).all()
    assert again.shape == (len(lyrics), len(vectorizer.get_feature_names_out()))
    assert_allclose(dense(output), again, atol=1e-4)
    order = random.sample(range(len(lyrics)), len(lyrics))
    permuted = dense(vectorizer.transform([lyrics[i] for i in order]))
    assert_allclose(permuted, again[order], atol=1e-5)


def test_fill_value_stands_in_the_rows_of_missing_lyrics():
    lyrics = ["a song of rain", None, "a song of wind", "[Instrumental]"]
    features = LyricVectorizer(2, fill_value=np.nan, add_indicator=True).fit_transform(lyrics)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(features[:, :2]).all(axis=1), [0, 1, 0, 1])
    np.testing.assert_array_equal(features[:, 2], [0, 1, 0, 1])
    with pytest.raises(ValueError, match="n_components"):
        LyricVectorizer(fill_value=np.nan).fit(lyrics)
