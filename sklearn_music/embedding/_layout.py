"""Which columns of X are what: the image, the auxiliary features, the condition."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_scalar


@dataclass(frozen=True)
class Layout:
    """Columns of X, and of samples as the network takes them: input, then condition.

    Parameters
    ----------
    n_features : int
        Number of columns of X.
    n_main : int, default=None
        Number of the input's first columns that belong together, such as an image. The columns
        behind them are auxiliary features, which may be missing. None if there are none.
    condition : ndarray of int, default=()
        Columns of X that are the condition.
    main_may_miss : bool, default=False
        Whether a sample may lack the main columns if it has its auxiliary features.
    what : str, default="columns"
        What the main columns are, in errors.
    """

    n_features: int
    n_main: int | None = None
    condition: Any = ()
    main_may_miss: bool = False
    what: str = "columns"

    @property
    def inputs(self) -> NDArray[np.int64]:
        """Columns of X that are the input."""
        return np.setdiff1d(np.arange(self.n_features), self.condition)

    @property
    def n_needed(self) -> int:
        """Number of columns of the input that are NaN all at once or not at all."""
        return self.n_features - len(self.condition) if self.n_main is None else self.n_main

    @property
    def n_auxiliary(self) -> int:
        """Number of auxiliary features."""
        return self.n_features - len(self.condition) - self.n_needed

    def arrange(self, X: NDArray) -> NDArray:
        """Return samples as the network takes them.

        Raises
        ------
        ValueError
            If a sample is NaN in part.
        """
        columns = None
        if len(self.condition):
            columns = np.concatenate([self.inputs, self.condition])
            X = X[:, columns]
        check_nan(X, self.n_needed, self.n_auxiliary, columns, self.what)
        return X

    def restore(self, inputs: NDArray, condition: NDArray) -> NDArray[np.float32]:
        """Return input and condition in the order of the columns of X."""
        X = np.empty((len(inputs), self.n_features), dtype=np.float32)
        X[:, self.inputs] = inputs
        X[:, self.condition] = condition
        return X

    def is_missing(self, x: Any) -> Any:
        """Return which arranged samples, an array or a tensor, are missing, (n_samples,)."""
        if not self.main_may_miss:
            return is_nan(x[:, 0])
        auxiliary = x[:, self.n_needed :]
        # Without auxiliary features, none of them is there.
        return is_nan(x[:, 0]) & (is_nan(auxiliary).any(1) | (not auxiliary.shape[1]))


def is_nan(x: Any) -> Any:
    """Return which numbers of an array or of a tensor are NaN."""
    return x != x


def check_nan(
    X: NDArray,
    n_needed: int,
    n_optional: int = 0,
    columns: NDArray | None = None,
    what: str = "columns",
) -> None:
    """Raise a ValueError where a sample is NaN in part.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        The samples, without infinite values.
    n_needed : int
        Number of the first columns, which are NaN all at once or not at all.
    n_optional : int, default=0
        Number of columns behind them that may be NaN. The others may be where the first are.
    columns : ndarray of shape (n_columns,), default=None
        Their numbers in what the user passed, if these differ.
    what : str, default="columns"
        What the first columns are.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # a sum takes no memory, isnan does
        candidates = np.flatnonzero(np.isnan(X.sum(axis=1)))
    wrong = np.isnan(X[candidates])
    wrong[:, n_needed : n_needed + n_optional] = False
    wrong[wrong[:, :n_needed].all(axis=1)] = False
    if not wrong.any():
        return
    row, column = np.argwhere(wrong)[0]
    numbers = np.arange(X.shape[1]) if columns is None else columns
    message = f"X contains NaN in row {candidates[row]}, column {numbers[column]}"
    if column < n_needed:
        n_missing = np.isnan(X[candidates[row], :n_needed]).sum()
        message += (
            f", in {n_missing} of its {n_needed} {what}. A sample may be missing as a whole only, "
            "with NaN in all of them: impute the values, or drop the row."
        )
    else:
        message += ", which belongs to the condition: an unknown condition is one of zeros."
    if n_optional:
        optional = numbers[n_needed : n_needed + n_optional]
        message += f" Only auxiliary features (columns {optional[0]} to {optional[-1]}) may be NaN."
    raise ValueError(message)


def check_image_shape(image_shape: Any) -> None:
    """Raise where `image_shape` can't be right, whatever the columns are."""
    if len(image_shape) != 2:
        raise ValueError(
            f"Got image_shape={image_shape!r}, expected two sizes, of bands and of frames."
        )
    height, width = image_shape
    for size in (height, width):
        check_scalar(size, "image_shape[i]", Integral)
        if size < 1 and size != -1:
            raise ValueError(f"Got image_shape={image_shape!r}, expected sizes from 1 up, or -1.")
    if height == width == -1:
        raise ValueError(f"Got image_shape={image_shape!r}, of which only one may be -1.")


def resolve_image_shape(image_shape: Any, n_columns: int) -> tuple[int, int]:
    """Return the image's height and width, with -1 resolved as in numpy.reshape.

    Raises
    ------
    ValueError
        If the image needs more columns than there are, or -1 does not come out even.
    """
    check_image_shape(image_shape)
    height, width = (int(size) for size in image_shape)
    if -1 not in (height, width):
        if height * width > n_columns:
            raise ValueError(
                f"Got image_shape={image_shape!r}, which needs {height * width} columns, but X has "
                f"{n_columns}: take the image_shape_ of the SpectrogramExtractor that made them, "
                "or a -1 in it."
            )
        return height, width
    known = max(height, width)
    if n_columns % known or not n_columns:
        raise ValueError(
            f"Got image_shape={image_shape!r}, which needs a multiple of {known} columns, but "
            f"X has {n_columns}. Give both sizes where there are columns behind the image."
        )
    other = n_columns // known
    return (known, other) if width == -1 else (other, known)


def warn_of_one_band(image_shape: Any, n_columns: int) -> None:
    """Warn of the default image_shape, which is hardly ever right."""
    if tuple(image_shape) == (1, -1):
        warnings.warn(
            "Got image_shape=(1, -1), which takes each row for a spectrogram of one band. Give the "
            "image_shape_ of the SpectrogramExtractor that made them, or (n_mels, -1); if there "
            f"is one band, (1, {n_columns}).",
            UserWarning,
            stacklevel=2,
        )


def check_widths(widths: Sequence[int], name: str, n_min: int = 0) -> list[int]:
    """Return sizes of layers, at least `n_min` of them, as a list of int."""
    if len(widths) < n_min:
        raise ValueError(f"Got {name}={widths!r}, expected at least {n_min} size.")
    for width in widths:
        check_scalar(width, f"{name}[i]", Integral, min_val=1)
    return [int(width) for width in widths]
