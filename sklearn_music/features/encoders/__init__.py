"""Pretrained encoders of audio, for `sklearn_music.AudioEncoder`.

`MusicNN` reads the weights that a Python package brings, `TransformersEncoder` loads models of
Hugging Face, `OnnxEncoder` runs ONNX files. Derive your own from `BaseEncoder`, or pass any
function of a waveform to `AudioEncoder`.
"""

from ._base import BaseEncoder
from ._function import FunctionEncoder
from ._musicnn import MusicNN
from ._onnx import OnnxEncoder
from ._transformers import TransformersEncoder

__all__ = ["BaseEncoder", "FunctionEncoder", "MusicNN", "OnnxEncoder", "TransformersEncoder"]
