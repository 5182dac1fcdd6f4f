from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from running_server import ids_on_disk, lines_on_disk
from tiny_server import TOKEN

PROBLEM_KEYS = {"type", "title", "status", "code", "what", "where", "expected", "try", "others"}


def assert_problem(answer, status, code):
    got_status, headers, problem = answer
    assert (got_status, problem["code"]) == (status, code)
    assert headers["content-type"] == "application/problem+json"
    assert set(problem) == PROBLEM_KEYS
    assert problem["status"] == status
    assert problem["type"] == f"urn:martello:error:{code}"
    return problem


def test_one_unit_is_decided_and_logged_with_what_the_model_saw(server):
    status, headers, answer = server.ask("POST", "/decide", {"unit": "ann", "input": {"age": 62, "income": 1.5}})
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert answer["unit"] == "ann"
    assert answer["output"] == "yes"
    assert answer["scores"] == {"no": 1 - 0.62, "yes": 0.62}
    assert answer["release"] == "release-tiny"
    (logged,) = [entry for entry in lines_on_disk(server.log_dir) if entry.get("id") == answer["id"]]
    assert logged["values"] == {"age": 62, "income": 1.5}
    assert logged["scores"] == [1 - 0.62, 0.62]
    assert (logged["output"], logged["unit"], logged["arm"], logged["propensity"]) == ("yes", "ann", None, 1.0)


def test_several_units_are_answered_in_the_order_they_were_sent(server):
    ages = [90, 10, 50, *range(100)]
    body = {"units": [{"unit": str(place), "input": {"age": age}} for place, age in enumerate(ages)]}
    status, _, answer = server.ask("POST", "/decide", body)
    assert status == 200
    assert [row["scores"]["yes"] for row in answer["decisions"]] == [age / 100 for age in ages]
    assert [row["unit"] for row in answer["decisions"]] == [str(place) for place in range(len(ages))]
    ids = [row["id"] for row in answer["decisions"]]
    assert len(set(ids)) == len(ages)
    assert set(ids) <= set(ids_on_disk(server.log_dir, "decision"))


def test_no_units_are_no_fault(server):
    assert server.ask("POST", "/decide", {"units": []})[::2] == (200, {"decisions": []})


def test_a_decision_can_be_read_back(server):
    _, answer = server.decide(71, "bob")
    status, _, logged = server.ask("GET", f"/decisions/{answer['id']}")
    assert status == 200
    assert {key: logged[key] for key in answer} == answer
    assert logged["values"] == {"age": 71}
    assert logged["at"].endswith("Z")


@pytest.mark.parametrize("wanted", ["0123456789ab-1", "nothing", "..%2F..%2Fetc%2Fpasswd", "*-1", ""])
def test_an_unknown_decision_is_named(server, wanted):
    assert_problem(server.ask("GET", f"/decisions/{wanted}"), 404, "serve.unknown-decision")


def test_faults_of_one_input_are_the_releases_own(server):
    problem = assert_problem(server.ask("POST", "/decide", {"input": {"age": "old"}}), 400, "features.wrong-type")
    assert (problem["where"], problem["expected"]) == ("field age", "a whole number")
    assert "'old'" in problem["what"]


def test_faults_of_several_inputs_come_together_and_nothing_is_decided(server):
    before = ids_on_disk(server.log_dir, "decision")
    body = {"units": [{"input": {"age": 1}}, {"input": {"age": None}}, {"input": {"age": 2, "agee": 3}}]}
    problem = assert_problem(server.ask("POST", "/decide", body), 400, "features.wrong-type")
    assert problem["where"] == "units[1], field age"
    assert [(other["code"], other["where"]) for other in problem["others"]] == [
        ("features.unknown-field", "units[2], field agee")
    ]
    assert ids_on_disk(server.log_dir, "decision") == before


@pytest.mark.parametrize(
    ("body", "where", "expected"),
    [
        ({"input": 3}, "$.input", "object"),
        ({"input": {}, "unit": 3}, "$.unit", "str | null"),
        ({"input": {}, "unit": ""}, "$.unit", "str"),
        ({"units": {"input": {}}}, "$.units", "array"),
        ({"units": [{"input": {}}, {"unit": "a"}]}, "$.units[1]", ""),
        ([1], "$", "object"),
        ({"inputs": {}}, "$", ""),
        ({}, "$", '{"input"'),
        ({"input": {}, "units": []}, "$", '{"input"'),
    ],
)
def test_a_body_of_the_wrong_shape_says_where(server, body, where, expected):
    problem = assert_problem(server.ask("POST", "/decide", body), 400, "serve.wrong-shape")
    assert problem["where"] == where
    assert problem["expected"].startswith(expected)


