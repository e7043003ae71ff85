"""Run all benchmarks that need no data, at a small setting, and write one Markdown page.

Those of a GPU are run where there is one; elsewhere the page says that they were not.

Usage: python benchmarks/run_all.py --output docs/benchmarks.md
"""

import argparse
import ast
import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch

FOLDER = Path(__file__).parent
COMMANDS = [
    ["bench_folder.py"],
    ["bench_extraction.py"],
    ["bench_encoder.py"],
    ["bench_training.py", "--rounds", "3"],
    ["bench_grid.py", "--data-loader", "--epochs", "10", "--rounds", "1"],
    ["bench_memory.py", "--embedders", "import only", "VAE(contrastive_weight=0)"],
    ["count_parameters.py"],
]
GPU_COMMANDS = [["bench_training.py", "--device", "cuda"], ["bench_grid.py", "--device", "cuda"]]
PACKAGES = ("sklearn-music", "torch", "scikit-learn", "skorch", "librosa", "numpy")


def machine():
    """Return a line about the machine and the versions."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [platform.processor() or platform.machine()]
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    parts = [f"{os.cpu_count()} cores of {models[0]}", f"Python {platform.python_version()}"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts + [f"{package} {version(package)}" for package in PACKAGES])


def section(script, *args):
    """Run a benchmark and return its part of the page."""
    path = FOLDER / script
    title = ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]
    print(script, *args, file=sys.stderr)
    command = [sys.executable, str(path), *args]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    text = result.stdout.strip()
    if result.returncode:
        text += f"\n\n**It failed**: {result.stderr.strip().splitlines()[-1]}"
    name = shlex.join(["python", f"benchmarks/{script}", *args])
    return f"## {title.rstrip('.')}\n\n`{name}`\n\n{text}\n", result.returncode


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks.md"), help="a file")
    args = parser.parse_args(argv)

    has_gpu = torch.cuda.is_available()
    results = [section(*command) for command in COMMANDS + (GPU_COMMANDS if has_gpu else [])]
    page = [
        "# Benchmarks\n",
        "Written by `make bench`. A time says little of another machine, and a ratio, taken side "
        "by side in one run, more. Random seeds are fixed in the scripts.\n",
        f"{machine()}.\n",
        *(text for text, _ in results),
    ]
    if not has_gpu:
        page.append("## On a GPU\n\nNot measured yet: this machine has none.\n")
    args.output.write_text("\n".join(page), encoding="utf-8")
    sys.exit(any(code for _, code in results))


if __name__ == "__main__":
    main()
