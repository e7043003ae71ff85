import joblib
import numpy as np
import pandas as pd
import pytest
from joblib._parallel_backends import SequentialBackend
from scipy.sparse import csr_array
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_music import VAE, BetaCVAE, GenreEncoder, LyricVectorizer, SpectrogramExtractor
from sklearn_music.datasets import make_music
from sklearn_music.metrics import compare_embeddings, format_comparison
from sklearn_music.metrics._clustering import CLUSTERING_SCORES, ClusteringScore

BASELINES = ["chance", "raw features", "PCA"]


def test_comparison(blobs):
    X, y = blobs
    targets = pd.DataFrame(
        {"group": y, "parity": ["odd", "even", None] * 30}, index=range(90, 0, -1)
    )
    embeddings = {
        "scaled": StandardScaler(),
        "as it is": "passthrough",
        "VAE": make_pipeline(StandardScaler(), VAE(2, max_epochs=20)),
    }
    scores = compare_embeddings(embeddings, X, targets, n_seeds=3)
    assert scores["embedding"].unique().tolist() == [*BASELINES, *embeddings]
    rows = scores.set_index(["embedding", "target"])
    assert rows.loc[("scaled", "group"), "ari"] == 1
    assert abs(rows.loc[("chance", "group"), "ari"]) < 0.1
    assert rows.loc[("VAE", "group"), "n_clusters"] == 3
    # Tracks without a label are not scored.
    assert rows.loc[("VAE", "parity"), ["n_clusters", "n_tracks"]].tolist() == [2, 60]
    pd.testing.assert_frame_equal(scores, compare_embeddings(embeddings, X, targets, n_seeds=3))
    in_parallel = compare_embeddings({"scaled": StandardScaler()}, X, targets, n_seeds=3, n_jobs=2)
    pd.testing.assert_frame_equal(in_parallel, scores.iloc[:8])

    lines = format_comparison(scores).splitlines()
    assert lines[2].startswith("| group | chance | 3 | 0.")
    assert len([line for line in lines if line.startswith("|")]) == 2 + len(scores)
    assert "Silhouettes are measured in one space: X, scaled, 10 columns." in lines
    assert "over 3 seeds on these tracks" in lines[-1]


def test_the_interval_is_that_of_student(blobs):
    X, y = blobs
    scores = compare_embeddings({}, X, y, n_seeds=4, random_state=1)
    assert scores["target"].tolist() == ["target"] * 3
    scores = scores.iloc[:1]
    seeds = np.random.RandomState(1).randint(2**31 - 1, size=4)
    single = [
        adjusted_rand_score(y, np.random.RandomState(seed).randint(3, size=90)) for seed in seeds
    ]
    assert scores["ari"].item() == pytest.approx(np.mean(single))
    # 3.182 is the 97.5 % quantile of Student's t with 3 degrees of freedom.
    expected = 3.182 * np.std(single, ddof=1) / 2
    assert scores["ari_ci"].item() == pytest.approx(expected, rel=1e-3)


def test_the_comparison_does_not_touch_the_estimators(blobs):
    X, y = blobs
    vae = VAE(2, max_epochs=1)
    compare_embeddings({"VAE": vae}, X, y, n_seeds=1)
    assert vae.random_state is None
    assert not hasattr(vae, "net_")


def test_progress_of_the_comparison(blobs, capsys):
    X, y = blobs
    compare_embeddings({}, X, y, n_seeds=2, verbose=1)
    assert "6/6" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("estimators", "targets", "message"),
    [
        ({"chance": PCA(2)}, None, "is taken"),
        ({"PCA": PCA(2)}, None, "is taken: chance, raw features, PCA"),
        ({"typo": "pasthrough"}, None, 'expected a transformer or "passthrough"'),
        ({"nothing": None}, None, 'expected a transformer or "passthrough"'),
        ([PCA(2)], None, "'estimators' parameter"),
        ({}, np.zeros((90, 2)), "columns of a DataFrame"),
        ({}, [0, 1], "inconsistent numbers of samples"),
        ({}, [np.nan] * 90, "All labels of the target"),
        ({}, {}, "expected at least one"),
        ({"pipe": make_pipeline(PCA(2), KMeans(3))}, None, r"pass pipe\[:-1\]"),
    ],
)
def test_a_comparison_of_what_cannot_be_compared(blobs, estimators, targets, message):
    X, y = blobs
    with pytest.raises(ValueError, match=message):
        compare_embeddings(estimators, X, y if targets is None else targets, n_seeds=1)


