"""Parameters and results of `load_tracks` and `make_music`."""

TEXTS = {
    "table": """
table : str, os.PathLike or DataFrame
    One track a row: a table of pandas, polars or pyarrow, or a CSV or TSV file (UTF-8, with a
    header, in which only empty cells are missing values). Columns:

    - `filename`: the audio file, relative to `audio_dir` or absolute.
    - `audio`: if it is there, it replaces `filename`: paths, or waveforms.
    - `track_id`: optional; different for each track. Read as text, so that "000002" stays.
    - `lyrics`: optional; cleaned.
    - `genre` and any others: optional; returned as they are.
audio_dir : str or os.PathLike, default=None
    Folder of the audio files. If None, the folder of the table; for a DataFrame, the current
    one.
""",
    "unreadable": """
missing : {"raise", "drop"}, default="raise"
    What to do if audio files or their names are missing: raise an error, or drop these tracks
    with a warning.
unreadable : {"raise", "drop"}, default=None
    What to do if audio files can't be read: raise an error that lists them, or drop these
    tracks with a warning. Each file is decoded as a whole, as only that finds truncated ones;
    this takes about as long as one pass of a `SpectrogramExtractor`. None opens no file.
n_jobs : int, default=None
    Number of files that are decoded at a time, in threads, if `unreadable` is not None.
""",
    "tracks": """
tracks : DataFrame
    A pandas table: `audio`, the absolute path of each file (str) or the waveform, then the
    columns of `table`. Lyrics are str or None. The index is that of `table`, with gaps where
    tracks are dropped. `attrs` holds

    - "lyrics_cleaned": how many lyrics became None for each reason;
    - "missing_files": the paths of the tracks dropped by `missing`, "" where there was none;
    - "unreadable_files": a dict of the tracks dropped by `unreadable`, from the path to the
      reason; a waveform is "row 3" (the first is 0) of the table.
""",
    "errors": """
FileNotFoundError
    If the table is missing, or audio files are and ``missing="raise"``.
AudioError
    If audio files can't be read and ``unreadable="raise"``.
ValueError
    If the table is no UTF-8 text, is empty, lacks a column or a file name, has two columns of
    one of the names above, if a `track_id` is empty or occurs twice, or if no track is left.
""",
    "reasons": """
Lyrics become None, for these reasons:

- "missing": empty, white space, or "NA", "None", "[No lyrics]" and the like;
- "instrumental": "[Instrumental]" and the like;
- "spreadsheet error": "#ERROR!", "#NAME?", "#REF!", "#VALUE!", "#N/A", ...;
- "no words": no letter in any script, such as "? ? ?", or notes and zero-width spaces;
- "one word": a single word, repeated or not, as speech recognition hears it in music.
""",
    "about": """
For tests and examples that run offline: results on them say nothing about real music. Genres
differ in tempo, chords, rhythm, instruments and mix, but overlap. `load_tracks` reads a table
of your own tracks.
""",
    "difficulty": """
With the defaults, ``KMeans(6, n_init=10)`` on the scaled mean and standard deviation of 20
MFCCs reaches an adjusted Rand index of .5 to .6, and between .3 and .7 from seed to seed, for
60 to 300 tracks of 3 to 15 seconds.
""",
    "synthesis": """
n_tracks : int, default=120
    Number of tracks, half of them in English, half in Bangla.
n_genres : int, default=6
    Number of genres, the first ones of "classical", "electronic", "folk", "hip hop", "pop"
    and "rock". Each has the same number of tracks, to within one.
duration : float, default=5.0
    Length of a track, in seconds.
sample_rate : int, default=22050
    Samples per second, at least 1000.
crossover : float, default=0.15
    Share of the tracks that sound like another genre than their own, between 0 and 1. Tempo,
    chords, rhythm and lyrics stay those of their own. The larger, the harder is the task.
directory : str or os.PathLike, default=None
    Folder to write the audio files to, with title and genre as their tags, and a text file with
    the lyrics beside each, so that `load_tracks` of the folder finds them. It is created if
    needed, and files of the same names are replaced. If None, the waveforms stay in memory.
format : {"wav", "flac"}, default="wav"
    Format of the files. Both hold the same 16-bit samples, as do the waveforms in memory.
random_state : int, RandomState instance or None, default=None
    Determines all tracks. None makes new ones, and leaves NumPy's global state alone.
""",
    "music": """
music : :class:`~sklearn.utils.Bunch`
    Dictionary-like object, with these attributes:

    data : DataFrame of shape (n_tracks, 4)
        Columns `audio` (the path of a file, or without `directory` a float32 array of shape
        (n_samples,) between -1 and 1), `lyrics` (str; "[Instrumental]" for about 15 % of the
        tracks, None for about 5 %), `genre` (str) and `language` ("en" or "bn").
    target : Series of shape (n_tracks,)
        The genre.
    target_names : list of str
        The `n_genres` genres, sorted.
    sample_rate : int
        Samples per second.
    DESCR : str
        A description of the data.
""",
}
