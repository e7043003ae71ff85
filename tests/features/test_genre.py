import pickle
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import GenreEncoder

LABELS = ["Rock|Pop", "Hip-Hop", None, "pop", "hip hop", "Rock"]


def test_block():
    encoder = GenreEncoder().fit(LABELS)
    block = encoder.transform(LABELS)
    assert encoder.categories_.tolist() == ["hip hop", "pop", "rock"]
    assert block.dtype == np.float32
    assert_array_equal(block, [[0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    assert encoder.inverse_transform(block).tolist() == [
        "pop|rock", "hip hop", None, "pop", "hip hop", "rock"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "spelling",
    ["hip hop", "Hip-Hop", "HIP  HOP", " hip\thop\n", "hip_hop", "hip - hop", "hip‑hop", "Hip–Hop"],
)
def test_spellings_of_one_genre(spelling):
    assert_array_equal(GenreEncoder().fit(["Hip-Hop"]).transform([spelling]), [[1]])


def test_bangla_and_unicode_forms():
    encoder = GenreEncoder().fit(["রবীন্দ্র-সংগীত", "Café", "ছায়ানট"])
    assert "রবীন্দ্র সংগীত" in encoder.categories_
    for form in ("NFC", "NFD"):
        block = encoder.transform([unicodedata.normalize(form, "CAFÉ"), "ছায\u09bcানট"])
        assert_array_equal(block.sum(axis=1), [1, 1])


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, "", "  ", "-", "|", " | - "])
def test_missing(missing):
    encoder = GenreEncoder().fit(["Rock", missing, "Pop"])
    assert encoder.categories_.tolist() == ["pop", "rock"]
    assert_array_equal(encoder.transform([missing, "Pop"]), [[0, 0], [1, 0]])
    assert_array_equal(encoder.transform([missing, missing]), np.zeros((2, 2)))


@pytest.mark.parametrize("missing", [None, np.nan, ""])
def test_nothing_to_learn(missing):
    with pytest.raises(ValueError, match=r"None of the 3 tracks has a genre.*categories"):
        GenreEncoder().fit([missing] * 3)
    encoder = GenreEncoder(categories=["Rock"]).fit([missing] * 3)
    assert_array_equal(encoder.transform(["rock", missing]), [[1], [0]])


def test_all_missing_column_of_floats():
    encoder = GenreEncoder().fit(["Rock"])
    assert_array_equal(encoder.transform(pd.Series([np.nan, np.nan])), np.zeros((2, 1)))


def test_unknown_is_zeros_and_never_other():
    labels = ["Rock"] * 3 + ["Polka", "Fado"]
    encoder = GenreEncoder(min_frequency=2).fit(labels)
    assert_array_equal(encoder.transform(["Rock", "Polka", "Zouk"]), [[1, 0], [0, 1], [0, 0]])


@pytest.mark.parametrize(
    ("min_frequency", "categories", "rare"),
    [
        (None, ["fado", "pop", "rock"], []),
        (1, ["fado", "pop", "rock"], []),
        (2, ["pop", "rock", "other"], ["fado"]),
        (3, ["rock", "other"], ["fado", "pop"]),
        (9, ["other"], ["fado", "pop", "rock"]),
        # Six tracks have a genre; the missing one doesn't count.
        (0.5, ["rock", "other"], ["fado", "pop"]),
        (0.51, ["other"], ["fado", "pop", "rock"]),
    ],
)
def test_min_frequency(min_frequency, categories, rare):
    labels = ["Rock", "rock", "ROCK", "Pop", "pop", "Fado", None]
    encoder = GenreEncoder(min_frequency=min_frequency).fit(labels)
    assert encoder.categories_.tolist() == categories
    assert encoder.infrequent_categories_.tolist() == rare
    assert_array_equal(encoder.transform(labels).sum(axis=1), [1, 1, 1, 1, 1, 1, 0])


def test_frequency_counts_tracks_not_mentions():
    encoder = GenreEncoder(min_frequency=2).fit(["Rock|rock|Rock", "Pop", "Pop"])
    assert encoder.infrequent_categories_.tolist() == ["rock"]


@pytest.mark.parametrize("count", [1, 3])
def test_a_genre_called_other(count):
    labels = ["Rock", "Rock", "Fado"] + ["Other"] * count
    encoder = GenreEncoder(min_frequency=2).fit(labels)
    assert encoder.categories_.tolist() == ["rock", "other"]
    block = encoder.transform([*labels, "Other|Fado|Rock"])
    assert_array_equal(block, [[1, 0]] * 2 + [[0, 1]] * (1 + count) + [[1, 1]])
    assert len(set(encoder.get_feature_names_out())) == 2
    assert_array_equal(encoder.transform(encoder.inverse_transform(block)), block)
    plain = GenreEncoder().fit(labels)
    assert plain.categories_.tolist() == ["fado", "other", "rock"]


def test_listed_categories():
    encoder = GenreEncoder(categories=["Rock", "Hip-Hop", "Jazz"]).fit(["Pop", "Rock"])
    assert encoder.categories_.tolist() == ["rock", "hip hop", "jazz"]
    assert_array_equal(encoder.transform(["Pop", "hip hop|rock"]), [[0, 0, 0], [1, 1, 0]])


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        (["Hip-Hop", "Rock", "hip hop"], r"\['hip hop'\] more than once"),
        ([], "no categories"),
        (["Rock", ""], "one genre each"),
        (["Rock", None], "one genre each"),
        (["Rock", np.nan], "one genre each"),
        (["Rock|Pop"], "one genre each"),
        ([["Rock"], ["Pop"]], "text or a number"),
    ],
)
def test_bad_categories(categories, message):
    with pytest.raises(ValueError, match=message):
        GenreEncoder(categories=categories).fit(["Rock"])


