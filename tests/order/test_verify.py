"""A browser that holds no secret checks a seal as Python does."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from martello.order.facts import RankedDecision
from martello.order.keys import Keyring, SecretKey, SigningKey, to_text
from martello.order.seal import Seal, Sealer, open_seal

pytestmark = pytest.mark.browser

SECRET, SIGNING = SecretKey(b"s" * 32), SigningKey(b"p" * 32)
IDS = (*(f"job-{k}" for k in range(45)), "ä", "日本", "👍", "9", "x" * 300)
SEAL = Sealer(SECRET, SIGNING).seal(RankedDecision(decision="d1", items=IDS, at=1), page=12)
KEYS = {SIGNING.id: to_text(SIGNING.public)}


@pytest.fixture(scope="module")
def browser_page(chromium):
    source = resources.files("martello.order").joinpath("verify.js").read_text(encoding="utf-8")
    page = chromium.new_page()
    # A page of this machine counts as secure; elsewhere browsers keep WebCrypto back.
    page.route("http://localhost/", lambda route: route.fulfill(body="<title>x</title>", content_type="text/html"))
    page.route("http://localhost/verify.js", lambda route: route.fulfill(body=source, content_type="text/javascript"))
    page.goto("http://localhost/")
    if not page.evaluate(
        "crypto.subtle.importKey('raw', new Uint8Array(32), 'Ed25519', 0, ['verify']).then(() => 1, () => 0)"
    ):
        pytest.skip("this Chromium has no Ed25519")
    yield page
    page.close()


def opened(page, seal, keys=None):
    return page.evaluate(
        "async ([seal, keys]) => (await import('/verify.js')).openSeal(seal, keys)",
        [{"token": seal.token, "signature": seal.signature}, KEYS if keys is None else keys],
    )


def checked(page, ids, offset=0):
    return page.evaluate(
        """async ([seal, keys, ids, offset]) => {
             const { openSeal, checkPage } = await import('/verify.js');
             const { order } = await openSeal(seal, keys);
             return checkPage(order, ids, offset);
           }""",
        [{"token": SEAL.token, "signature": SEAL.signature}, KEYS, list(ids), offset],
    )


def test_it_reads_what_python_reads(browser_page):
    ours = open_seal(SEAL, Keyring(public=[SIGNING.public]))
    theirs = opened(browser_page, SEAL)["order"]
    assert (theirs["did"], theirs["n"], tuple(theirs["cuts"]), theirs["chain"]) == (
        ours.did,
        ours.n,
        ours.cuts,
        ours.chain,
    )


@pytest.mark.parametrize(
    ("start", "end"), [(0, 50), (0, 0), (0, 1), (0, 7), (12, 24), (24, 50), (10, 20), (20, 24), (7, 12), (48, 50)]
)
def test_it_proves_of_every_page_what_python_proves(browser_page, start, end):
    ours = open_seal(SEAL, Keyring(public=[SIGNING.public]))
    for ids in (IDS[start:end], IDS[start:end][::-1], (*IDS[start:end], "x")):
        found = ours.check(ids, offset=start)
        assert checked(browser_page, ids, start) == {"proven": found.proven, "broken": found.broken}


def test_what_cannot_be_believed_has_a_reason_and_throws_nothing(browser_page):
    token, signature = SEAL.token, SEAL.signature
    other = Sealer(SECRET, SigningKey(b"q" * 32)).seal(RankedDecision(decision="d2", items=("a",), at=1))
    payload = token.split(".")[1]
    changed = token.replace(
        payload, to_text(json.dumps({"did": "d9", "n": 0, "cuts": [], "chain": "", "iat": 0}).encode())
    )
    for seal in (
        Seal(token=token),
        Seal(token=token, signature="a.b.c"),
        Seal(token=token, signature="!.!.!"),
        Seal(token="", signature=signature),
        Seal(token=changed, signature=signature),
        Seal(token=token, signature=other.signature),
        other,
    ):
        assert set(opened(browser_page, seal)) == {"unverifiable"}
    assert set(opened(browser_page, SEAL, {})) == {"unverifiable"}
    assert set(opened(browser_page, SEAL, {SIGNING.id: "AA"})) == {"unverifiable"}
