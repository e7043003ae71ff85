"""Up to which frequency tracks can be compared, and which of them hold less treble."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import AudioError
from .audio import FileStamp, file_rate

# Tracks of a lower bandwidth, in Hz, are named, but do not lower the common frequency.
LOWEST_COMMON = 3000.0
# A track holds clearly less treble than the others below this share of their bandwidth.
_SHARE = 0.8


def common_fmax(bandwidths: NDArray[np.float64], highest: float) -> float:
    """Return the frequency up to which tracks can be compared, at most `highest`, in Hz.

    Resampling and encoders weaken what is just below a cut-off, so 8 % are left out. Steps of
    250 Hz, so that nearly equal files have one result, and one entry in a cache.
    """
    bandwidths = bandwidths[~np.isnan(bandwidths)]
    counting = bandwidths[bandwidths >= LOWEST_COMMON]
    lowest = (counting if len(counting) else bandwidths).min(initial=highest)
    if lowest >= 0.9 * highest:
        return float(highest)
    return float(max(0.92 * lowest // 250 * 250, min(250.0, lowest)))


def stated_bandwidth(stamp: FileStamp | AudioError | None, nyquist: float) -> float:
    """Return half the sample rate that a file's header states; that of waveforms is ours."""
    if stamp is None:
        return nyquist
    try:
        # A file that can't be read is named where it is decoded.
        return np.nan if isinstance(stamp, AudioError) else file_rate(stamp) / 2
    except AudioError:
        return np.nan


def describe_narrow(bandwidths: NDArray[np.float64], stamps: Sequence[Any], limit: float) -> str:
    """Say which tracks hold clearly less than `limit`, in Hz; an empty string where none does."""
    rows = np.flatnonzero(bandwidths < _SHARE * limit)
    if not len(rows):
        return ""
    rows = rows[np.argsort(bandwidths[rows], kind="stable")]
    listed = []
    for row in rows[:5]:
        stamp = stamps[row]
        name = f", {os.path.basename(stamp.path)}" if isinstance(stamp, FileStamp) else ""
        listed.append(f"row {row}{name}: {_in_khz(bandwidths[row])}")
    if len(rows) > len(listed):
        listed.append(f"and {len(rows) - len(listed)} more")
    return (
        f"{len(rows)} of {len(bandwidths)} tracks {'holds' if len(rows) == 1 else 'hold'} nothing "
        f"above {_in_khz(bandwidths[rows].max())} ({', '.join(listed)})"
    )


def warning_of_fit(
    bandwidths: NDArray[np.float64], stamps: Sequence[Any], highest: float, *, is_common: bool
) -> str:
    """Say which tracks hold less treble than the others, what follows, and what to do."""
    limit = min(highest, np.fmax.reduce(bandwidths, initial=0.0))
    narrow = describe_narrow(bandwidths, stamps, limit)
    if not narrow:
        return ""
    common = common_fmax(bandwidths, highest)
    others = common_fmax(bandwidths[bandwidths >= _SHARE * limit], highest)
    sentences = [f"{narrow}."]
    if is_common and common < others:
        sentences.append(
            f"So all tracks are compared up to {_in_khz(common)} (fmax='common'). Leave those "
            f"out to compare the others up to {_in_khz(others)}."
        )
    elif common < others:
        sentences.append(
            "Because of the missing treble they may become clusters of their own. Use "
            f"fmax='common', or fmax={common:g}, to compare all tracks by what they have in common."
        )
    if np.nanmin(bandwidths) < LOWEST_COMMON <= np.nanmax(bandwidths):
        sentences.append(
            f"Those that hold nothing above {_in_khz(LOWEST_COMMON)} don't lower fmax='common': "
            "because of the missing treble they may become a cluster of their own. Leave them out."
        )
    return " ".join(sentences)


def _in_khz(frequency: float) -> str:
    return f"{frequency / 1000:.3g} kHz"
