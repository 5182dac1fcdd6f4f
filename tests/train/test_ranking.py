"""Rankers: orders within queries, learned and by rule; the same bytes, the same bits, faults by name."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from martello.errors import DataError, IntegrityError, SpecError
from martello.spec.schema import Field
from martello.train.ranking import ConstantOrder, LambdaRank, OneFeature, fit_ranker, load_ranker

FIELDS = (
    Field(name="signal", type="number", optional=True),
    Field(name="noise", type="number"),
    Field(name="kind", type="category"),
)
QUICK = {"trees": 40}


def lists(n_queries=80, size=8, *, seed=0):
    rng = np.random.default_rng(seed)
    n = n_queries * size
    signal, noise, kind = rng.normal(size=n), rng.normal(size=n), rng.choice(["a", "b"], n)
    grade = np.clip(np.round(signal + (kind == "a") + 0.3 * rng.normal(size=n)), 0, 3).astype(int)
    columns = {"signal": signal.tolist(), "noise": noise.tolist(), "kind": kind.tolist()}
    return columns, grade, np.repeat(np.arange(n_queries), size)


def ndcg(grade, query, scores):
    parts = [(grade[query == q], scores[query == q]) for q in np.unique(query)]
    return np.mean([ndcg_score([truth], [own]) for truth, own in parts if truth.any()])


def test_it_learns_what_orders_and_beats_the_simple_rules_on_other_queries():
    columns, grade, query = lists()
    others, truth, asked = lists(seed=1)
    found = {}
    for ranker in (LambdaRank(), OneFeature("signal"), ConstantOrder()):
        fitted = fit_ranker(ranker, columns, grade, query, fields=FIELDS, seed=3)
        found[ranker.name] = ndcg(truth, asked, load_ranker(fitted.files, fields=FIELDS).scores(others))
    assert found["lambdarank"] > found["one-feature"] + 0.02 > found["constant"] + 0.1


def test_the_same_seed_gives_the_same_bytes_and_its_settings_give_them_without_searching():
    columns, grade, query = lists()
    first, again = (fit_ranker(LambdaRank(), columns, grade, query, fields=FIELDS, seed=5) for _ in range(2))
    assert first.files == again.files
    settings = fit_ranker(LambdaRank(), columns, grade, query, fields=FIELDS, seed=5, settings=first.settings)
    assert settings == first
    assert set(first.files) == {"ranker.json", "encoders.json", "trees.txt"}


def test_rows_may_come_in_any_order():
    columns, grade, query = lists()
    mixed = np.argsort(np.random.default_rng(2).permutation(len(grade)) % 7, kind="stable")
    shuffled = {name: [values[i] for i in mixed] for name, values in columns.items()}
    others, truth, asked = lists(seed=1)
    quality = []
    for some, order in ((columns, np.arange(len(grade))), (shuffled, mixed)):
        fitted = fit_ranker(LambdaRank(), some, grade[order], query[order], fields=FIELDS, seed=3, settings=QUICK)
        quality.append(ndcg(truth, asked, load_ranker(fitted.files, fields=FIELDS).scores(others)))
    assert quality[0] == pytest.approx(quality[1], abs=0.02)
    assert min(quality) > 0.9


def test_scores_are_those_of_the_package_and_one_row_scores_as_among_others():
    columns, grade, query = lists()
    fitted = fit_ranker(LambdaRank(), columns, grade, query, fields=FIELDS, seed=3, settings=QUICK)
    scorer = load_ranker(fitted.files, fields=FIELDS)
    columns["kind"][0] = "never seen"
    columns["signal"][1] = None
    scores = scorer.scores(columns)
    levels = sorted({"a", "b"}, key=lambda level: (-columns["kind"].count(level), level))
    table = np.array(
        [
            [np.nan if s is None else s, n, levels.index(k) if k in levels else np.nan]
            for s, n, k in zip(*columns.values(), strict=True)
        ]
    )
    package = lightgbm.Booster(model_str=fitted.files["trees.txt"].decode())
    assert np.array_equal(scores, package.predict(table, raw_score=True, num_threads=1))
    alone = [scorer.scores({name: [values[i]] for name, values in columns.items()})[0] for i in range(20)]
    assert np.array_equal(alone, scores[:20])


def test_a_heavy_query_decides_what_a_light_one_contradicts():
    signal = np.tile(np.linspace(0, 1, 10), 60)
    query = np.repeat(np.arange(60), 10)
    rising = np.tile(np.arange(10) >= 5, 60).astype(int)
    grade = np.where(query < 20, rising, 1 - rising)  # two queries in three say that small values are wanted
    columns, fields = {"signal": signal.tolist()}, FIELDS[:1]

    def leaning(weight):
        fitted = fit_ranker(
            LambdaRank(), columns, grade, query, fields=fields, weight=weight, seed=1, settings={"trees": 20}
        )
        low, high = load_ranker(fitted.files, fields=fields).scores({"signal": [0.0, 1.0]})
        return high - low

    assert leaning(None) < 0 < leaning(np.where(query < 20, 10.0, 1.0))


def test_clicks_that_followed_the_place_are_freed_of_it_where_places_are_given():
    """Items were shown by a misleading score, and people looked at the first places most."""
    rng = np.random.default_rng(4)
    n_queries, size = 400, 8
    good, shown = rng.normal(size=(n_queries, size)), rng.normal(size=(n_queries, size))
    place = np.argsort(np.argsort(-shown, axis=1), axis=1) + 1
    clicked = (rng.random(good.shape) < 1 / (1 + np.exp(-2 * good))) & (rng.random(good.shape) < 1.0 / place**1.5)
    fields = (Field(name="good", type="number"), Field(name="shown", type="number"))
    columns = {"good": good.ravel().tolist(), "shown": shown.ravel().tolist()}
    query = np.repeat(np.arange(n_queries), size)
    quality = []
    for position in (None, place.ravel()):
        fitted = fit_ranker(
            LambdaRank(),
            columns,
            clicked.ravel().astype(int),
            query,
            fields=fields,
            position=position,
            seed=1,
            settings={"trees": 60},
        )
        scores = load_ranker(fitted.files, fields=fields).scores(columns)
        quality.append(np.corrcoef(scores, good.ravel())[0, 1])
    assert quality[1] > quality[0] + 0.1


def test_the_rule_orders_by_its_number_and_puts_what_is_not_known_last():
    columns = {"signal": [2.0, None, -1.0]}
    for largest_first, expected in ((True, [0, 2, 1]), (False, [2, 0, 1])):
        rule = OneFeature("signal", largest_first=largest_first)
        fitted = fit_ranker(rule, columns, [0, 1, 0], ["q"] * 3, fields=FIELDS[:1], seed=0)
        scores = load_ranker(fitted.files, fields=FIELDS[:1]).scores(columns)
        assert np.argsort(-scores).tolist() == expected
        assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("train.ranking-rows", {"relevance": [0, 1]}),
        ("train.ranking-rows", {"columns": {"signal": [1.0]}}),
        ("train.relevance-not-a-grade", {"relevance": [0, 1, 0.5, 0]}),
        ("train.relevance-not-a-grade", {"relevance": [0, 31, 0, 0]}),
        ("train.relevance-not-a-grade", {"relevance": [0, np.nan, 0, 0]}),
        ("train.query-weight", {"weight": [1, 2, 1, 1]}),
        ("train.query-weight", {"weight": [0, 0, 1, 1]}),
        ("train.query-weight", {"weight": [np.inf, np.inf, 1, 1]}),
        ("train.position-not-a-place", {"position": [0, 1, 1, 2]}),
        ("train.nothing-to-rank", {"relevance": [1, 1, 0, 0]}),
    ],
)
def test_lists_that_cannot_be_learned_from_are_refused_by_name(code, change):
    given = {"columns": {"signal": [1.0, 2.0, 3.0, 4.0]}, "relevance": [0, 1, 0, 1], "query": [1, 1, 2, 2]} | change
    with pytest.raises(DataError, match=code):
        fit_ranker(LambdaRank(), fields=FIELDS[:1], seed=0, **given)


def test_a_query_longer_than_lightgbm_takes_is_refused_before_it_aborts():
    n = 10_001
    with pytest.raises(DataError, match=r"train\.query-too-long"):
        fit_ranker(LambdaRank(), {"signal": [0.0] * n}, [0, 1] + [0] * (n - 2), [0] * n, fields=FIELDS[:1], seed=0)


def test_text_is_refused_with_what_to_do_instead_and_so_is_a_rule_by_what_is_no_number():
    text = (Field(name="title", type="text"),)
    with pytest.raises(SpecError, match="trigram_sim"):
        fit_ranker(LambdaRank(), {"title": ["a", "b"]}, [0, 1], [1, 1], fields=text, seed=0)
    columns, grade, query = lists(2)
    with pytest.raises(SpecError, match=r"train\.bad-options"):
        fit_ranker(OneFeature("kind"), columns, grade, query, fields=FIELDS, seed=0)


def test_files_that_are_no_ranker_are_refused_by_name():
    columns, grade, query = lists(30)
    files = fit_ranker(LambdaRank(), columns, grade, query, fields=FIELDS, seed=0, settings=QUICK).files
    rule = fit_ranker(OneFeature("signal"), columns, grade, query, fields=FIELDS, seed=0).files
    for broken, fields in (
        ({}, FIELDS),
        (files | {"ranker.json": b'{"name":"os.system"}'}, FIELDS),
        ({"ranker.json": files["ranker.json"]}, FIELDS),
        (rule, FIELDS[1:]),
        (rule | {"rule.json": b"[]"}, FIELDS),
    ):
        with pytest.raises(IntegrityError, match=r"train\.not-a-ranker"):
            load_ranker(broken, fields=fields)
    with pytest.raises(IntegrityError, match=r"train\.not-a-forest"):
        load_ranker(files | {"trees.txt": b"nothing"}, fields=FIELDS)
