"""Descriptions that several pipelines and several methods share."""

FACTORY = {
    "n_clusters": """
n_clusters : int, default=8
    Number of clusters.
""",
    "course_project": """
course_project : bool, default=False
    Whether to use the course project's settings: spectrograms of 128 bands x 640 frames
    (14.8 s at 22,050 Hz, windows of 2,048 samples, 512 apart) and 128 components, instead
    of 64 bands x 323 frames (30 s, 2,048 apart) and 16 components.
""",
    "duration and fmax": """
duration : float, default=None
    How much of each track is used, in seconds from its start; None is 30 s, or the course
    project's 14.8 s. Shorter tracks are padded with silence: a TrackVAE leaves it out, the
    other embedders do not.
fmax : float, "common" or None, default="common"
    The highest frequency that is used, in Hz. ``"common"`` is the highest one that all files
    contain, so that files of a low sample rate or bitrate don't become a cluster of their
    own. None is half of the sample rate.
""",
    "other parameters and result": """
on_error : {"nan", "raise"}, default="nan"
    What happens to a file that can't be read. ``"nan"``: the track is missing, `failures_` of
    the fitted pipeline says why, and the others get their clusters. ``"raise"``: an error.
memory : str, path or joblib.Memory, default=None
    Where what is computed of the files is kept, so that a second run does not decode them again.
n_jobs : int, default=None
    Number of files that are decoded at a time.
verbose : int, default=0
    If not 0, shows the progress of the extraction and of the training.
random_state : int, RandomState instance or None, default=None
    Determines every random step.

Returns
-------
pipeline : TrackPipeline
    Not fitted. `fit_predict` of a table of tracks returns the label of each, -1 for a track
    without usable data.
""",
}

_X = """
Parameters
----------
X : array-like of shape (n_samples, n_features)
    The samples.
"""

SKIP_MISSING = {
    "X": _X,
    "X, y": f"""{_X}y : array-like of shape (n_samples,), default=None
    Passed on to the estimator.
**params : dict
    Passed on to the estimator's method.
""",
    "labels": """
Returns
-------
labels : ndarray of shape (n_samples,)
    -1 where a sample is missing.
""",
    "X_new": """
Returns
-------
X_new : ndarray or DataFrame of shape (n_samples, n_features_out)
    NaN where a sample is missing.
""",
}
