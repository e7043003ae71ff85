"""The command as a process: signals, pipes, exit codes."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from sklearn_music.datasets import make_music

N_TRACKS = 20
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error::ResourceWarning"}


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    make_music(N_TRACKS, duration=1, directory=folder, random_state=0)
    return folder


def command(*words):
    return [sys.executable, "-m", "sklearn_music", *map(str, words)]


@pytest.fixture
def cluster(music, encoder):
    """Return a function that gives the command for an output folder."""
    words = ("--encoder", encoder, "--clusters", 3, "--jobs", 1)
    return lambda out: command("cluster", music, "--output", out, *words)


def run(words, **kwargs):
    kwargs = {"capture_output": True, "text": True, "env": ENVIRONMENT, "check": False, **kwargs}
    return subprocess.run(words, timeout=300, **kwargs)


def start(words):
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT)


def wait_for(folder, n_files):
    end = time.monotonic() + 120
    while sum(1 for _ in folder.rglob("output.pkl")) < n_files:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_killed_run_goes_on_where_it_was(cluster, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    killed = start(cluster(out))
    wait_for(out, 3)
    killed.kill()
    killed.communicate()
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("output.pkl")}
    assert len(kept) >= 3
    for folder in (out, whole):
        done = run(cluster(folder))
        assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (out / "clusters.csv").read_bytes() == (whole / "clusters.csv").read_bytes()
    assert not [path for path in out.rglob("*") if path.name.endswith(".tmp")]

    # A pipe that closes early is no error.
    similar = shlex.join(command("similar", out, "track_0003", "-n", 20))
    first = run(f"{similar} | head -n 1", shell=True)
    assert first.stderr == ""
    assert first.stdout.count("\n") == 1


def test_ctrl_c_says_what_is_kept(cluster, tmp_path):
    stopped = start(cluster(tmp_path / "out"))
    wait_for(tmp_path / "out", 2)
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=120)
    assert stopped.returncode == 130
    assert "Stopped." in errors
    assert str(tmp_path / "out" / "cache") in errors
    assert "Traceback" not in errors


def test_help_loads_no_torch_and_names_all_commands():
    loaded = "import sys; sys.argv = ['x', '--help']; import sklearn_music._cli as cli\n"
    loaded += "try: cli.main()\nexcept SystemExit: print('torch' in sys.modules)"
    done = run([sys.executable, "-c", loaded])
    assert done.stdout.endswith("False\n")
    for name in ("cluster", "predict", "similar", "report"):
        assert name in done.stdout
    assert run(command("cluster", "--help")).returncode == 0
