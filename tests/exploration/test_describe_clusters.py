import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

from sklearn_music.datasets import make_music
from sklearn_music.exploration import describe_clusters, similar_tracks
from sklearn_music.exploration.names import NO_CLUSTER, make_names
from sklearn_music.pipelines import make_pca_pipeline

# Function words that are in no list of the library, and two that are.
GLUE = "och det att the und"
BOATS = ["river boat", "boat on a river", "Boat, boat, boat!", "[Chorus]\nriver"]
FIRES = ["burns ash", "ash and smoke", "smoke burns", "[Chorus]\nash smoke"]


@pytest.fixture
def tracks():
    """Four songs about boats, four about ash, one without lyrics; an index of no use."""
    lyrics = [f"{GLUE} {text}" for text in (*BOATS, *FIRES)]
    table = pd.DataFrame({"lyrics": [*lyrics, None], "title": list("abcdefghi")})
    table["genre"] = ["folk", "folk", "rock", None, "rock", "rock", "rock", "rock", "rock"]
    return table.set_index(pd.Index([0, 0, 1, 1, 5, 5, 5, 9, 9]))


LABELS = [0, 0, 0, 0, 1, 1, 1, 1, -1]
POSITIONS = np.array([0, 1, 2, 9, 20, 21, 22, 29, np.nan])[:, None]


def test_one_row_per_cluster_and_one_for_the_tracks_without(tracks):
    table = describe_clusters(LABELS, tracks, embedding=POSITIONS, n_typical=2, n_outliers=1)
    assert table["cluster"].tolist() == [0, 1, -1]
    assert table["size"].tolist() == [4, 4, 1]
    assert table["share"].tolist() == pytest.approx([4 / 9, 4 / 9, 1 / 9])
    assert table["name"].tolist() == ["boat, river", "ash, smoke, burns", "No cluster"]
    assert table["typical"].tolist() == [["c", "b"], ["g", "f"], []]
    assert table["outliers"].tolist() == [[], [], []]  # too few tracks to tell
    assert table["genre"].tolist() == ["folk", "rock", "rock"]
    assert table["genre_share"].tolist() == pytest.approx([2 / 3, 1, 1])


def test_words_are_counted_once_per_song_and_in_two_songs_at_least(tracks):
    refrain = tracks.assign(lyrics=[*tracks["lyrics"][:3], "solo " * 40, *tracks["lyrics"][4:]])
    words = describe_clusters(LABELS, refrain, stop_words=())["words"]
    assert "solo" not in words[0]
    assert "chorus" not in [*words[0], *words[1]]
    assert not {*GLUE.split()} & {*words[0], *words[1]}  # each is in all songs


def test_words_by_hand():
    # Of 3 songs here and 9 in all: "moon" is in 3 and 6, "sun" in 2 and 3, "x" in 1 and 1.
    lyrics = ["moon sun x", "moon sun", "moon", "moon", "moon", "moon", "sun", "y", "y"]
    labels = [0] * 3 + [1] * 6
    moon = ((3 - 1) / 3 - (6 - 1) / 9) * np.log(6 / 9) ** 2
    sun = ((2 - 1) / 3 - (3 - 1) / 9) * np.log(3 / 9) ** 2
    assert sun > moon > 0
    words = describe_clusters(labels, pd.DataFrame({"lyrics": lyrics}), stop_words=())["words"]
    assert words.tolist() == [["sun", "moon"], ["y"]]


def test_function_words_are_left_out_and_those_of_other_languages_on_request():
    lyrics = ["the night und der mond"] * 3 + ["আমি নদী natten och"] * 3
    tracks = pd.DataFrame({"lyrics": lyrics})
    labels = [0] * 3 + [1] * 3
    words = describe_clusters(labels, tracks)["words"]
    assert words.tolist() == [["mond", "night"], ["natten", "och", "নদী"]]
    words = describe_clusters(labels, tracks, stop_words={"OCH", "mond"})["words"]
    assert words.tolist() == [["der", "night", "the", "und"], ["natten", "আমি", "নদী"]]


def test_tags_by_lift(rng):
    tags = pd.DataFrame(
        {
            "everywhere": 0.9,
            "rock": [0.8, 0.6, 0.1, 0.1],
            "rare": [0.001, 0.001, 0.0, 0.0],  # a lift of 2, of next to nothing
            "jazz": [0.0, 0.0, 0.2, np.nan],
        }
    )
    tags.loc[4] = np.nan
    tracks = pd.DataFrame(index=range(5))
    table = describe_clusters([0, 0, 1, 1, 1], tracks, tags=tags)
    assert table["tags"].tolist() == [["rock", "rare"], ["jazz"]]
    assert table["name"].tolist() == ["rock, rare", "jazz"]
    # By hand, without the rows that hold NaN.
    known = tags.iloc[:3]
    s = known.mean().mean()
    lift = (known["rock"][:2].mean() + s) / (known["rock"].mean() + s)
    assert lift > (0.001 + s) / (known["rare"].mean() + s) > 1
    one = describe_clusters([0] * 5, tracks, tags=tags)
    assert one["tags"].tolist() == [[]]  # nothing to differ from
    assert one["name"].tolist() == ["Cluster 0"]
    assert describe_clusters([0] * 5, tracks, tags=tags * 0)["tags"].tolist() == [[]]


