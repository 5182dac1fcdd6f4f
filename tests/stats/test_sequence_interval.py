"""The interval is the set of values that were never rejected, rounded outward."""

import numpy as np
import pytest

from martello.stats.sequence_interval import sequence_interval

BAR = np.log(40)


@pytest.mark.parametrize(("low", "high"), [(0.31, 0.47), (0.999, 0.9995), (0.0004, 0.002), (0.5, 0.5001)])
def test_ends_are_found_to_a_few_ten_thousandths_and_never_inside(low, high):
    found = sequence_interval(lambda k: (BAR + 50 * (low - k), BAR + 50 * (k - high)), (0.0, 1.0), level=0.95)
    assert low - 3e-4 <= found[0] <= low
    assert high <= found[1] <= high + 3e-4


def test_without_evidence_it_is_the_whole_scale():
    nothing = sequence_interval(lambda k: (0 * k, 0 * k), (-1.0, 5.0), level=0.95)
    assert nothing == (-1.0, 5.0)


def test_a_dip_of_the_evidence_inside_the_rejected_front_ends_the_front():
    """Only a front without a gap is cut away, so a value that was never rejected is never left out."""

    def peaks(k):
        ship = np.where((k > 0.2) & (k < 0.3), 0.0, np.where(k < 0.5, 9.0, 0.0))
        return ship, np.where(k > 0.8, 9.0, 0.0)

    low, high = sequence_interval(peaks, (0.0, 1.0), level=0.95)
    assert low <= 0.2 + 0.04
    assert high >= 0.8