def test_an_unknown_key_gets_the_nearest_known_one(server):
    assert server.ask("POST", "/decide", {"inputs": {}})[2]["try"] == "did you mean `input`?"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"age=3",
        b"\xff\xfe",
        b'{"input": {"note": "\xff"}}',
        b'{"input": {"age": NaN}}',
        b'{"input": {"note": "\\ud800"}}',
        b'{"input": {}} {}',
        b'{"input": {"age": ' + b"[" * 200_000,
    ],
    ids=["empty", "cut", "form", "no text", "bad text", "NaN", "half a surrogate", "two", "deep"],
)
def test_a_body_that_is_no_json_is_refused(server, body):
    assert_problem(server.ask("POST", "/decide", body), 400, "serve.not-json")


def test_numbers_beyond_every_float_are_refused(server):
    assert_problem(server.ask("POST", "/decide", b'{"input": {"age": 1e999}}'), 400, "serve.wrong-shape")


def test_too_many_rows_are_refused(server):
    body = {"units": [{"input": {"age": 1}}] * 1001}
    assert_problem(server.ask("POST", "/decide", body), 413, "serve.too-many-rows")


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}])
def test_only_plain_json_is_taken(server, headers):
    answer = server.ask("POST", "/decide", {"input": {"age": 1}}, headers=headers)
    assert_problem(answer, 415, "serve.wrong-content-type")


def test_a_content_type_may_name_its_charset(server):
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert server.ask("POST", "/decide", {"input": {"age": 1}}, headers=headers)[0] == 200


@pytest.mark.parametrize("path", ["/decide", "/outcomes", "/readyz", "/openapi.json", "/docs", "/decisions/x", "/x"])
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", TOKEN[:-1]])
def test_no_route_answers_without_the_token(server, path, token):
    for method in ("GET", "POST"):
        answer = server.ask(method, path, {} if method == "POST" else None, token=token)
        assert_problem(answer, 401, "serve.unauthorized")
        schemes = ["Bearer", "Basic"] if path in ("/docs", "/openapi.json") else ["Bearer"]
        assert answer[1].get_all("www-authenticate") == schemes


def test_only_the_pages_for_people_take_the_token_as_a_password(server):
    basic = {"Authorization": "Basic " + base64.b64encode(f"anyone:{TOKEN}".encode()).decode()}
    assert server.ask("GET", "/docs", headers=basic, token=None)[0] == 200
    assert server.ask("GET", "/openapi.json", headers=basic, token=None)[0] == 200
    assert server.ask("GET", "/readyz", headers=basic, token=None)[0] == 401
    assert server.ask("POST", "/decide", {"input": {"age": 1}}, headers=basic, token=None)[0] == 401
    wrong = {"Authorization": "Basic " + base64.b64encode(b"anyone:else").decode()}
    assert server.ask("GET", "/docs", headers=wrong, token=None)[0] == 401
    assert server.ask("GET", "/docs", headers={"Authorization": "Basic ?"}, token=None)[0] == 401


def test_health_needs_no_token(server):
    assert server.ask("GET", "/healthz", token=None)[::2] == (200, {"status": "alive"})
    assert server.ask("HEAD", "/healthz", token=None)[::2] == (200, b"")


def test_readiness_is_said(server):
    assert server.ask("GET", "/readyz")[::2] == (200, {"status": "ready"})


@pytest.mark.parametrize("path", ["/", "/decide/", "/nothing", "/decisions", "/%00"])
def test_an_unknown_route_is_named(server, path):
    assert_problem(server.ask("GET", path), 404, "serve.unknown-route")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/decide", "POST"), ("DELETE", "/docs", "GET, HEAD"), ("PUT", "/decisions/x", "GET, HEAD")],
)
def test_a_wrong_method_says_which_is_right(server, method, path, allowed):
    answer = server.ask(method, path)
    assert_problem(answer, 405, "serve.wrong-method")
    assert answer[1]["allow"] == allowed


