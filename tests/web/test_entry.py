"""Who may enter, from where, and with how much: asked over real connections."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path

import pytest
from labeling_world import Served

from martello.label.register import Register
from martello.web.entry import owner_token


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    one = Served(tmp_path_factory.mktemp("campaign")).start()
    yield one
    assert one.stop() == 0  # told to stop, it stops without dying of it


def ask(served: Served, method: str, path: str, body: bytes | None = None, **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    answer.text = answer.read()
    connection.close()
    return answer


def cookie(served: Served, name: str) -> str:
    return ask(served, "GET", f"/enter/{served.tokens[name]}").getheader("set-cookie").split(";")[0]


def test_a_link_sets_a_cookie_that_no_script_reads_and_no_other_site_sends(served):
    answer = ask(served, "GET", f"/enter/{served.tokens['Ada']}")
    said = answer.getheader("set-cookie").lower()
    assert f"martello-{served.port}=" in said
    assert "httponly" in said
    assert "samesite=strict" in said
    assert b'content="0; url=/label"' in answer.text


def test_the_cookie_opens_labeling_and_says_who(served):
    page = ask(served, "GET", "/label", cookie=cookie(served, "Ada"))
    assert page.status == 200
    assert b"<bdi>Ada</bdi>" in page.text


@pytest.mark.parametrize("path", ["/label", "/", "/ledger", "/label/meter", "/records/gate-0123456789ab", "/nothing"])
def test_nothing_is_shown_to_nobody(served, path):
    answer = ask(served, "GET", path, accept="application/json")
    assert answer.status == 401
    assert answer.getheader("content-type") == "application/problem+json"
    assert json.loads(answer.text)["code"] == "web.no-token"


def test_a_wrong_token_and_an_ended_one_are_told_apart(served):
    assert served.ask("/label/meter", authorization="Bearer guess")[1]["code"] == "label.unknown-token"
    days_ago = Register(served.directory / "room", clock=lambda: time.time() - 3 * 86_400)
    served.tokens["Old"] = days_ago.invite("Old", days=1)
    status, problem = served.ask("/label/meter", name="Old")
    assert (status, problem["code"]) == (401, "label.expired-token")
    assert b"ended" in ask(served, "GET", served.link("Old").removeprefix(served.url)).text


def test_somebody_whose_access_was_ended_is_out_at_once(served):
    served.tokens["Gone"] = served.register.invite("Gone")
    assert served.ask("/label/meter", name="Gone")[0] == 200
    served.register.revoke("Gone")
    assert served.ask("/label/meter", name="Gone")[0] == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/report"),
        ("GET", "/ledger"),
        ("GET", "/evaluate"),
        ("GET", "/records/gate-0123456789ab"),
        ("GET", "/label/team"),
        ("GET", "/label/disagreements"),
        ("POST", "/label/disagreements"),
        ("POST", "/label/guidelines"),
        ("POST", "/label/team/invite"),
        ("POST", "/label/team/revoke"),
    ],
)
def test_annotators_see_labeling_only(served, method, path):
    answer = ask(
        served, method, path, b"" if method == "POST" else None, authorization=f"Bearer {served.tokens['Ada']}"
    )
    assert answer.status == 403
    assert json.loads(answer.text)["code"] == "web.not-for-annotators"


def test_the_refusal_is_a_page_for_people(served):
    answer = ask(served, "GET", "/label/team", cookie=cookie(served, "Ada"), accept="text/html")
    assert answer.status == 403
    assert b"<h1>" in answer.text
    assert b'href="/label"' in answer.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example"])
def test_a_foreign_name_is_refused_whatever_the_token(served, host):
    status, problem = served.ask("/label/meter", host=host)
    assert (status, problem["code"]) == (421, "web.unknown-host")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9999", "[::1]:80", "192.168.1.7:8378"])
def test_localhost_and_bare_addresses_are_own_names(served, host):
    assert served.ask("/label/meter", host=host)[0] == 200


def test_a_form_of_another_site_changes_nothing(served):
    lead, before = cookie(served, "lead"), served.register.all()
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{served.port + 1}"):
        answer = ask(served, "POST", "/label/team/invite", b"name=Eve", cookie=lead, origin=origin)
        assert answer.status == 403
    answer = ask(served, "POST", "/label/team/invite", b"name=Eve", cookie=lead)  # no word of where it comes from
    assert answer.status == 403
    assert served.register.all() == before


def test_an_own_form_is_taken(served):
    answer = ask(
        served, "POST", "/label/team/invite", b"name=Dee&days=2", cookie=cookie(served, "lead"), origin=served.url
    )
    assert answer.status == 200
    assert b"/enter/" in answer.text
    assert "Dee" in [each.name for each in served.register.all()]


@pytest.mark.parametrize("form", [b"name=&days=3", b"name=Fay&days=-1", b"name=Fay&days=many", b"name=lead"])
def test_a_faulty_invitation_is_answered_beside_the_field_and_makes_nothing(served, form):
    before = served.register.all()
    answer = ask(served, "POST", "/label/team/invite", form, cookie=cookie(served, "lead"), origin=served.url)
    assert answer.status == 422
    assert b'aria-invalid="true"' in answer.text
    assert served.register.all() == before


def test_a_large_body_is_refused_before_it_is_read(served):
    token = f"Bearer {served.tokens['Ada']}"
    answer = ask(served, "POST", "/label/submit", b"x" * 1_000_001, authorization=token)
    assert answer.status == 413
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    pieces = (b"x" * 100_000 for _ in range(12))
    connection.request("POST", "/label/submit", pieces, {"authorization": token}, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff\xfe", b'{"submit_id": 7}', b'{"act": "delete"}'])
def test_a_body_that_cannot_be_read_is_named(served, body):
    answer = ask(served, "POST", "/label/submit", body, authorization=f"Bearer {served.tokens['Ada']}")
    assert answer.status == 400
    assert json.loads(answer.text)["code"] == "web.bad-body"


@pytest.mark.parametrize(
    "path",
    ["..%2Froom%2Fannotators.json", "%2Fetc%2Fpasswd", "room/annotators.json", "one.svg", "none.png", "a%00.png"],
)
def test_only_pictures_below_the_folder_are_given(served, path):
    answer = ask(served, "GET", f"/label/image/{path}", authorization=f"Bearer {served.tokens['Ada']}")
    assert (answer.status, json.loads(answer.text)["code"]) == (404, "web.no-image")


def test_a_link_out_of_the_folder_is_not_followed(served, tmp_path):
    outside = tmp_path / "secret.png"
    outside.write_bytes(b"secret")
    (served.directory / "inside.png").symlink_to(outside)
    assert ask(served, "GET", "/label/image/inside.png", authorization=f"Bearer {served.tokens['Ada']}").status == 404


def test_a_picture_is_only_ever_a_picture(served):
    answer = ask(served, "GET", "/label/image/one.png", authorization=f"Bearer {served.tokens['Ada']}")
    assert answer.getheader("content-type") == "image/png"
    assert answer.getheader("x-content-type-options") == "nosniff"
    assert "sandbox" in answer.getheader("content-security-policy")


@pytest.mark.parametrize("path", ["/label", "/nothing", "/static/label.js", "/label/meter", "/enter/guess"])
def test_every_answer_forbids_scripts_from_elsewhere(served, path):
    answer = ask(served, "GET", path, cookie=cookie(served, "lead"))
    policy = answer.getheader("content-security-policy")
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_no_page_carries_an_inline_script_or_style(served):
    for path in ("/label", "/label/team", "/label/guidelines", "/label/disagreements", "/label/answered", "/nothing"):
        text = ask(served, "GET", path, cookie=cookie(served, "lead")).text.decode()
        assert "<style" not in text
        assert " style=" not in text
        assert "<script>" not in text


def test_a_link_leads_to_no_other_place(served):
    for asked in ("https://evil.example", "//evil.example", "/ledger"):
        answer = ask(served, "GET", f"/enter/{served.tokens['lead']}?next={asked}")
        assert b'content="0; url=/label"' in answer.text


def test_the_owners_link_is_the_same_at_every_start_until_it_is_ended(tmp_path: Path):
    register, file = Register(tmp_path), tmp_path / "owner-token"
    token = owner_token(register, file, name="lead")
    assert owner_token(register, file, name="lead") == token
    assert file.stat().st_mode & 0o077 == 0
    register.revoke("lead")
    assert owner_token(register, file, name="lead") != token
    assert register.who(file.read_text()).role == "owner"


def test_a_port_in_use_is_named(served):
    from martello.errors import EnvironmentFault
    from martello.web.server import run

    with pytest.raises(EnvironmentFault) as caught:
        run(lambda scope, receive, send: None, port=served.port)
    assert caught.value.code == "web.port-in-use"
