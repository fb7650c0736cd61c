"""Standardization of a regression target, and the floating-point type that its values need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TargetScale"]

# beyond this multiple of the standard deviation, neighboring float32 values are more than a thousandth of it apart
MAX_FLOAT32_MEAN = 1e4
# standard deviations with room for values of any usual z-score within the range of float32
FLOAT32_STD = (1e-30, 1e30)


@dataclass(frozen=True)
class TargetScale:
    """Mean and standard deviation by which a regression target is standardized.

    Attributes:
        mean: Mean, in the target's unit.
        std: Standard deviation, in the target's unit; 1 for a constant target.

    Example:
        >>> scale = TargetScale.of([10.0, 12.0, 14.0])
        >>> scale.restore(scale.standardize([10.0, 14.0])).tolist()
        [10.0, 14.0]
    """

    mean: float
    std: float

    @classmethod
    def of(cls, y: Any) -> TargetScale:
        """Measures a target, shape (n,).

        For float32 models, `std` and `mean / std` are rounded to float32, so that the numbers in a compiled graph are
        exactly those of the fit.
        """
        values = np.asarray(y, dtype=np.float64)
        with np.errstate(over="ignore"):
            measured = cls(float(values.mean()), float(values.std()) or 1.0)
        if measured.dtype == np.float64:
            return measured
        std = float(np.float32(measured.std))
        return cls(float(np.float32(measured.mean / std)) * std, std)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a compiled model's values: float64 where float32 is too coarse for them, else float32."""
        low, high = FLOAT32_STD
        fits = abs(self.mean) <= MAX_FLOAT32_MEAN * self.std and low < self.std < high
        return np.dtype(np.float32 if fits else np.float64)

    def standardize(self, y: Any) -> NDArray[np.float64]:
        """Returns the target with mean 0 and standard deviation 1, shape (n,)."""
        standardized: NDArray[np.float64] = (np.asarray(y, dtype=np.float64) - self.mean) / self.std
        return standardized

    def restore(self, standardized: Any) -> NDArray[np.float64]:
        """Returns standardized values in the target's unit, shape (n,)."""
        restored: NDArray[np.float64] = np.asarray(standardized, dtype=np.float64) * self.std + self.mean
        return restored
