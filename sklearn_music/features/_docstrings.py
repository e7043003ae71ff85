"""Descriptions that the transformers of audio share."""

TRACKS = {
    "fit_tracks": """
X : array-like of shape (n_tracks,) or (n_tracks, 1) or (n_tracks, n_samples)
    Paths of audio files, or mono waveforms of any lengths, one per track, or a numeric table
    of waveforms of one length. Formats that libsndfile can't read (m4a, WMA, WebM, ...) need
    PyAV: ``pip install "sklearn-music[av]"``. Waveforms of type
    int8, uint8, int16 or int32 are scaled to ±1 by the range of their type, as soundfile does.
    Other integers beyond ±127 raise an error.
y : None
    Ignored.
""",
    "sample_rate": """
sample_rate : int, default=22050
    The rate, in Hz, to which files are resampled. Waveforms must have this rate.
""",
    "running": """
dtype : {"float32", "float16"} or NumPy's type, default="float32"
    The type of the result. "float16" takes half the space. It rounds decibels to within 0.03.
n_jobs : int, default=None
    Number of tracks that are worked on at a time, in threads of one process.
verbose : int, default=0
    If not 0, show a progress bar with the remaining time.
memory : str, path or joblib.Memory, default=None
    Where the results of files are kept, by the file (path, size and time of change) and the
    parameters that change the result. So a search reads each file once, a file that has changed
    is read again, and a killed run continues where it was. A relative path means the current
    folder, even for a pipeline that was saved elsewhere: use an absolute path, or
    ``set_params(memory=None)`` before you save. See also :ref:`large_collections`.
on_error : {"raise", "nan"}, default="raise"
    What happens if a track can't be used: "raise" raises an error that names the row and the
    file; "nan" gives a row of NaN, and one warning that lists all such tracks.
""",
    "tracks_seen": """
failures_ : dict of int to str
    The tracks that could not be used in the last `fit`, `transform` or `fit_transform`: the
    reason by the number of the row. Empty if there were none.
n_features_in_ : int
    Number of columns seen in `fit`: 1, or `n_samples` for a table of waveforms.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the columns seen in `fit`, if they were strings.
""",
}
