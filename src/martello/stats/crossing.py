"""The chance that a statistic watched at a few looks crosses its bounds, exactly, by integrating from look to look.

This is the ground of `spending` (which bounds keep an error), of planned power and of what to report after stopping.
The statistic at look k is z_k, normal with mean drift·√I_k, with independent increments of z·√I between looks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from martello.errors import DataError

__all__ = ["Path", "cross_chances", "upper_cross_chance"]

_Floats = NDArray[np.float64]

#: Gauss–Legendre nodes between two bounds: probabilities are right to 1e-8 for up to 30 looks of equal size.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(160)
_FAR = 8.0  # standard errors beyond which a normal density is nothing


class Path:
    """The density of a statistic that has not crossed yet, look after look.

    Parameters
    ----------
    drift
        Mean of z at information 1.

    Notes
    -----
    Information is in any unit; `step` gives the chances of crossing upward and downward at the next look.
    """

    def __init__(self, drift: float = 0.0) -> None:
        self._drift = drift
        self._information = 0.0
        # Before the first look all mass is at 0.
        self._points: _Floats = np.zeros(1)
        self._mass: _Floats = np.ones(1)

    def above(self, z: float, information: float) -> float:
        """Give the chance of not having crossed before and being above z at this information."""
        return float(self._mass @ special.ndtr(-self._standard(z, information)))

    def below(self, z: float, information: float) -> float:
        """Give the chance of not having crossed before and being below z."""
        return float(self._mass @ special.ndtr(self._standard(z, information)))

    def _standard(self, z: float, information: float) -> _Floats:
        step = information - self._information
        at = z * np.sqrt(information) - self._points - self._drift * step
        return np.asarray(at / np.sqrt(step), dtype=np.float64)

    def step(self, lower: float, upper: float, information: float) -> tuple[float, float]:
        """Pass one look with its bounds; give the chances of crossing down and up at it."""
        if not (information > self._information and lower <= upper):
            raise DataError(
                "stats.looks-unordered",
                f"a look at information {information:g} follows one at {self._information:g}",
                where="looks",
                expected="information that grows, and bounds of which the upper is not below the lower",
            )
        down, up = self.below(lower, information), self.above(upper, information)
        root, step = np.sqrt(information), information - self._information
        center = self._drift * information
        low = max(lower * root, center - _FAR * root)
        high = min(upper * root, center + _FAR * root)
        if high <= low:
            self._points, self._mass = np.zeros(1), np.zeros(1)
        else:
            points = low + (high - low) * (_NODES + 1) / 2
            gaps = (points[:, None] - self._points[None, :] - self._drift * step) / np.sqrt(step)
            density = np.exp(-0.5 * gaps**2) @ self._mass / np.sqrt(2 * np.pi * step)
            self._points, self._mass = points, density * _WEIGHTS * (high - low) / 2
        self._information = information
        return down, up


def cross_chances(
    lower: Sequence[float], upper: Sequence[float], information: Sequence[float], *, drift: float = 0.0
) -> tuple[_Floats, _Floats]:
    """Give the chances that the first crossing is downward, and upward, at each look.

    Parameters
    ----------
    lower, upper
        Bounds on z at each look, shape (K,); infinite where that side never stops.
    information
        At each look, growing, in any unit, shape (K,).
    drift
        Mean of z at information 1: effect / standard error there.

    Raises
    ------
    DataError
        ``stats.looks-unordered``.

    Assumptions
    -----------
    z is normal with independent increments of z·√I, as of means of units that come in turn.

    Guarantee
    ---------
    Right to about 1e-8 (numeric integration).

    References
    ----------
    Armitage, McPherson & Rowe (1969), JRSS-A 132; Jennison & Turnbull (2000), Group Sequential Methods, ch. 19.

    Examples
    --------
    >>> down, up = cross_chances([-2.413] * 5, [2.413] * 5, [1, 2, 3, 4, 5])
    >>> round(float(down.sum() + up.sum()), 4)
    0.05
    """
    path = Path(drift)
    steps = [path.step(*look) for look in zip(lower, upper, information, strict=True)]
    return np.array([down for down, _ in steps]), np.array([up for _, up in steps])


def upper_cross_chance(upper: Sequence[float], information: Sequence[float], *, drift: float = 0.0) -> float:
    """Give the chance to cross the upper bounds at any look when nothing stops below: the power of a plan.

    Assumptions
    -----------
    As `cross_chances`.

    Guarantee
    ---------
    As `cross_chances`.

    References
    ----------
    Jennison & Turnbull (2000), ch. 19.

    Examples
    --------
    >>> round(upper_cross_chance([1.959964], [1.0], drift=2.801585), 3)
    0.8
    """
    return float(cross_chances([-np.inf] * len(upper), upper, information, drift=drift)[1].sum())