@pytest.mark.parametrize("columns", [[], ["rock"]])
def test_tags_that_are_missing(columns):
    tags = pd.DataFrame(np.nan, columns=columns, index=range(3))
    table = describe_clusters([0, 1, 1], pd.DataFrame(index=range(3)), tags=tags)
    assert table["tags"].tolist() == [[], []]
    assert table["name"].tolist() == ["Cluster 0", "Cluster 1"]


def test_a_label_is_a_name_only_where_it_says_something():
    genre = ["rock"] * 3 + ["rock", "jazz", "jazz"] + ["rock", "pop", "folk"]
    tracks = pd.DataFrame({"genre": genre, "language": "en", "mood": [["sad"]] * 9})
    table = describe_clusters(np.repeat(["x", "y", "z"], 3), tracks, metadata=["language", "genre"])
    assert table["name"].tolist() == ["rock", "jazz", "Cluster z"]
    assert table["language_share"].tolist() == [1, 1, 1]
    # Among equally frequent labels the rarest, and cells of any kind.
    assert table["genre"].tolist() == ["rock", "jazz", "folk"]
    assert describe_clusters([0] * 9, tracks, metadata=["mood"])["mood"].tolist() == ["['sad']"]


def test_clusters_of_a_fitted_pipeline(tracks):
    tracks = tracks.assign(x=np.nan_to_num(POSITIONS[:, 0], nan=30))
    columns = ColumnTransformer([("x", "passthrough", ["x"])])
    pipe = make_pipeline(columns, KMeans(2, n_init=1, random_state=0)).fit(tracks)
    table = describe_clusters(pipe, tracks)
    assert sorted(table["size"]) == [4, 5]
    typical = dict(zip(table["size"], table["typical"], strict=True))
    assert typical[4] == ["c", "b"]
    without_predict = make_pipeline(columns, DBSCAN(eps=1.5, min_samples=3)).fit(tracks)
    table = describe_clusters(without_predict, tracks)
    assert table["name"].tolist()[-1] == "No cluster"
    assert table["size"].sum() == 9
    with pytest.raises(ValueError, match="expected a fitted Pipeline"):
        describe_clusters(KMeans(2), tracks)


@pytest.mark.filterwarnings("ignore:1 of 20 tracks could not be used")
def test_a_track_that_cannot_be_read_is_in_no_cluster():
    tracks = make_music(20, duration=1, random_state=0).data.drop(columns="lyrics")
    tracks["audio"] = [None, *tracks["audio"][1:]]
    pipe = make_pca_pipeline(2, duration=1, random_state=0).fit(tracks)
    table = describe_clusters(pipe, tracks)
    assert table["size"].tolist()[-1] == 1
    assert table["name"].tolist()[-1] == "No cluster"
    named = {title for titles in (*table["typical"], *table["outliers"]) for title in titles}
    assert "track 0" not in named
    similar = similar_tracks(pipe, tracks)
    assert set(similar["query"]) == set(similar["track"]) == set(range(1, 20))
    assert (similar["cluster"] >= 0).all()


def test_a_song_is_listed_once():
    tracks = pd.DataFrame({"title": ["Intro", "INTRO", "Intro", None, None]})
    tracks["artist"] = ["A", "a", "B", None, None]
    tracks = pd.concat([tracks, tracks.tail(2).assign(title=["x", "y"])], ignore_index=True)
    Z = np.zeros((7, 2))
    (typical,) = describe_clusters([0] * 7, tracks, embedding=Z, n_typical=9)["typical"]
    assert typical == ["Intro", "Intro", "track 3"]  # half of six songs


def test_an_outlier_is_far_from_its_cluster_and_never_typical():
    positions = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 60, -40], dtype=float)
    tracks = pd.DataFrame({"title": [f"{x:g}" for x in positions]})
    (row,) = describe_clusters([0] * 11, tracks, embedding=positions[:, None]).itertuples()
    assert row.typical == ["5", "6", "4"]
    assert row.outliers == ["60", "-40"]
    even = describe_clusters([0] * 9, tracks[:9], embedding=positions[:9, None], n_typical=9)
    assert even["outliers"].tolist() == [[]]
    assert len(even["typical"][0]) == 4
    alone = describe_clusters([0], tracks[:1], embedding=positions[:1, None])
    assert alone["typical"].tolist() == [["0"]]


