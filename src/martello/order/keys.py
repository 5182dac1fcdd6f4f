"""The keys of seals: secret ones that make and check, public ones that only check, each known by an id made from it.

A sealer holds the keys of today; a keyring holds all that are still to be believed. Rotation is a new sealer, and a
keyring with one more key. Where keys are kept is not decided here: they come and go as text.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from martello.errors import DataError

__all__ = ["Keyring", "SecretKey", "SigningKey", "from_text", "read_keyring", "to_text"]

_SIZE = 32


def to_text(raw: bytes) -> str:
    """Give bytes as base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """Read base64url without padding; raises ValueError for anything else."""
    raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if to_text(raw) != text:  # the decoder of the standard library passes over what it does not know
        raise ValueError("not base64url")
    return raw


def _name(purpose: bytes, key: bytes) -> str:
    return to_text(sha256(b"martello.order." + purpose + b"\0" + key).digest()[:6])


class SecretKey:
    """A key that the API and whoever checks for it share; 32 bytes.

    Examples
    --------
    >>> SecretKey(bytes(32)).id
    'Ei9Cm9XG'
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = _sized(raw, "secret key")
        self.id = _name(b"mac", raw)

    @classmethod
    def new(cls) -> SecretKey:
        """Make one from the machine's randomness."""
        return cls(secrets.token_bytes(_SIZE))


class SigningKey:
    """An Ed25519 key: what it signs, anybody can check with its `public` half."""

    def __init__(self, raw: bytes) -> None:
        self.raw = _sized(raw, "signing key")
        self._key = Ed25519PrivateKey.from_private_bytes(raw)
        self.public = self._key.public_key().public_bytes_raw()
        self.id = _name(b"ed25519", self.public)
        self.sign = self._key.sign

    @classmethod
    def new(cls) -> SigningKey:
        """Make one from the machine's randomness."""
        return cls(secrets.token_bytes(_SIZE))


class Keyring:
    """The keys whose seals are believed, by id: today's and those of before.

    Parameters
    ----------
    secret
        Secret keys, 32 bytes each.
    public
        Public halves of signing keys, 32 bytes each.

    Raises
    ------
    DataError
        ``order.not-a-key`` when one is not 32 bytes, or no point of the curve.
    """

    def __init__(self, *, secret: Iterable[bytes] = (), public: Iterable[bytes] = ()) -> None:
        self.secret: Mapping[str, bytes] = {_name(b"mac", raw): _sized(raw, "secret key") for raw in secret}
        self._public = {_name(b"ed25519", raw): _public(raw) for raw in public}

    @property
    def public(self) -> tuple[str, ...]:
        """The ids of the public keys."""
        return tuple(self._public)

    def signed(self, key_id: str, signature: bytes, message: bytes) -> bool | None:
        """Say whether a signature is this key's; None when the key is not known."""
        key = self._public.get(key_id)
        if key is None:
            return None
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def _sized(raw: bytes, what: str) -> bytes:
    if len(raw) != _SIZE:
        raise _not_a_key(f"a {what} of {len(raw)} bytes")
    return raw


def _public(raw: bytes) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(_sized(raw, "public key"))
    except ValueError:
        raise _not_a_key("a public key that is none") from None


def _not_a_key(what: str) -> DataError:
    return DataError("order.not-a-key", what, expected="32 bytes, in files as base64url", fix="copy the key again")


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    public: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()


def read_keyring(text: bytes) -> Keyring:
    """Read a keyring from JSON: ``{"public": ["…"], "secret": ["…"]}``, each key in base64url.

    Raises
    ------
    DataError
        ``order.not-a-key``.

    Examples
    --------
    >>> read_keyring(b'{"public": ["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"]}').public
    ('eW-osgLu',)
    """
    try:
        keys = msgspec.json.decode(text, type=_Keys)
        return Keyring(secret=map(from_text, keys.secret), public=map(from_text, keys.public))
    except DataError:
        raise
    except (msgspec.MsgspecError, ValueError) as error:
        raise _not_a_key(f"this is no file of keys: {error}") from None