@pytest.fixture
def table(blobs, rng):
    """Ten numbers x0 ... x9, and labels of three genres in words, over an odd index."""
    X, y = blobs
    table = pd.DataFrame(X.astype(np.float64), index=rng.permutation(90))
    table.columns = [f"x{i}" for i in table]
    table["genre"] = np.array(["rock", "folk", "গান"])[y]
    table["title"] = [f"track {i}" for i in range(90)]
    return table, rng.permutation(table["genre"])


NUMBERS = make_column_selector(pattern="^x")
numbers = ("numbers", StandardScaler(), NUMBERS)
genre = ("genre", GenreEncoder(), ["genre"])


def columns(*blocks, **kwargs):
    return ColumnTransformer(list(blocks), **kwargs)


def cvae(encode_condition):
    return Pipeline(
        [
            ("columns", columns(numbers, genre).set_output(transform="pandas")),
            (
                "cvae",
                BetaCVAE(
                    2,
                    condition_features=make_column_selector(pattern="^genre__"),
                    encode_condition=encode_condition,
                    max_epochs=1,
                ),
            ),
        ]
    )


def test_label_leakage_is_marked(table):
    X, shuffled = table
    honest = {
        "numbers": columns(numbers),
        "no weight": columns(numbers, genre, transformer_weights={"genre": 0}),
        "conditional decoder": cvae(False),
        "titles": columns(numbers, ("title", OneHotEncoder(sparse_output=False), ["title"])),
        "t-SNE": Pipeline([("numbers", columns(numbers)), ("tsne", TSNE(max_iter=250))]),
    }
    leaky = {
        "genres": columns(numbers, genre),
        "hardly": columns(numbers, genre, transformer_weights={"genre": 0.01}),
        "sparse": columns(("genre", OneHotEncoder(), ["genre"])),
        "t-SNE of genres": Pipeline(
            [("genres", columns(numbers, genre)), ("tsne", TSNE(max_iter=250))]
        ),
        "conditional encoder": cvae(True),
    }
    scores = compare_embeddings(
        honest | leaky,
        X,
        {"genre": X["genre"], "shuffled": shuffled},
        features=columns(numbers),
        n_seeds=1,
    )
    marked = scores[scores["leakage"] > 0]
    assert marked["embedding"].tolist() == list(leaky)
    assert set(marked["target"]) == {"genre"}
    np.testing.assert_allclose(marked["leakage"], 1)
    lines = format_comparison(scores).splitlines()
    assert [line.split("|")[2] for line in lines if line.startswith("|") and "⚠" in line] == [
        f" {name} ⚠ label leakage " for name in leaky
    ]
    assert lines[-1].startswith("⚠ label leakage: the embedding was given")
    # It goes with the row wherever that goes.
    assert "genres ⚠ label leakage" in format_comparison(scores[scores["embedding"] == "genres"])
    assert "⚠" not in format_comparison(scores[scores["target"] == "shuffled"])


def test_one_hot_columns_of_plain_numbers_are_in_the_baselines_too(blobs, rng):
    X, y = blobs
    X = np.hstack([X, rng.integers(2, size=(90, 20)), StandardScaler().fit_transform(np.eye(3)[y])])
    X.flags.writeable = False
    embeddings = {"VAE": VAE(2, max_epochs=1), "first ten": FunctionTransformer(_first_ten)}
    scores = compare_embeddings(embeddings, X, y, n_seeds=1).set_index("embedding")
    leakage = scores["leakage"]
    assert (leakage[["raw features", "PCA", "VAE"]] == 1).all()
    assert (leakage[["chance", "first ten"]] == 0).all()