def test_latent_vectors_and_tables_of_any_kind(tracks):
    expected = describe_clusters(LABELS, tracks, embedding=POSITIONS)
    Z = np.nan_to_num(POSITIONS, nan=100)
    for embedding in (sparse.csr_matrix(Z), sparse.coo_array(Z), pd.DataFrame(Z), Z.tolist()):
        pd.testing.assert_frame_equal(
            describe_clusters(LABELS, tracks, embedding=embedding), expected
        )
    polars = pytest.importorskip("polars")
    columns = {name: tracks[name].astype(object) for name in tracks}
    other = polars.DataFrame({n: x.where(x.notna(), None).tolist() for n, x in columns.items()})
    found = describe_clusters(polars.Series(LABELS), other, embedding=polars.DataFrame(POSITIONS))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@pytest.mark.parametrize(
    ("labels", "clusters", "names"),
    [
        ([10, 2, 2], [2, 10], ["Cluster 2", "Cluster 10"]),
        ([1.0, np.nan, 0.0], [0, 1, -1], ["Cluster 0", "Cluster 1", NO_CLUSTER]),
        (["b", None, "a"], ["a", "b", -1], ["Cluster a", "Cluster b", NO_CLUSTER]),
        ([-2, -1, -3], [-1], [NO_CLUSTER]),
        ([1, "1", -1], [1, "1", -1], ["Cluster 1", "Cluster 1 (2)", NO_CLUSTER]),
    ],
)
def test_labels_of_any_kind(labels, clusters, names):
    table = describe_clusters(labels, pd.DataFrame({"lyrics": [None, np.nan, "[Instrumental]"]}))
    assert table["cluster"].tolist() == clusters
    assert table["name"].tolist() == names


@pytest.mark.parametrize("n_tracks", [0, 1])
def test_few_tracks(n_tracks):
    tracks = pd.DataFrame({"lyrics": ["la la"], "title": ["La"], "genre": ["pop"]})[:n_tracks]
    Z = np.zeros((n_tracks, 2))
    table = describe_clusters([0] * n_tracks, tracks, embedding=Z, tags=pd.DataFrame(Z))
    assert table["typical"].tolist() == [["La"]][:n_tracks]
    assert table["name"].tolist() == ["Cluster 0"][:n_tracks]
    assert {"cluster", "words", "tags", "genre_share", "outliers"} <= {*table}


def test_what_is_wrong_is_said(tracks):
    with pytest.raises(ValueError, match="Got a list as tracks, expected a DataFrame"):
        describe_clusters([0], ["a"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        describe_clusters([0], tracks)
    with pytest.raises(ValueError, match="no columns 'mood', expected one"):
        describe_clusters(LABELS, tracks, metadata=["mood"])
    with pytest.raises(ValueError, match="2 columns 'title', expected one"):
        describe_clusters(LABELS, pd.concat([tracks, tracks[["title"]]], axis=1))
    with pytest.raises(ValueError, match="rename 'size'"):
        describe_clusters(LABELS, tracks.assign(size=1), metadata=["size"])
    with pytest.raises(ValueError, match="Got a ndarray as tags, expected a DataFrame"):
        describe_clusters(LABELS, tracks, tags=np.ones((9, 2)))
    with pytest.raises(ValueError, match="negative or infinite"):
        describe_clusters(LABELS, tracks, tags=pd.DataFrame({"rock": [-1.0] * 9}))
    with pytest.raises(ValueError, match="'n_words' parameter"):
        describe_clusters(LABELS, tracks, n_words=-1)


# Names

PARTS = st.lists(st.sampled_from(["rock", "Rock", "guitar", "no cluster", "sad", "rock (2)"]))


def test_names_grow_until_they_differ():
    tags = [["rock", "guitar", "metal"], ["guitar", "rock", "indie"], ["jazz"], ["JAZZ"]]
    words = [[], [], ["blue"], []]
    names = make_names([0, 1, 2, 3], tags, words, [[], [], [], []])
    assert names == ["rock, guitar, metal", "guitar, rock, indie", "jazz, blue", "JAZZ"]


@given(st.lists(st.tuples(PARTS, PARTS, PARTS, st.sampled_from([1, "1", "a", None])), max_size=8))
def test_no_two_clusters_have_one_name(clusters):
    tags, words, labels, numbers = zip(*clusters, strict=True) if clusters else ([],) * 4
    names = make_names(numbers, tags, words, labels)
    of_clusters = [
        name.casefold() for name, number in zip(names, numbers, strict=True) if number is not None
    ]
    assert len(set(of_clusters)) == len(of_clusters)
    assert "no cluster" not in of_clusters
    assert all(names)


@given(
    st.lists(st.tuples(st.integers(-1, 3), st.sampled_from(["a b", "b c", None, "a"])), min_size=1)
)
def test_any_labels_and_lyrics(rows):
    labels, lyrics = zip(*rows, strict=True)
    table = describe_clusters(labels, pd.DataFrame({"lyrics": lyrics}), stop_words=())
    assert table["size"].sum() == len(rows)
    assert table["share"].sum() == pytest.approx(1)
    assert table["name"].is_unique
    for cluster, words in zip(table["cluster"], table["words"], strict=True):
        songs = [text.split() for label, text in rows if label == cluster and text]
        for word in words:
            assert sum(word in song for song in songs) >= 2
