import subprocess
import sys
from pathlib import Path

import sklearn_music

# Without the package's own __init__, so that only what the modules of features import counts.
SCRIPT = """
import importlib, pkgutil, sys, types
package = sys.modules["sklearn_music"] = types.ModuleType("sklearn_music")
package.__path__ = [sys.argv[1]]
features = importlib.import_module("sklearn_music.features")
for module in pkgutil.iter_modules(features.__path__):
    importlib.import_module(f"sklearn_music.features.{module.name}")
print(*{"librosa", "matplotlib", "numba", "skorch", "torch"} & sys.modules.keys())
"""


def test_heavy_libraries_are_imported_where_they_are_used():
    folder = str(Path(sklearn_music.__file__).parent)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.split() == []
