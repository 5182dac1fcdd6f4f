"""The seal of a ranked answer: what was decided for whom, until when, and in which order, so that a change shows.

A `Seal` is a compact JWS under a secret key (HS256), and, when there is a signing key, a second one with detached
content (RFC 7515, appendix F) over the same payload under Ed25519 (RFC 8037), which anybody can check. The order inside
is the prefix chain of `chain`. Reading one never raises: what cannot be believed is `Unverifiable`, with its reason.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from martello.order.chain import WIDTH, PageCheck, check_ids, check_page, cuts_of, fold
from martello.order.facts import RankedDecision
from martello.order.keys import Keyring, SecretKey, SigningKey, from_text, to_text

__all__ = ["Seal", "SealedOrder", "Sealer", "Unverifiable", "open_seal"]

_TYPE = "martello-order+jws"
_MOST = 65_536  # characters of a token that are worth reading


class SealedOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a seal says, in the short names of its payload."""

    did: str
    n: int
    cuts: tuple[int, ...]
    chain: str
    iat: int
    exp: int | None = None
    mdl: str | None = None
    arm: str | None = None
    sub: str | None = None
    sfc: str | None = None

    def check(self, ids: Sequence[str], *, offset: int = 0) -> PageCheck:
        """Check the ids of a page, or of the beginning of the list, against the sealed order."""
        return check_page(self.did, ids, cuts=self.cuts, chain=from_text(self.chain), offset=offset)


class Seal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A seal as it travels: `token` for those who share the secret, `signature` for everybody."""

    token: str
    signature: str | None = None


class Unverifiable(msgspec.Struct, frozen=True, kw_only=True):
    """Why a seal cannot be believed. A value, never an exception."""

    reason: str


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str
    typ: str


_ENCODER = msgspec.json.Encoder()
_HEADER = msgspec.json.Decoder(_Header)
_ORDER = msgspec.json.Decoder(SealedOrder)


class Sealer:
    """Seal ranked answers with the keys of today.

    Parameters
    ----------
    secret
        Makes the token of every answer; about a microsecond.
    signing
        Makes the public signature of every answer; tens of microseconds (`docs/decisions/0008-order-seals.md`).
    """

    def __init__(self, secret: SecretKey, signing: SigningKey | None = None) -> None:
        self._secret = secret.raw
        self._signing = signing
        self._head = _head("HS256", secret.id)
        self._public_head = _head("EdDSA", signing.id) if signing else ""

    def seal(self, order: RankedDecision, *, page: int | None = None) -> Seal:
        """Seal one answer.

        Parameters
        ----------
        order
            The answer; `at` has to be known.
        page
            Items on a page, so that each page can be checked alone.

        Raises
        ------
        DataError
            ``order.id-not-text`` and ``order.item-twice``.

        Examples
        --------
        >>> secret = SecretKey(bytes(32))
        >>> made = Sealer(secret).seal(RankedDecision(decision="d1", items=("b", "a"), at=0))
        >>> opened = open_seal(made, Keyring(secret=[secret.raw]))
        >>> opened.check(["b", "a"]), opened.check(["a", "b"])
        (PageCheck(proven=2, broken=False), PageCheck(proven=0, broken=True))
        """
        ids = check_ids(order.items)
        check_ids((order.decision,), where="decision")
        cuts = cuts_of(len(ids), page=page)
        said = SealedOrder(
            did=order.decision,
            n=len(ids),
            cuts=cuts,
            chain=to_text(fold(order.decision, ids, cuts)),
            iat=order.at or 0,
            exp=order.expires_at,
            mdl=order.release,
            arm=order.arm,
            sub=order.subject,
            sfc=order.surface,
        )
        payload = to_text(_ENCODER.encode(said))
        content = f"{self._head}.{payload}"
        token = f"{content}.{to_text(hmac.digest(self._secret, content.encode(), 'sha256'))}"
        if self._signing is None:
            return Seal(token=token)
        signed = self._signing.sign(f"{self._public_head}.{payload}".encode())
        return Seal(token=token, signature=f"{self._public_head}..{to_text(signed)}")


def _head(algorithm: str, key_id: str) -> str:
    return to_text(_ENCODER.encode(_Header(alg=algorithm, kid=key_id, typ=_TYPE)))


def open_seal(seal: Seal | str, keys: Keyring) -> SealedOrder | Unverifiable:
    """Open a seal with the keys there are: by the secret one if it is known, else by the public signature.

    Parameters
    ----------
    seal
        As sealed, or its token alone.
    keys
        Those that are believed.

    Returns
    -------
    SealedOrder or Unverifiable
        The order, or why it cannot be believed: an unknown key, a broken seal, no seal at all. Never an exception.

    Examples
    --------
    >>> open_seal("no seal", Keyring())
    Unverifiable(reason='this is no seal')
    """
    token, signature = (seal, None) if isinstance(seal, str) else (seal.token, seal.signature)
    try:
        head, payload, mac = _three(token)
        reason = _mac_fault(head, payload, mac, keys)
        if reason is not None and signature is not None:
            reason = _signature_fault(payload, signature, keys)
        return _read(payload) if reason is None else Unverifiable(reason=reason)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return Unverifiable(reason="this is no seal")


def _three(token: str) -> tuple[str, str, str]:
    if len(token) > _MOST:
        raise ValueError("too long")
    head, payload, end = token.split(".")
    return head, payload, end


def _mac_fault(head: str, payload: str, mac: str, keys: Keyring) -> str | None:
    key_id = _key_id(head, "HS256")
    key = keys.secret.get(key_id)
    if key is None:
        return f"the key {key_id} is not known"
    right = hmac.compare_digest(from_text(mac), hmac.digest(key, f"{head}.{payload}".encode(), "sha256"))
    return None if right else "the seal is broken"


def _signature_fault(payload: str, signature: str, keys: Keyring) -> str | None:
    head, inside, signed = _three(signature)
    if inside:
        raise ValueError("the content is not detached")
    key_id = _key_id(head, "EdDSA")
    is_right = keys.signed(key_id, from_text(signed), f"{head}.{payload}".encode())
    if is_right is None:
        return f"the key {key_id} is not known"
    return None if is_right else "the signature is not of this seal"


def _key_id(head: str, algorithm: str) -> str:
    header = _HEADER.decode(from_text(head))
    if header.alg != algorithm or header.typ != _TYPE:
        raise ValueError("another kind of token")
    return header.kid


def _read(payload: str) -> SealedOrder:
    order = _ORDER.decode(from_text(payload))
    cuts = (0, *order.cuts)
    rises = all(a < b for a, b in pairwise(cuts))
    if not rises or cuts[-1] != order.n or len(from_text(order.chain)) != WIDTH * len(order.cuts):
        raise ValueError("the chain has not the length of its cuts")
    return order