@pytest.mark.parametrize("separator", ["|", ",", " / ", ";", "-", " ", " and ", "ß"])
def test_separator(separator):
    encoder = GenreEncoder(separator).fit([f"Rock{separator}Pop", "Pop"])
    assert encoder.categories_.tolist() == ["pop", "rock"]
    block = encoder.transform(["rock", f"pop{separator}{separator}ROCK"])
    assert_array_equal(block, [[0, 1], [1, 1]])
    assert_array_equal(encoder.transform(encoder.inverse_transform(block)), block)


def test_no_separator():
    encoder = GenreEncoder(separator=None).fit(["Rock|Pop", "Pop"])
    assert encoder.categories_.tolist() == ["pop", "rock|pop"]


def test_empty_separator():
    with pytest.raises(ValueError, match="separator=''"):
        GenreEncoder("").fit(["Rock"])


def test_several_columns_are_joined():
    table = pd.DataFrame({"genre": ["Rock|Pop", None, ""], "style": ["rock", "Indie", np.nan]})
    encoder = GenreEncoder().fit(table)
    assert_array_equal(encoder.transform(table), [[0, 1, 1], [1, 0, 0], [0, 0, 0]])
    assert encoder.n_features_in_ == 2
    assert encoder.get_feature_names_out()[0] == "genreencoder_indie"


@pytest.mark.parametrize(
    "as_input",
    [
        list,
        tuple,
        lambda x: np.array(x, dtype=object),
        lambda x: np.array(x, dtype=object).reshape(-1, 1),
        lambda x: [[value] for value in x],
        pd.Series,
        lambda x: pd.Series(x, index=[9] * len(x), dtype="str"),
        lambda x: pd.Series(x, dtype="string"),
        lambda x: pd.Series(x, dtype="category"),
        lambda x: pd.Series(x, name="genre"),
        lambda x: pd.DataFrame({"genre": x}, index=list("zyxwvu")),
    ],
)
def test_forms_of_input(as_input):
    X = as_input(LABELS)
    expected = GenreEncoder().fit_transform(LABELS)
    before = pickle.dumps(X)
    encoder = GenreEncoder()
    assert_array_equal(encoder.fit_transform(X), expected)
    assert_array_equal(encoder.transform(X), expected)
    assert pickle.dumps(X) == before
    assert encoder.n_features_in_ == 1


def test_string_array():
    assert_array_equal(GenreEncoder().fit_transform(np.array(["a", "b"])), np.eye(2))


def test_numbers_are_labels():
    encoder = GenreEncoder().fit([[3], [3.0], ["3"], [-3], [0.5], [np.float32(0.5)], [True]])
    assert encoder.categories_.tolist() == ["-3", "0.5", "1", "3"]
    assert GenreEncoder().fit(np.array([[1.0], [2.5]])).categories_.tolist() == ["1", "2.5"]


@pytest.mark.parametrize("X", [np.array([1.0, 2.0]), [1.0, 2.0], [1, None]])
def test_one_dimension_of_numbers(X):
    with pytest.raises(ValueError, match=r"Expected 2D array, got 1D array[\s\S]*Reshape"):
        GenreEncoder().fit(X)


def test_series_of_numbers_is_a_column():
    assert GenreEncoder().fit(pd.Series([2, 1, 2])).categories_.tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (["Rock", b"Pop"], r"b'Pop' \(bytes\) in row 1"),
        (["Rock", ["Pop", "Jazz"]], "list.*row 1.*separator"),
        ([["Rock"], [{"genre": "Pop"}]], "dict.*row 1"),
        ("Rock", "single str"),
        (b"Rock", "single bytes"),
        ([], "0 sample"),
        (pd.DataFrame({"genre": []}), "0 sample"),
        (np.full((2, 2, 2), "Rock"), "dim 3"),
        (np.empty((3, 0), dtype=object), "0 feature"),
    ],
)
def test_bad_input(X, message):
    for method in (GenreEncoder().fit, GenreEncoder().fit(["Rock"]).transform):
        with pytest.raises(ValueError, match=message):
            method(X)


