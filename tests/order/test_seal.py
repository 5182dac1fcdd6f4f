"""A seal is believed when it is whole and its key is known, and any change of the order shows."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import subprocess
from base64 import urlsafe_b64decode
from random import Random

import pytest

from martello.errors import DataError
from martello.order.chain import check_page, cuts_of, fold
from martello.order.facts import RankedDecision
from martello.order.keys import Keyring, SecretKey, SigningKey, read_keyring, to_text
from martello.order.seal import Seal, SealedOrder, Sealer, Unverifiable, open_seal

SECRET, SIGNING = SecretKey(b"s" * 32), SigningKey(b"p" * 32)
SEALER = Sealer(SECRET, SIGNING)
SHARED = Keyring(secret=[SECRET.raw])
PUBLIC = Keyring(public=[SIGNING.public])
IDS = (*(f"job-{k}" for k in range(48)), "ä", "👍")
ORDER = RankedDecision(
    decision="d1", items=IDS, at=1000, expires_at=2000, surface="home.list", arm="new", subject="h4sh", release="r1"
)


def b64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def chained_by_hand(decision, ids, cuts):
    """The chain once more, from its formula, one byte string at a time."""
    state = hashlib.sha256(b"martello.order.v1" + bytes(1) + decision.encode()).digest()[:16]
    found = b""
    for start, end in zip([0, *cuts], cuts, strict=False):
        message = state
        for each in ids[start:end]:
            message += len(each.encode()).to_bytes(4, "big") + each.encode()
        state = hashlib.sha256(message).digest()[:16]
        found += state
    return found


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 10, 11, 50])
def test_the_chain_is_its_formula(n):
    assert fold("d1", IDS[:n], cuts_of(n)) == chained_by_hand("d1", IDS[:n], list(cuts_of(n)))


def test_a_seal_is_two_tokens_that_the_standards_describe():
    seal = SEALER.seal(ORDER)
    head, payload, mac = seal.token.split(".")
    assert json.loads(b64(head)) == {"alg": "HS256", "kid": SECRET.id, "typ": "martello-order+jws"}
    assert b64(mac) == hmac.new(SECRET.raw, f"{head}.{payload}".encode(), "sha256").digest()
    said = json.loads(b64(payload))
    assert (said["did"], said["n"], said["exp"], said["sub"], said["arm"]) == ("d1", 50, 2000, "h4sh", "new")
    public_head, nothing, signature = seal.signature.split(".")
    assert json.loads(b64(public_head))["alg"] == "EdDSA"
    assert nothing == ""
    assert len(b64(signature)) == 64


def test_both_halves_open_it_and_say_the_same():
    seal = SEALER.seal(ORDER)
    by_secret, by_public = open_seal(seal, SHARED), open_seal(seal, PUBLIC)
    assert isinstance(by_secret, SealedOrder)
    assert by_secret == by_public


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine")
def test_another_language_checks_signature_and_order_from_the_description_alone(tmp_path):
    script = tmp_path / "check.mjs"
    script.write_text(
        """
        import { createHash, createPublicKey, verify } from 'node:crypto';
        const { seal, key, ids } = JSON.parse(process.argv[2]);
        const [, payload] = seal.token.split('.');
        const [head, , signature] = seal.signature.split('.');
        const jwk = { kty: 'OKP', crv: 'Ed25519', x: key };
        const isSigned = verify(null, Buffer.from(`${head}.${payload}`), createPublicKey({ key: jwk, format: 'jwk' }),
          Buffer.from(signature, 'base64url'));
        const said = JSON.parse(Buffer.from(payload, 'base64url'));
        const short = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest().subarray(0, 16);
        let state = short(Buffer.from('martello.order.v1\\0' + said.did));
        const chain = [];
        let last = 0;
        for (const cut of said.cuts) {
          const frames = ids.slice(last, cut).flatMap((id) => {
            const size = Buffer.alloc(4);
            size.writeUInt32BE(Buffer.byteLength(id));
            return [size, Buffer.from(id)];
          });
          state = short(state, ...frames);
          chain.push(state);
          last = cut;
        }
        console.log(JSON.stringify([isSigned, Buffer.concat(chain).toString('base64url') === said.chain]));
        """
    )
    seal = SEALER.seal(ORDER)
    told = {"seal": {"token": seal.token, "signature": seal.signature}, "key": to_text(SIGNING.public), "ids": IDS}
    done = subprocess.run(["node", script, json.dumps(told)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, True]


def test_every_page_and_every_beginning_is_proven_as_far_as_a_cut_reaches():
    order = open_seal(SEALER.seal(ORDER, page=12), SHARED)
    for start in range(0, 50, 12):
        page = IDS[start : start + 12]
        found = order.check(page, offset=start)
        assert (found.proven, found.broken) == (len(page), False)
    for n in range(51):
        found = order.check(IDS[:n])
        assert found.broken is False
        assert found.proven == max((cut for cut in order.cuts if cut <= n), default=0)


def test_no_other_order_and_no_other_ids_pass_where_a_cut_reaches():
    rng = Random(3)
    order = open_seal(SEALER.seal(ORDER), SHARED)
    for _ in range(2000):
        n = rng.choice([k for k in order.cuts if k > 1])
        changed = list(IDS[:n])
        way = rng.choice(["swap", "replace", "drop", "add", "split"])
        if way == "swap":
            a, b = rng.sample(range(n), 2)
            changed[a], changed[b] = changed[b], changed[a]
        elif way == "replace":
            changed[rng.randrange(n)] = "job-x"
        elif way == "drop":
            del changed[rng.randrange(n)]
            changed.append(IDS[n] if n < 50 else "job-x")
        elif way == "add":
            changed.insert(rng.randrange(n), "job-x")
        else:  # the same letters, cut elsewhere: lengths are hashed, too
            k = rng.randrange(n - 1)
            joined = changed[k] + changed[k + 1]
            changed[k : k + 2] = [joined[:1], joined[1:]]
        if changed[:n] != list(IDS[:n]) or len(changed) > 50:
            assert order.check(changed).broken, way


def test_a_page_that_begins_between_two_cuts_proves_nothing_and_accuses_nobody():
    found = check_page("d1", IDS[7:20], cuts=cuts_of(50), chain=fold("d1", IDS, cuts_of(50)), offset=7)
    assert (found.proven, found.broken) == (0, False)


def test_old_keys_are_believed_as_long_as_they_are_on_the_ring():
    old = Sealer(SecretKey(b"o" * 32), SigningKey(b"q" * 32)).seal(ORDER)
    rotated = Keyring(secret=[SECRET.raw, b"o" * 32])
    assert isinstance(open_seal(old, rotated), SealedOrder)
    assert open_seal(old, SHARED) == Unverifiable(reason=f"the key {SigningKey(b'q' * 32).id} is not known")
    assert open_seal(old, Keyring()).reason.endswith("is not known")
    assert isinstance(open_seal(old, Keyring(public=[SigningKey(b"q" * 32).public])), SealedOrder)


def test_a_public_key_is_never_taken_for_a_secret_one():
    # The classic trick: a token made with the public key as if it were the shared secret.
    forged = Sealer(SecretKey(SIGNING.public)).seal(ORDER)
    assert isinstance(open_seal(forged, PUBLIC), Unverifiable)
    none = to_text(b'{"alg":"none","kid":"x","typ":"martello-order+jws"}')
    assert isinstance(open_seal(f"{none}.{forged.token.split('.')[1]}.", SHARED), Unverifiable)


def test_a_seal_with_any_letter_changed_is_unverifiable_and_never_a_crash():
    rng = Random(9)
    whole = SEALER.seal(ORDER)
    letters = "ABCDEFabcdef0123456789-_.=é\x00 "
    for keys in (SHARED, PUBLIC, Keyring()):
        for _ in range(1500):
            token, signature = list(whole.token), list(whole.signature)
            target = rng.choice([token, signature]) if keys is PUBLIC else token
            if keys is PUBLIC and target is token:
                start = whole.token.index(".") + 1  # the head and the MAC of the token are not the public half's
                at = rng.randrange(start, whole.token.rindex("."))
            else:
                at = rng.randrange(len(target))
            before, target[at] = target[at], rng.choice(letters)
            if target[at] != before:
                opened = open_seal(Seal(token="".join(token), signature="".join(signature)), keys)
                assert isinstance(opened, Unverifiable)


def by_hand(payload: str, **head) -> str:
    """Make a token with a right MAC under any header."""
    content = f"{to_text(json.dumps(head).encode())}.{payload}"
    return f"{content}.{to_text(hmac.new(SECRET.raw, content.encode(), 'sha256').digest())}"


def test_only_the_one_kind_of_token_is_read():
    token = SEALER.seal(ORDER).token
    payload = token.split(".")[1]
    right = {"alg": "HS256", "kid": SECRET.id, "typ": "martello-order+jws"}
    assert isinstance(open_seal(by_hand(payload, **right), SHARED), SealedOrder)
    for wrong in ({"alg": "none"}, {"alg": "HS512"}, {"typ": "JWT"}):
        assert isinstance(open_seal(by_hand(payload, **{**right, **wrong}), SHARED), Unverifiable)


def test_one_seal_has_one_spelling():
    token = SEALER.seal(ORDER).token
    # The last letter of 32 bytes holds two bits that decode to nothing.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + letters[letters.index(token[-1]) ^ 1]
    assert b64(twin.split(".")[2]) == b64(token.split(".")[2])
    assert isinstance(open_seal(twin, SHARED), Unverifiable)
    assert isinstance(open_seal(token + "=", SHARED), Unverifiable)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "....", "é" * 9, "\ud800.\ud800.\ud800", "x" * 100_000])
def test_what_is_no_seal_is_said_to_be_none(text):
    for keys in (SHARED, PUBLIC):
        assert isinstance(open_seal(text, keys), Unverifiable)
        assert isinstance(open_seal(Seal(token=text, signature=text), keys), Unverifiable)


def test_a_chain_that_is_shorter_than_its_cuts_is_no_seal_even_when_signed():
    for payload in (
        {"did": "d", "n": 2, "cuts": [1, 2], "chain": to_text(bytes(16)), "iat": 0},
        {"did": "d", "n": 2, "cuts": [2, 1], "chain": to_text(bytes(32)), "iat": 0},
        {"did": "d", "n": 2, "cuts": [0, 2], "chain": to_text(bytes(32)), "iat": 0},
        {"did": "d", "n": 9, "cuts": [1, 2], "chain": to_text(bytes(32)), "iat": 0},
    ):
        head = SEALER.seal(ORDER).token.split(".")[0]
        content = f"{head}.{to_text(json.dumps(payload).encode())}"
        token = f"{content}.{to_text(hmac.new(SECRET.raw, content.encode(), 'sha256').digest())}"
        assert open_seal(token, SHARED) == Unverifiable(reason="this is no seal")


@pytest.mark.parametrize(
    ("ids", "code"),
    [((1, 2), "order.id-not-text"), (("\ud800",), "order.id-not-text"), (("a", "a"), "order.item-twice")],
)
def test_a_list_that_could_not_be_checked_is_not_sealed(ids, code):
    with pytest.raises(DataError) as fault:
        SEALER.seal(RankedDecision(decision="d", items=ids))
    assert fault.value.code == code


def test_an_empty_answer_has_a_seal_and_nothing_else_passes_under_it():
    order = open_seal(SEALER.seal(RankedDecision(decision="d", items=())), SHARED)
    assert order.check([]).broken is False
    assert order.check(["a"]).broken is True


def test_keys_come_from_a_file_and_a_file_that_holds_none_is_refused():
    ring = read_keyring(json.dumps({"public": [to_text(SIGNING.public)], "secret": [to_text(SECRET.raw)]}).encode())
    assert isinstance(open_seal(SEALER.seal(ORDER).token, ring), SealedOrder)
    for text in (b"", b"[]", b'{"public": ["AA"]}', b'{"public": ["!"]}', b'{"keys": []}', b'{"secret": ["\xc3\xa9"]}'):
        with pytest.raises(DataError) as fault:
            read_keyring(text)
        assert fault.value.code == "order.not-a-key"