@pytest.mark.parametrize("age", [666, 667, 669])
def test_a_fault_of_the_model_is_told_without_its_insides_and_logs_nothing(server, age):
    before = ids_on_disk(server.log_dir, "decision")
    problem = assert_problem(server.ask("POST", "/decide", {"input": {"age": age}}), 500, "serve.model-failed")
    assert "ZeroDivision" not in json.dumps(problem)
    assert ids_on_disk(server.log_dir, "decision") == before
    assert server.decide(5)[0] == 200


def test_many_callers_at_once_each_get_their_own_answer(server):
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(server.decide, [age % 100 for age in range(200)]))
    assert [answer["scores"]["yes"] for _, answer in answers] == [age % 100 / 100 for age in range(200)]
    logged = ids_on_disk(server.log_dir, "decision")
    assert all(logged.count(answer["id"]) == 1 for _, answer in answers)


def outcome(name, **fields):
    return {"source": "shop", "id": name, "unit": "ann", "outcome": "yes"} | fields


def post_outcomes(server, *rows):
    status, _, answer = server.ask("POST", "/outcomes", {"outcomes": list(rows)})
    assert status == 200
    return answer["outcomes"]


def test_an_outcome_counts_once_however_often_it_is_sent(server):
    first, again = post_outcomes(server, outcome("once"), outcome("once"))
    assert (first["status"], again["status"]) == ("accepted", "duplicate")
    assert [row["status"] for row in post_outcomes(server, outcome("once"))] == ["duplicate"]
    assert [row["status"] for row in post_outcomes(server, outcome("once", source="other"))] == ["accepted"]
    assert [row["status"] for row in post_outcomes(server, outcome("once", outcome="no"))] == ["conflict"]
    entries = [entry for entry in lines_on_disk(server.log_dir) if entry.get("id") == "once"]
    assert [(entry["source"], entry["outcome"]) for entry in entries] == [("shop", "yes"), ("other", "yes")]


def test_an_outcome_keeps_the_moment_it_happened(server):
    post_outcomes(server, outcome("when", at="2026-01-01T01:00:00.000001+01:00"))
    (entry,) = [entry for entry in lines_on_disk(server.log_dir) if entry.get("id") == "when"]
    assert entry["at"] == 1767225600_000001


def test_faulty_outcomes_do_not_hold_back_the_others(server):
    rows = [
        outcome("good-1"),
        outcome("bad-1", outcome="yess"),
        outcome("bad-2", unit=None),
        outcome("bad-3", at="2026-01-01T00:00:00"),
        {"id": "bad-4"},
        7,
        outcome("good-2", decision="0123456789ab-1"),
    ]
    receipts = post_outcomes(server, *rows)
    assert [row["status"] for row in receipts] == ["accepted", *["rejected"] * 5, "accepted"]
    assert receipts[1]["error"]["code"] == "serve.unknown-outcome"
    assert receipts[1]["error"]["try"] == "did you mean 'yes'?"
    assert {row["error"]["code"] for row in receipts[2:6]} == {"serve.wrong-shape"}
    assert set(ids_on_disk(server.log_dir, "outcome")).isdisjoint({"bad-1", "bad-2", "bad-3", "bad-4"})
    assert {"good-1", "good-2"} <= set(ids_on_disk(server.log_dir, "outcome"))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "serve.not-json"),
        ({"outcome": []}, 400, "serve.wrong-shape"),
        ({"outcomes": [7] * 1001}, 413, "serve.too-many-rows"),
    ],
)
def test_outcomes_without_their_frame_are_refused(server, body, status, code):
    assert_problem(server.ask("POST", "/outcomes", body), status, code)


def test_the_same_outcome_from_many_callers_is_on_disk_once(server):
    rows = [outcome(f"race-{number}") for number in range(20)]
    with ThreadPoolExecutor(8) as callers:
        receipts = list(callers.map(lambda _: post_outcomes(server, *rows), range(8)))
    for place, row in enumerate(rows):
        statuses = [receipt[place]["status"] for receipt in receipts]
        assert sorted(statuses) == ["accepted", *["duplicate"] * 7]
        assert ids_on_disk(server.log_dir, "outcome").count(row["id"]) == 1
