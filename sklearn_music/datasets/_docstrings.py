"""Parameters and results of `load_tracks` and `make_music`."""

TEXTS = {
    "table": """
table : str, os.PathLike or DataFrame
    A folder, of which all audio files are loaded, with those in the folders within, or a table.
    A table has one track a row: a table of pandas, polars or pyarrow, or a CSV or TSV file
    (UTF-8, with a header, in which only empty cells are missing values). Columns:

    - `filename`: the audio file, relative to `audio_dir` or absolute.
    - `audio`: if it is there, it replaces `filename`: paths, or waveforms.
    - `track_id`: optional; different for each track. Read as text, so that "000002" stays.
    - `lyrics`: optional; cleaned.
    - `genre` and any others: optional; returned as they are.
audio_dir : str or os.PathLike, default=None
    Folder of the audio files of a table. If None, the folder of the table; for a DataFrame, the
    current one.
""",
    "columns": """
columns : dict of str to str, default=None
    Names of a table's columns that differ from those above, such as
    ``{"lyrics": "Lyrics Text", "filename": "File"}``. `title`, `artist`, `album`, `year`,
    `duration`, `sample_rate` and `language` can be named too.
""",
    "unreadable": """
missing : {"raise", "drop"}, default="raise"
    What to do if audio files of a table or their names are missing: raise an error, or drop
    these tracks with a warning.
unreadable : {"raise", "drop"}, default=None
    What to do if audio files can't be read: raise an error that lists them, or drop these
    tracks with a warning. Each file is decoded as a whole, as only that finds truncated ones;
    this takes about as long as one pass of a `SpectrogramExtractor`. None decodes no file; of a
    folder, it drops those that are empty or can't be opened, with a warning.
n_jobs : int, default=None
    Number of files that are decoded at a time, in threads, if `unreadable` is not None, or of
    which the tags are read at a time, if `table` is a folder. None: 1, and 4 for tags.
""",
    "tracks": """
tracks : DataFrame
    A pandas table: `audio`, the absolute path of each file (str) or the waveform, then the
    columns of `table`. Lyrics are str or None. The index is that of `table`, with gaps where
    tracks are dropped.

    Of a folder, the columns are `audio`, `filename` (the path from the folder on, with "/"),
    `title`, `artist`, `album` and `genre` (str or None), `year` (Int64), `duration` in seconds
    (float64), `sample_rate` in Hz (Int64) and `lyrics`, sorted by `filename`, folder by folder.
    The index is 0, 1, 2, ...

    `attrs` holds

    - "lyrics_cleaned": how many lyrics became None for each reason;
    - "missing_files": the paths of the tracks dropped by `missing`, "" where there was none;
    - "unreadable_files": a dict of the tracks dropped by `unreadable`, from the path to the
      reason; a waveform is "row 3" (the first is 0) of the table. Folders that can't be listed
      are here too.
""",
    "errors": """
FileNotFoundError
    If the table is missing, or audio files are and ``missing="raise"``.
AudioError
    If audio files can't be read and ``unreadable="raise"``.
ValueError
    If the table is no UTF-8 text, is empty, lacks a column or a file name, has two columns of
    one of the names above, if a `track_id` is empty or occurs twice, if the folder holds no audio
    file, or if no track is left.
""",
    "reasons": """
**Folders.** Audio files are those with a suffix of audio, such as .mp3, .flac or .m4a. Hidden files
and folders (names that begin with ".") are left out, and so is what systems keep for themselves,
such as "__MACOSX". Links are followed, but no folder is listed twice. Two links to one file are two
tracks. The files are not decoded: one that only looks like audio is found later, by the pipelines,
which list it in `failures_`.

Tags are read by tinytag [1]_, by libsndfile where tinytag knows the format or the length less well,
and by PyAV, if it is installed, for the rest. What is missing is missing: the name of a file is
nobody's title. Of several artists or genres, the first is taken, and of a date, the year. Length
and sample rate are those of the header, and missing where it gives none.

Lyrics come from a tag, else from a file beside the audio with the same name and the suffix .lrc or
.txt (at most 100 kB, in UTF-8, UTF-16 with a byte order mark, or cp1252). The time stamps and tags
of LRC are removed; headings such as "[Chorus]" stay. Of a table, no tags and no such files are
read: to have them, load the folder, and join both tables by `filename`.

Lyrics become None, for these reasons:

- "missing": empty, white space, or "NA", "None", "[No lyrics]" and the like;
- "instrumental": "[Instrumental]" and the like;
- "spreadsheet error": "#ERROR!", "#NAME?", "#REF!", "#VALUE!", "#N/A", ...;
- "no words": no letter in any script, such as "? ? ?", or notes and zero-width spaces;
- "one word": a single word, repeated or not, as speech recognition hears it in music.
""",
    "tag_reader": """
.. [1] `tinytag, a Python library for reading audio file metadata
   <https://github.com/tinytag/tinytag>`_
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
