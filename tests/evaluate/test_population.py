"""Weights that stand for another population are refused; those of honest draws, of any design, pass."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martello.cli import main
from martello.errors import DataError
from martello.evaluate.population import check_population

N = 10_000
SIZE = np.random.default_rng(1).lognormal(0, 1, N)


def is_refused(
    weight: np.ndarray, *, population: int = N, labeled: np.ndarray | None = None, cluster: np.ndarray | None = None
) -> bool:
    labeled = np.ones(len(weight), dtype=bool) if labeled is None else labeled
    try:
        check_population(weight, labeled, cluster, population, where="w")
    except DataError as refused:
        return refused.code == "evaluate.weights-off-population"
    return False


def poisson(seed: int) -> np.ndarray:
    """Each unit for itself, large ones more likely."""
    pi = np.minimum(1, 500 * SIZE / SIZE.sum())
    return 1 / pi[np.random.default_rng(seed).random(N) < pi]


def clusters(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One in ten of 400 clusters of very different size."""
    rng = np.random.default_rng(seed)
    size = np.random.default_rng(0).multinomial(N, np.random.default_rng(0).dirichlet(np.ones(400)))
    drawn = np.flatnonzero(rng.random(400) < 0.1)
    return np.full(size[drawn].sum(), 10.0), np.repeat(drawn, size[drawn])


def test_weights_of_honest_draws_pass_whatever_the_design() -> None:
    assert not is_refused(np.full(500, 20.0)), "simple random"
    assert not any(is_refused(poisson(seed)) for seed in range(300))
    for seed in range(300):
        weight, cluster = clusters(seed)
        assert not is_refused(weight, cluster=cluster)


def test_clusters_drawn_whole_know_the_size_less_well_than_rows() -> None:
    """The same weights without their clusters claim a certainty that the draw did not have."""
    refused = [is_refused(clusters(seed)[0]) for seed in range(300)]
    assert np.mean(refused) > 0.3


def test_weights_scaled_to_the_sample_are_refused_with_the_factor() -> None:
    with pytest.raises(DataError, match=r"add up to 500 units, and the population has 10,000: 20 times too few"):
        check_population(np.ones(500), np.ones(500, dtype=bool), None, N, where="w")


def test_weights_of_another_draw_are_refused() -> None:
    assert is_refused(np.full(500, 40.0))
    assert is_refused(poisson(1) * 2)
    assert is_refused(poisson(1) / 2)


def test_a_full_count_has_no_slack() -> None:
    assert not is_refused(np.ones(N))
    assert is_refused(np.ones(N - 1))


def test_missing_labels_are_no_fault_of_the_weights() -> None:
    labeled = np.random.default_rng(0).random(500) < 0.5
    assert not is_refused(np.full(500, 20.0), labeled=labeled)


def test_a_file_of_the_whole_population_is_judged_by_its_labeled_rows() -> None:
    labeled = np.random.default_rng(0).random(N) < 0.05
    assert not is_refused(np.full(N, 20.0), labeled=labeled)


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, object]]:
    rng = np.random.default_rng(3)
    score = rng.random(400)
    columns = {
        "s": score,
        "y": (rng.random(400) < score).astype(int),
        "pi": np.full(400, 0.1),
        "q": np.arange(400) // 4,
    }
    pq.write_table(pa.table(columns), tmp_path / "scores.parquet")
    code = main(["evaluate", str(tmp_path / "scores.parquet"), "--score", "s", "--label", "y", *options, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_command_checks_what_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right, _ = run(tmp_path, capsys, "--pi", "pi", "--population", "4100")
    wrong, said = run(tmp_path, capsys, "--pi", "pi", "--population", "40000")
    assert right == 0
    assert wrong == 2
    assert "evaluate.weights-off-population" in json.dumps(said)
    assert "10 times too few" in json.dumps(said)


@pytest.mark.parametrize(
    "options", [("--population", "4000"), ("--pi", "pi", "--population", "0"), ("--query", "q", "--population", "100")]
)
def test_a_population_without_a_meaning_is_refused(
    options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = run(tmp_path, capsys, *options)
    assert code == 2
    assert "evaluate.options-disagree" in json.dumps(said)