def _first_ten(X):
    return X[:, :10]


def test_a_condition_predicts_the_label_as_a_whole(blobs):
    """Only together do the two columns of the condition predict the label."""
    X, _ = blobs
    bits = np.arange(90)[:, None] // [1, 2] % 2
    label = bits[:, 0] ^ bits[:, 1]
    for encode_condition in (False, True):
        inside = BetaCVAE(
            2, condition_features=[10, 11], encode_condition=encode_condition, max_epochs=1
        )
        blocks = columns(("all", make_pipeline("passthrough", inside), slice(0, 12)))
        scores = compare_embeddings(
            {"CVAE": Pipeline([("blocks", blocks)])}, np.hstack([X, bits]), label, n_seeds=1
        )
        assert (scores["leakage"].iloc[-1] > 0.5) == encode_condition
        assert (scores["leakage"].iloc[:-1] == 0).all()


def test_measured_columns_of_few_values_are_no_labels(rng):
    """Coarse measurements, as in iris, can predict a class, but are no labels."""
    y = np.repeat([0, 1, 2], 50)
    X = np.round(y[:, None] + rng.standard_normal((150, 3)) / 10, 1)
    assert len(np.unique(X)) < 50
    assert (compare_embeddings({}, X, y, n_seeds=1)["leakage"] == 0).all()
    assert (compare_embeddings({}, np.c_[X, y], y, n_seeds=1)["leakage"] == [0, 1, 1]).all()


def test_silhouettes_are_those_of_one_space(blobs):
    X, y = blobs
    tiny = FunctionTransformer(_shrunk)  # clusters as X does, in a space that flatters
    scores = compare_embeddings({"shrunk": tiny}, 100 + 7 * X, y, n_seeds=1).set_index("embedding")
    clusters = KMeans(3, n_init=10, random_state=0).fit_predict(X)
    assert adjusted_rand_score(y, clusters) == 1
    expected = silhouette_score(StandardScaler().fit_transform(X), y)
    assert scores.loc["shrunk", "silhouette"] == pytest.approx(expected)
    assert scores.loc["raw features", "silhouette"] == pytest.approx(expected)
    assert abs(scores.loc["chance", "silhouette"]) < 0.1
    assert scores["silhouette_space"].unique() == ["X, scaled, 10 columns"]


def _shrunk(X):
    centers = np.stack([X[start : start + 30].mean(axis=0) for start in (0, 30, 60)])
    return 0.001 * X + 0.999 * np.repeat(centers, 30, axis=0)


