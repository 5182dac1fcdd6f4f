"""The betting martingale is fair: every draw sequence of a tiny pool, with its exact probability."""

import math

import numpy as np
import pytest

from martello.stats.martingale import BettingMartingale
from martello.stats.recalibration import Curve

SIZE = np.array([2.0, 2.0, 2.0])
CURVE = Curve(np.array([0.9, 0.5, 0.2]), np.array([0.09, 0.25, 0.16]))


def _start(gain, offset, known=0.0):
    return BettingMartingale(np.array([gain]), np.array([offset]), np.array([known]), SIZE, pool_size=6)


def _sequences(truth, weights, draws, left=None):
    """All sequences of (bin, label) without replacement with their probability; truth lists labels per bin."""
    left = [list(labels) for labels in truth] if left is None else left
    if draws == 0:
        yield [], 1.0
        return
    total = sum(w * len(labels) for w, labels in zip(weights, left, strict=True))
    for b, labels in enumerate(left):
        for i, label in enumerate(labels):
            rest = [labels[:i] + labels[i + 1 :] if c == b else other for c, other in enumerate(left)]
            for tail, chance in _sequences(truth, weights, draws - 1, rest):
                yield [(b, label), *tail], chance * weights[b] / total


def _e_values(gain, offset, truth, weights, draws, curve=CURVE, known=0.0):
    means = np.zeros(2)
    for sequence, chance in _sequences(truth, weights, draws):
        martingale = _start(gain, offset, known)
        martingale.expect(curve, weights=np.asarray(weights))
        bins, labels = map(np.array, zip(*sequence, strict=True))
        evidence = martingale.consume(bins, labels.astype(float))
        means += chance * np.exp([evidence.ship[0, -1], evidence.refuse[0, -1]])
    return means


# Gains and labels per bin, and how many draws can never settle the answer; the offset makes the mean exactly 0.
FAIR = {
    "precision": ([1.0, 1.0, 1.0], [[1, 1], [1, 0], [0, 0]], 2),
    "recall": ([0.5, 0.5, -0.5], [[1, 0], [1, 0], [1, 1]], 1),
    "mixed": ([0.7, -0.3, 0.2], [[1, 0], [1, 0], [0, 1]], 2),
}


@pytest.mark.parametrize("name", FAIR)
@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [0.2, 1.0, 3.0]])
@pytest.mark.parametrize("share", [[0.9, 0.5, 0.2], [0.05, 0.9, 0.99]])
def test_both_e_values_average_to_one_on_the_edge(name, weights, share):
    gain, truth, draws = FAIR[name]
    offset = -sum(g * y for g, labels in zip(gain, truth, strict=True) for y in labels)
    share = np.array(share)
    means = _e_values(gain, offset, truth, weights, draws, Curve(share, share * (1 - share)))
    assert means == pytest.approx([1.0, 1.0], abs=1e-12)


def test_each_e_value_averages_to_at_most_one_inside_its_hypothesis():
    gain, truth, _ = FAIR["precision"]
    assert _e_values(gain, -3.6, truth, [1.0, 2.0, 1.0], 3)[0] < 1  # claim false: shipping is fair
    assert _e_values(gain, -2.4, truth, [1.0, 2.0, 1.0], 3)[1] < 1  # claim true: refusing is fair


def test_known_units_count_at_face_value():
    gain, truth, _ = FAIR["precision"]
    assert _e_values(gain, -4.0, truth, [1.0, 1.0, 2.0], 2, known=1.0) == pytest.approx([1.0, 1.0], abs=1e-12)


def test_one_by_one_and_all_at_once_give_the_same_bits():
    rng = np.random.default_rng(2)
    size, bins = np.full(4, 50.0), rng.permutation(np.repeat(np.arange(4), 20))
    labels = (rng.random(80) < 0.8).astype(float)
    ends = []
    for chunks in (1, 80, 16):
        martingale = BettingMartingale(np.ones((1, 4)), np.array([-140.0]), np.zeros(1), size, 200)
        martingale.expect(Curve(np.full(4, 0.8), np.full(4, 0.16)), weights=np.array([1.0, 2.0, 0.5, 0.3]))
        parts = [
            martingale.consume(b, y)
            for b, y in zip(np.array_split(bins, chunks), np.array_split(labels, chunks), strict=True)
        ]
        ends.append(np.concatenate([part.ship for part in parts], axis=1))
    assert np.array_equal(ends[0], ends[1])
    assert np.array_equal(ends[0], ends[2])


def test_evidence_is_infinite_once_the_rest_cannot_matter():
    martingale = _start([1.0, 1.0, 1.0], -3.0)
    martingale.expect(CURVE, weights=np.ones(3))
    evidence = martingale.consume(np.array([0, 0, 1]), np.array([1.0, 1.0, 1.0]))
    assert evidence.ship[0].tolist()[-1] == math.inf
    assert np.isfinite(evidence.ship[0, :2]).all()


@pytest.mark.parametrize(("gain", "as_label"), [(1.0, 0.0), (-1.0, 1.0)])
def test_an_unsure_label_counts_against_the_claim(gain, as_label):
    ends = []
    for label in (math.nan, as_label):
        martingale = _start([gain, gain, gain], 0.1)
        martingale.expect(CURVE, weights=np.ones(3))
        ends.append(martingale.consume(np.array([1]), np.array([label])).ship[0, 0])
    assert ends[0] == ends[1]


def test_rows_do_not_touch_each_other():
    """Many claims as rows, as the confidence sequence uses them, equal each claim alone."""
    offsets = np.array([-2.0, -3.0, -4.0])
    bins, labels = np.array([0, 1, 2, 0]), np.array([1.0, 1.0, 0.0, 1.0])
    together = BettingMartingale(np.ones((3, 3)), offsets, np.zeros(3), SIZE, 6)
    together.expect(CURVE, weights=np.array([1.0, 2.0, 1.0]))
    found = together.consume(bins, labels).refuse
    for row, offset in enumerate(offsets):
        alone = _start([1.0, 1.0, 1.0], offset)
        alone.expect(CURVE, weights=np.array([1.0, 2.0, 1.0]))
        assert alone.consume(bins, labels).refuse[0] == pytest.approx(found[row])