def test_sparse_input():
    with pytest.raises(TypeError, match="parse"):
        GenreEncoder().fit(sparse.csr_matrix(np.eye(3)))


def test_not_fitted():
    for method in ("transform", "inverse_transform", "get_feature_names_out"):
        with pytest.raises(NotFittedError):
            getattr(GenreEncoder(), method)(["Rock"])


def test_other_number_of_columns():
    with pytest.raises(ValueError, match="2 features"):
        GenreEncoder().fit(["Rock"]).transform([["Rock", "Pop"]])


def test_inverse_of_scores():
    encoder = GenreEncoder().fit(["Rock", "Pop", "Jazz"])
    scores = [[0.9, 0.2, 0.6], [0.5, 0.1, 0.4], [-3, 7, 0]]
    labels = encoder.inverse_transform(scores)
    assert labels.dtype == object
    assert labels.tolist() == ["jazz|rock", None, "pop"]
    with pytest.raises(ValueError, match=r"shape \(1, 2\), expected 3 columns"):
        encoder.inverse_transform([[0, 1]])
    with pytest.raises(ValueError, match="NaN"):
        encoder.inverse_transform([[0, 1, np.nan]])


def test_feature_names():
    table = pd.DataFrame({"genre": ["Rock", "Hip-Hop"]})
    encoder = GenreEncoder().fit(table)
    assert encoder.get_feature_names_out().tolist() == ["genre_hip hop", "genre_rock"]
    assert encoder.get_feature_names_out(["genre"]).tolist() == ["genre_hip hop", "genre_rock"]
    with pytest.raises(ValueError, match="not equal"):
        encoder.get_feature_names_out(["style"])
    unnamed = GenreEncoder().fit(["Rock"])
    assert unnamed.get_feature_names_out().tolist() == ["genreencoder_rock"]
    assert unnamed.get_feature_names_out(["style"]).tolist() == ["style_rock"]
    with pytest.raises(ValueError, match="length equal"):
        unnamed.get_feature_names_out(["style", "genre"])


@pytest.mark.parametrize("columns", ["genre", ["genre"]])
def test_in_column_transformer(columns):
    table = pd.DataFrame({"genre": ["Rock", None, "Hip-Hop"], "tempo": [90.0, 120.0, 100.0]})
    table.index = [7, 7, 3]
    features = ColumnTransformer([("genre", GenreEncoder(), columns)], remainder="passthrough")
    output = features.set_output(transform="pandas").fit_transform(table)
    assert output.columns.tolist() == ["genre__genre_hip hop", "genre__genre_rock",
                                       "remainder__tempo"]  # fmt: skip
    assert output.index.tolist() == [7, 7, 3]
    chosen = make_column_selector(pattern="^genre__")(output)
    assert chosen == ["genre__genre_hip hop", "genre__genre_rock"]


def test_in_pipeline_clone_and_pickle():
    encoder = GenreEncoder(",", categories=["Rock", "Pop"], min_frequency=2)
    pipe = make_pipeline(clone(encoder), StandardScaler()).fit([["Rock"], ["Pop"], ["Rock"]])
    assert pipe[0].get_params() == encoder.get_params()
    assert_array_equal(
        pickle.loads(pickle.dumps(pipe)).transform([["Pop"]]), pipe.transform([["Pop"]])
    )


def test_skops_round_trip():
    skops_io = pytest.importorskip("skops.io")
    encoder = GenreEncoder(min_frequency=2).fit(LABELS)
    dump = skops_io.dumps(encoder)
    trusted = skops_io.get_untrusted_types(data=dump)
    assert trusted == ["sklearn_music.features._genre.GenreEncoder"]
    assert_array_equal(skops_io.loads(dump, trusted=trusted).transform(LABELS),
                       encoder.transform(LABELS))  # fmt: skip


cells = st.one_of(st.none(), st.just(np.nan), st.text(max_size=12), st.sampled_from(LABELS))


@given(
    st.lists(cells, min_size=1, max_size=12),
    st.sampled_from(["|", ",", ";", "/", " "]),
    st.sampled_from([None, 2, 0.3]),
    st.randoms(use_true_random=False),
)
def test_any_labels(labels, separator, min_frequency, random):
    encoder = GenreEncoder(separator, min_frequency=min_frequency)
    try:
        block = encoder.fit_transform(labels)
    except ValueError as error:
        assert "has a genre" in str(error)  # noqa: PT017
        return
    assert block.shape == (len(labels), len(encoder.categories_))
    assert set(np.unique(block)) <= {0, 1}
    assert block.any(axis=0).all()
    assert len(set(encoder.get_feature_names_out())) == block.shape[1]

    back = encoder.inverse_transform(block)
    assert_array_equal(encoder.transform(back), block)

    order = random.sample(range(len(labels)), len(labels))
    permuted = clone(encoder).fit([labels[i] for i in order])
    assert_array_equal(permuted.categories_, encoder.categories_)
    assert_array_equal(permuted.transform([labels[i] for i in order]), block[order])