def test_many_samples_are_subsampled_the_same_way_each_time(rng):
    y = np.repeat([0, 1], 1500)  # sorted: the first 2,000 rows would be the wrong ones
    X = rng.standard_normal((3000, 2)) + 8 * y[:, None]
    first, second = (compare_embeddings({}, X, y, n_seeds=1) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    expected = silhouette_score(StandardScaler().fit_transform(X), y)
    assert first["silhouette"].iloc[1] == pytest.approx(expected, abs=0.01)


@pytest.mark.filterwarnings("ignore:1 of .* tracks could not be used")
def test_a_file_that_cannot_be_read_does_not_end_a_comparison(tmp_path):
    music = make_music(24, duration=1.0, directory=tmp_path, random_state=0)
    tracks = music.data
    (tmp_path / "empty.wav").touch()
    tracks.loc[3, "audio"] = str(tmp_path / "empty.wav")
    lyrics = columns(("lyrics", LyricVectorizer(4), "lyrics"))
    scores = compare_embeddings({"lyrics": lyrics}, tracks, tracks["genre"], n_seeds=1)
    assert np.isfinite(scores["silhouette"]).all()


def test_tables_of_tracks_are_compared_in_pooled_mfccs(tmp_path):
    music = make_music(24, duration=1.0, directory=tmp_path, random_state=0)
    tracks = music.data.set_index(np.arange(24)[::-1])
    mel = columns(("mel", SpectrogramExtractor(n_mels=8), ["audio"]))
    embeddings = {"mel": make_pipeline(mel, StandardScaler())}
    scores = compare_embeddings(embeddings, tracks, tracks["genre"], n_seeds=1)
    assert scores["target"].unique() == ["genre"]
    assert scores["embedding"].tolist() == [*BASELINES, "mel"]
    assert (scores["silhouette_space"] == "pooled MFCCs, scaled, 60 columns").all()
    assert (scores["leakage"] == 0).all()
    explicit = make_pipeline(
        columns(("mfcc", SpectrogramExtractor("mfcc", pooling="stats"), ["audio"])),
        StandardScaler(),
    )
    same = compare_embeddings(embeddings, tracks, tracks["genre"], n_seeds=1, features=explicit)
    assert (
        same["silhouette_space"] == "SpectrogramExtractor of mfcc + StandardScaler, 60 columns"
    ).all()
    rest = "silhouette_space"
    pd.testing.assert_frame_equal(same.drop(columns=rest), scores.drop(columns=rest))
    with pytest.raises(ValueError, match=r"2 spaces .* can't be compared"):
        format_comparison(pd.concat([scores, same]))


@pytest.mark.parametrize(
    ("X", "features", "message"),
    [
        (pd.DataFrame({"lyrics": ["a"] * 90}), None, "Pass a transformer that"),
        (["a.wav"] * 90, None, "Pass a transformer that"),
        (np.where(np.eye(90, 2), np.nan, 1), None, "contains NaN"),
        (csr_array((90, 2)), None, "sparse X"),
        (np.zeros((90, 2)), "typo", "'features' parameter"),
        (np.zeros((90, 2)), OneHotEncoder(), r"(?s)Sparse data.*makes a dense row"),
    ],
)
def test_features_that_cannot_be_had(X, features, message):
    with pytest.raises(ValueError, match=message):
        compare_embeddings({}, X, np.arange(90) % 2, features=features, n_seeds=1)


def test_one_class_and_a_class_for_each_track(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="'same' are 'x', so all clusters"):
        compare_embeddings({}, X, {"same": ["x"] * 90, "y": y}, n_seeds=2)
    each = compare_embeddings({}, X, range(90), n_seeds=2).set_index("embedding")
    one = compare_embeddings({}, X, y, n_clusters=1, n_seeds=2).set_index("embedding")
    assert each.loc["PCA", "silhouette"] == one.loc["PCA", "silhouette"] == 0
    assert one["n_clusters"].eq(1).all()
    for scores in (each, one):
        assert np.isfinite(scores.select_dtypes("number")).all().all()


def test_an_error_names_the_embedding(blobs):
    X, y = blobs
    bad = FunctionTransformer(lambda X: X * np.nan)
    with pytest.raises(ValueError, match="NaN") as caught:
        compare_embeddings({"bad one": bad}, X, y, n_seeds=1)
    assert "'bad one'" in caught.value.__notes__[0]


def test_labels_of_many_classes_are_found_too(blobs, rng):
    X, _ = blobs
    artists = rng.permutation(np.arange(90) // 1.5).astype(int).astype(str)  # 60 of them
    table = pd.DataFrame(X).add_prefix("x").assign(artist=artists)
    given = columns(numbers, ("artist", OneHotEncoder(sparse_output=False), ["artist"]))
    scores = compare_embeddings(
        {"given": given}, table, artists, features=columns(numbers), n_seeds=1
    ).set_index("embedding")
    assert scores["leakage"].tolist() == [0, 0, 0, 1]


def test_whole_numbers_and_random_embeddings_are_not_marked(rng):
    y = np.repeat([0, 1, 2], 50)
    X = np.round(10 * y[:, None] + rng.standard_normal((150, 3)) * 2)
    table = pd.DataFrame(X).add_prefix("x").assign(genre=y.astype(str))

    def noisy(X):
        return X.filter(like="x") + np.random.standard_normal(X.filter(like="x").shape)

    scores = compare_embeddings(
        {"noisy": FunctionTransformer(noisy)}, table, y, features=columns(numbers), n_seeds=1
    )
    assert (scores["leakage"] == 0).all()


class Recorder(FunctionTransformer):
    """Fails where it is fitted: what is wrong must be found before."""

    def fit_transform(self, X, y=None):
        raise AssertionError("fitted")


def test_a_wrong_entry_is_found_before_anything_is_fitted(table):
    X, _ = table
    y = X["genre"]
    good = {"good": Recorder()}
    # Features are not extracted, either.
    with pytest.raises(AssertionError, match="fitted"):
        compare_embeddings(good, X, y, features=columns(numbers), n_seeds=1)
    for message, wrong in {
        'expected a transformer or "passthrough"': DBSCAN(),
        "Got a clusterer": KMeans(3),
        "(?i)estimator instance": PCA,
        "'n_components' parameter of PCA": make_pipeline(columns(numbers), PCA("many")),
        "'beta' parameter of VAE": VAE(beta=-1),
        "All intermediate steps should be transformers": make_pipeline(LogisticRegression(), PCA()),
        "can't be fitted without labels": make_pipeline(
            columns(numbers), LinearDiscriminantAnalysis()
        ),
        "not columns of the dataframe": make_pipeline(columns(("a", PCA(2), ["typo"])), PCA(2)),
    }.items():
        with pytest.raises((ValueError, TypeError), match=message) as caught:
            compare_embeddings({**good, "wrong": wrong}, X, y, features=Recorder(), n_seeds=1)
        assert "This was the embedding 'wrong'." in caught.value.__notes__
    for message, kwargs in {
        "n_clusters=91 for 90 tracks": {"targets": y, "n_clusters": 91},
        "All labels of the target 'b' are missing": {"targets": {"a": y, "b": [None] * 90}},
        "each with a name of its own": {
            "targets": pd.DataFrame({"a": y, "b": y}).set_axis(["a", "a"], axis=1)
        },
    }.items():
        with pytest.raises(ValueError, match=message):
            compare_embeddings(good, X, features=Recorder(), n_seeds=1, **kwargs)


def _hide_ten(X):
    X = np.array(X, dtype=float)
    X[:10] = np.nan
    return X


def test_missing_samples_are_noise_and_are_counted(blobs):
    X, y = blobs
    some = {"some": FunctionTransformer(_hide_ten), "all": "passthrough"}
    scores = compare_embeddings(some, X, y, n_seeds=2).set_index("embedding")
    assert scores["n_missing"].tolist() == [0, 0, 0, 10, 0]
    assert scores["n_tracks"].eq(90).all()
    clusters = y.copy()
    clusters[:10] = -1
    assert scores.loc["some", "ari"] == pytest.approx(adjusted_rand_score(y, clusters))
    Z = StandardScaler().fit_transform(X)
    assert scores.loc["some", "silhouette"] == pytest.approx(silhouette_score(Z[10:], y[10:]))
    text = format_comparison(scores.reset_index())
    assert "- some: 10" in text
    assert "- all" not in text
    with pytest.raises(ValueError, match="80 of 90 tracks have a latent vector"):
        compare_embeddings({"some": some["some"]}, X, y, n_clusters=85, n_seeds=1)


def test_missing_samples_of_the_plain_features(blobs, rng):
    X, y = blobs
    gaps = rng.choice(90, 20, replace=False)
    X[gaps] = np.nan
    scores = compare_embeddings({}, X, y, n_seeds=2).set_index("embedding")
    assert scores["n_missing"].tolist() == [0, 20, 20]
    rest = compare_embeddings({}, np.delete(X, gaps, axis=0), np.delete(y, gaps), n_seeds=2)
    np.testing.assert_allclose(scores["silhouette"].iloc[1:], rest["silhouette"].iloc[1:])
    partly = X.copy()
    partly[gaps[0], :5] = 0
    with pytest.raises(ValueError, match="contains NaN"):
        compare_embeddings({}, partly, y, n_seeds=1)


@pytest.mark.parametrize("package", ["polars", "pyarrow"])
def test_tables_and_labels_of_other_packages(table, package):
    X, _ = table
    X = X.rename(columns={"genre": "embedding"})
    module = pytest.importorskip(package)

    def convert(frame):
        cells = frame.astype(object).where(frame.notna(), None)
        columns = {name: cells[name].tolist() for name in cells}
        return module.DataFrame(columns) if package == "polars" else module.table(columns)

    labels = X[["embedding"]].assign(leakage=["a", "b", None] * 30)
    embeddings = {"numbers": columns(numbers)}
    kwargs = {"features": columns(numbers), "n_seeds": 1}
    expected = compare_embeddings(embeddings, X, labels, **kwargs)
    other = compare_embeddings(
        embeddings,
        convert(X.reset_index(drop=True)),
        convert(labels.reset_index(drop=True)),
        **kwargs,
    )
    pd.testing.assert_frame_equal(other, expected)


@pytest.mark.parametrize("name", ["target", "leakage", "silhouette", "n_clusters", 0, 2020, "a|b"])
def test_any_name_of_a_target(blobs, name):
    X, y = blobs
    scores = compare_embeddings({}, X, {name: y, "other": y[::-1]}, n_seeds=1)
    assert scores["target"].unique().tolist() == [str(name), "other"]
    lines = [line for line in format_comparison(scores).splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_a_new_score_is_one_entry(blobs, monkeypatch):
    X, y = blobs
    one = ClusteringScore("one", lambda labels, clusters: 1.0)
    monkeypatch.setitem(CLUSTERING_SCORES, "one", one)
    scores = compare_embeddings({}, X, y, n_seeds=2)
    assert scores["one"].tolist() == [1, 1, 1]
    header, ruler, *rows = format_comparison(scores).splitlines()[:5]
    cells = [line.strip("|").split("|") for line in (header, ruler, *rows)]
    assert {len(row) for row in cells} == {9}
    assert [row[-2] for row in cells] == [" one ", "---:", *[" 1.000 ± 0.000 "] * 3]


def test_labels_of_any_text(blobs):
    X, y = blobs
    # Two that differ in half a character stay two.
    labels = np.array(["\udce9", "\udcea", "$$a$$"], dtype=object)[y]
    scores = compare_embeddings({}, X, {"\ud83d": labels}, n_seeds=1)
    assert scores["n_clusters"].eq(3).all()
    format_comparison(scores).encode()


@pytest.mark.parametrize("random_state", [None, 0, 7])
def test_the_random_state_of_the_features_is_the_users(blobs, random_state):
    X, y = blobs
    drawn = []

    class Drawing(PCA):
        def fit_transform(self, X, y=None):
            drawn.append(self.random_state)
            return super().fit_transform(X)

    compare_embeddings({}, X, y, features=Drawing(2, random_state=random_state), n_seeds=1)
    assert drawn == [0 if random_state is None else random_state]


class NoGenerators(SequentialBackend):
    """As joblib's multiprocessing backend, which OpenMP's threads keep from this process."""

    supports_return_generator = False


def test_backends_of_joblib_that_make_no_generators(blobs):
    X, y = blobs
    expected = compare_embeddings({}, X, y, n_seeds=2)
    joblib.register_parallel_backend("no generators", NoGenerators)
    with joblib.parallel_config(backend="no generators"):
        pd.testing.assert_frame_equal(compare_embeddings({}, X, y, n_seeds=2), expected)
