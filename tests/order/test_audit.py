"""An audit finds what was done to the order, in whatever shape the logs are, and says what it does not know."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from random import Random

import pytest
from scipy.stats import binomtest, fisher_exact

import order.logged_world as logs
from martello.errors import DataError
from martello.order.audit import audit_files
from martello.order.edits import read_edits
from martello.order.facts import RankedDecision
from martello.order.keys import Keyring, SecretKey
from martello.order.seal import Sealer
from martello.order.sentence import headline, next_step
from martello.order.shapes import Fields
from martello.stats.estimate import Estimate, NotEstimable, Verdict

HOUR = 3_600_000_000


def counts(told):
    return Counter(each["was"] for each in told)


def found(report):
    return {each.kind: each.n for each in report.kinds}


def audit(folder, told, shape="martello", **settings):
    return audit_files(*logs.write(folder, shape, told), shape=shape, **settings)


def lines(path, rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("shape", logs.WRITERS)
def test_every_shape_of_log_tells_the_same_story(tmp_path, shape):
    told = logs.world(300)
    was = counts(told)
    report = audit(tmp_path, told, shape)
    assert (report.decisions, report.lists, report.coverage) == (300, 300, 1.0)
    assert (report.kept, report.violated) == (was["kept"], was["reorder"] + was["foreign"])
    # A foreign item in a slot pushes the sealed one out: in whole lists that is a drop, too.
    expected = {"reorder": was["reorder"], "foreign": was["foreign"]}
    if shape in ("martello", "personalize", "metarank"):
        expected["drop"] = was["foreign"]
    assert found(report) == expected
    assert report.verdict is Verdict.NOT_MET
    assert (report.refused_decisions.n, report.refused_renders.n) == (0, 0)


@pytest.mark.parametrize("shape", logs.WRITERS)
def test_logs_that_keep_the_order_are_found_to_keep_it(tmp_path, shape):
    report = audit(tmp_path, logs.world(100, broken=0.0), shape)
    assert (report.verdict, report.violated, found(report)) == (Verdict.MET, 0, {})


@pytest.mark.parametrize("shape", logs.WRITERS)
def test_rows_of_any_rubbish_are_named_and_passed_over(tmp_path, shape):
    told = logs.world(40)
    decisions, renders = logs.write(tmp_path, shape, told)
    clean = audit_files(decisions, renders, shape=shape)
    rng = Random(5)
    values = [None, 0, -1, 1.5, "", "x", [], {}, [[]], [{}], True, "1" * 400, {"a": {}}, ["a", "a"], 10**30]
    for path in (decisions, renders):
        rows = path.read_text().splitlines()
        rubbish = ["{", "[1]", "nonsense", '"text"', "{}", "\ufeff", "null"]
        for row in rng.sample(rows, min(len(rows), 30)):
            broken = json.loads(row)
            place = broken
            while True:
                key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
                if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.7:
                    place = place[key]
                    continue
                place[key] = rng.choice(values)
                break
            # Under another id, so that what is whole stays whole.
            rubbish.append(
                json.dumps(broken).replace('"q-', '"broken-').replace('"r-q', '"r-broken').replace('"e-q', '"e-b')
            )
        path.write_text("\n".join(rows + rubbish) + "\n")
    report = audit_files(decisions, renders, shape=shape)
    assert report.kept >= clean.kept
    assert report.refused_decisions.n >= 7 if shape != "martello" else report.refused_decisions.n >= 5
    assert report.refused_renders.n >= 5
    assert len(report.refused_renders.examples) == 5
    assert all(example.startswith("row ") for example in report.refused_renders.examples)


def test_rates_have_the_intervals_of_an_independent_calculation(tmp_path):
    told = [{**each, "user": f"u-{k}"} for k, each in enumerate(logs.world(200))]
    report = audit(tmp_path, told)
    bad = sum(each["was"] != "kept" for each in told)
    exact = binomtest(bad, 200).proportion_ci(0.95, "exact")
    assert report.rate.value == bad / 200
    assert (report.rate.low, report.rate.high) == pytest.approx((exact.low, exact.high))
    by_build = {group.value: group for group in report.groups if group.by == "build"}
    assert by_build["b1"].violated == 0
    assert by_build["b2"].violated == bad
    assert by_build["b2"].first_violated_at == min(
        logs.iso(each["ms"]).replace("Z", "+00:00") for each in told if each["was"] != "kept"
    )


def test_lists_of_one_person_do_not_count_as_many_witnesses(tmp_path):
    told = logs.world(400, seed=2)
    for each in told:  # one person in five has a page that breaks every list
        each["user"] = f"u-{int(each['id'][2:]) % 20}"
        each["shown"] = each["items"][::-1] if int(each["user"][2:]) % 5 == 0 else each["items"]
    together = audit(tmp_path, told).rate
    alone = audit(tmp_path, [{**each, "user": each["id"]} for each in told]).rate
    assert together.value == alone.value == 0.2
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_below_four_fifths_of_coverage_nobody_knows_and_the_bounds_say_how_little(tmp_path):
    told = logs.world(200, seed=3)
    decisions, renders = logs.write(tmp_path, "martello", told)
    seen = {each["id"] for each in told[:150]}
    rows = [json.loads(row) for row in renders.read_text().splitlines()]
    lines(renders, [row for row in rows if row["data"]["did"] in seen])
    report = audit_files(decisions, renders)
    bad = sum(each["was"] != "kept" for each in told[:150])
    assert report.coverage == 0.75
    assert report.bounds == (bad / 200, (bad + 50) / 200)
    # The truth, which the audit could not see, lies between.
    assert report.bounds[0] <= sum(each["was"] != "kept" for each in told) / 200 <= report.bounds[1]
    assert report.verdict is Verdict.UNDECIDED
    assert found(report)["unobserved"] == 50
    assert headline(report).startswith("Unknown: only 75% of 200 decisions were seen")
    assert "observeRender" in next_step(report)


def test_decisions_too_young_to_have_been_shown_are_not_asked_for(tmp_path):
    told = logs.world(100, broken=0.0)
    decisions, renders = logs.write(tmp_path, "martello", told)
    rows = renders.read_text().splitlines()
    lines(renders, [row for row in rows if json.loads(row)["data"]["did"] not in {"q-98", "q-99"}])
    assert audit_files(decisions, renders).coverage == 0.98
    with_window = audit_files(decisions, renders, window=5_000_000)
    assert (with_window.coverage, with_window.not_due) == (1.0, 5)


def test_a_tolerance_is_met_only_when_the_interval_says_so(tmp_path):
    told = [{**each, "user": each["id"]} for each in logs.world(400, broken=0.05, seed=1)]
    rate = audit(tmp_path, told).rate
    verdicts = {t: audit(tmp_path, told, tolerance=t).verdict for t in (0.0, rate.low / 2, rate.value, rate.high)}
    assert list(verdicts.values()) == [Verdict.NOT_MET, Verdict.NOT_MET, Verdict.UNDECIDED, Verdict.MET]


def test_an_event_sent_again_counts_once_and_the_last_whole_render_of_a_list_is_the_one_that_counts(tmp_path):
    decisions = lines(tmp_path / "d.jsonl", [{"decision": "d", "items": ["a", "b", "c"]}])

    def render(id, names, **data):
        return {"id": id, "data": {"did": "d", "shown": [{"id": each} for each in names], **data}}

    again = audit_files(decisions, lines(tmp_path / "r.jsonl", [render("r1", "abc"), render("r1", "cba")]))
    assert (again.renders, again.violated) == (1, 0)
    mended = audit_files(decisions, lines(tmp_path / "r.jsonl", [render("r1", "cba"), render("r2", "abc")]))
    assert (mended.renders, mended.lists, mended.violated) == (2, 1, 0)
    left = audit_files(decisions, lines(tmp_path / "r.jsonl", [render("r1", "cba"), render("r2", "a", complete=False)]))
    assert left.violated == 1
    pages = audit_files(
        decisions,
        lines(tmp_path / "r.jsonl", [render("r1", "ab"), render("r2", "c", offset=2), render("r3", "x", offset=3)]),
    )
    assert (pages.lists, pages.kept, pages.violated) == (3, 2, 1)


def test_two_lists_under_one_id_are_both_disbelieved(tmp_path):
    rows = [
        {"decision": "d", "items": ["a", "b"]},
        {"decision": "d", "items": ["b", "a"]},
        {"decision": "e", "items": ["a"]},
    ]
    decisions = lines(tmp_path / "d.jsonl", [*rows, rows[2]])
    renders = lines(tmp_path / "r.jsonl", [{"id": "r", "did": "d", "shown": ["a", "b"]}])
    report = audit_files(decisions, renders)
    assert report.refused_decisions.examples == ["row 2: decision 'd' is there already with another list"]
    assert (report.unverifiable, report.coverage) == (1, 0.0)


def test_a_fallback_is_counted_as_one_and_a_users_own_sort_is_nobodys_fault(tmp_path):
    edits = read_edits([{"op": "resort", "actor": "user"}])
    decisions = lines(tmp_path / "d.jsonl", [{"decision": "d", "items": ["a", "b"]}])
    rows = [
        {"id": "1", "shown": ["x"]},
        {"id": "2", "shown": ["y"]},
        {"id": "3", "did": "d", "shown": ["b", "a"], "actor": "user"},
    ]
    report = audit_files(decisions, lines(tmp_path / "r.jsonl", rows), edits=edits)
    assert (report.fallbacks, report.violated, report.by_user, report.kept) == (2, 2, 1, 0)
    assert any("under no decision" in note for note in report.notes)


def test_drops_beyond_the_declared_share_are_a_warning_to_filter_before_ranking(tmp_path):
    edits = read_edits([{"op": "drop", "reasons": ["no_permission"], "max_share": 0.1}])
    decisions = lines(tmp_path / "d.jsonl", [{"decision": "d", "items": ["a", "b", "c", "d"]}])
    row = {"id": "1", "did": "d", "shown": ["a", "c", "d"], "dropped": [{"id": "b", "reason": "no_permission"}]}
    report = audit_files(decisions, lines(tmp_path / "r.jsonl", [row]), edits=edits)
    assert report.verdict is Verdict.MET
    assert any(note.startswith("25% of the items were dropped") for note in report.notes)


def test_arms_that_differ_in_violations_void_the_comparison(tmp_path):
    told = logs.world(400, broken=0.0)
    for k, each in enumerate(told):
        each["user"] = each["id"]
        if each["arm"] == "new" and k % 5 == 1:
            each["shown"] = each["items"][::-1]
    report = audit(tmp_path, told)
    bad = {arm: sum(e["arm"] == arm and e["shown"] != e["items"] for e in told) for arm in ("new", "old")}
    expected = fisher_exact([[bad["new"], 200 - bad["new"]], [bad["old"], 200 - bad["old"]]]).pvalue
    assert report.arms_p_value == pytest.approx(expected)
    assert any("The arms differ" in note for note in report.notes)


def test_ordinals_that_count_from_zero_are_noticed(tmp_path):
    told = logs.world(50, broken=0.0)
    decisions, renders = logs.write(tmp_path, "ubi", told)
    rows = [json.loads(row) for row in renders.read_text().splitlines()]
    for row in rows:
        if "event_attributes" in row:
            row["event_attributes"]["position"]["ordinal"] -= 1
    report = audit_files(decisions, lines(renders, rows), shape="ubi")
    assert report.violated == 0
    assert any("count from 0" in note for note in report.notes)


def test_a_log_says_where_it_keeps_what_is_compared_by(tmp_path):
    report = audit(tmp_path, logs.world(50), "ubi", fields=Fields(build="event_attributes.build", arm="nowhere.at_all"))
    assert {group.value for group in report.groups if group.by == "build"} <= {"b1", "b2"}
    assert {group.by for group in report.groups} == {"surface", "build"}


def test_seals_in_renders_are_opened_when_there_are_keys(tmp_path):
    secret = SecretKey(bytes(32))
    token = Sealer(secret).seal(RankedDecision(decision="d", items=("a", "b"))).token
    other = Sealer(secret).seal(RankedDecision(decision="e", items=("a", "b"))).token
    decisions = lines(tmp_path / "d.jsonl", [{"decision": "d", "items": ["a", "b"]}])
    for seal, ring, state in (
        (token, Keyring(secret=[secret.raw]), "kept"),
        (token, Keyring(), "unverifiable"),
        (other, Keyring(secret=[secret.raw]), "unverifiable"),
        ("rubbish", Keyring(secret=[secret.raw]), "unverifiable"),
        ("rubbish", None, "kept"),
    ):
        renders = lines(tmp_path / "r.jsonl", [{"id": "1", "did": "d", "shown": ["a", "b"], "seal": seal}])
        report = audit_files(decisions, renders, keys=ring)
        assert (report.kept, report.unverifiable) == ((1, 0) if state == "kept" else (0, 1))


def test_files_may_be_compressed_or_one_array_or_a_servers_log(tmp_path):
    told = logs.world(30)
    decisions, renders = logs.write(tmp_path, "martello", told)
    expected = audit_files(decisions, renders).kinds
    packed = tmp_path / "d.jsonl.gz"
    packed.write_bytes(gzip.compress(decisions.read_bytes()))
    array = tmp_path / "r.json"
    array.write_text("  [" + ",".join(renders.read_text().splitlines()) + "]")
    assert audit_files(packed, array).kinds == expected
    framed = lines(tmp_path / "f.log", [f"{len(r):08x} 00c0ffee {r}" for r in decisions.read_text().splitlines()])
    assert audit_files(framed, renders).kinds == expected


@pytest.mark.parametrize(
    ("name", "content", "shape", "code"),
    [
        ("absent.jsonl", None, "martello", "order.no-file"),
        ("d.jsonl", "", "martello", "order.no-decisions"),
        ("d.jsonl", '{"query_id": 1}\n', "ubi", "order.no-decisions"),
        ("d.json", "[1, 2", "martello", "order.no-log"),
        ("d.gz", "no gzip", "martello", "order.no-log"),
        ("d.jsonl", "", "ubj", "order.unknown-shape"),
    ],
)
def test_files_that_are_no_logs_are_refused_by_name(tmp_path, name, content, shape, code):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError) as fault:
        audit_files(path, path, shape=shape)
    assert fault.value.code == code


def test_without_renders_nothing_is_known(tmp_path):
    report = audit_files(
        lines(tmp_path / "d.jsonl", [{"decision": "d", "items": ["a"]}]), lines(tmp_path / "r.jsonl", [])
    )
    assert report.verdict is Verdict.UNDECIDED
    assert isinstance(report.rate, NotEstimable)
    assert report.bounds == (0.0, 1.0)
    assert not isinstance(report.harm.lost_clicks, Estimate)
