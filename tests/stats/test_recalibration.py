"""The curve is the maximum of its penalized likelihood, found by scipy from elsewhere, and never leaps off."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from martello.stats.recalibration import recalibrate


@pytest.mark.parametrize("distortion", [(0.0, 1.0), (1.0, 2.0), (-2.0, -1.0)])
def test_curve_is_the_penalized_maximum(distortion):
    rng = np.random.default_rng(1)
    value = np.linspace(-20, 20, 60)
    n = rng.integers(0, 6, 60).astype(float)
    yes = rng.binomial(n.astype(int), expit((value - distortion[0]) / distortion[1] / 4)).astype(float)

    def loss(w):
        z = w[0] + w[1] * value
        return -(yes @ log_expit(z) + (n - yes) @ log_expit(-z)) + 0.5 * w[0] ** 2 + 2.0 * (w[1] - 1) ** 2

    best = min(
        (
            minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})
            for start in ([0.0, 1.0], [0.0, 0.1])
        ),
        key=lambda found: found.fun,
    ).x
    expected = np.clip(expit(best[0] + best[1] * value), 1e-3, 1 - 1e-3)
    assert recalibrate(value, n, yes).share == pytest.approx(expected, abs=1e-4)


def test_doubt_shrinks_to_the_variance_of_a_label():
    value = np.array([-1.0, 0.0, 1.0])
    few, many = (recalibrate(value, np.full(3, n), n * expit(value)) for n in (0.0, 1e6))
    assert np.all(few.variance >= few.share * (1 - few.share) - 1e-12)
    assert many.variance == pytest.approx(many.share * (1 - many.share), rel=1e-4)


def test_a_sure_model_is_doubted_before_labels_agree():
    curve = recalibrate(np.array([-10.0]), np.zeros(1), np.zeros(1))
    assert curve.variance[0] > 5 * curve.share[0] * (1 - curve.share[0])
