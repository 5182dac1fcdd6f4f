"""Faults over HTTP: one shape, `application/problem+json` (RFC 9457), made from a `MartelloError` and read back.

Server and client share this file, so a fault raised on one side is the same fault on the other.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from martello.errors import DataError, EnvironmentFault, MartelloError

__all__ = ["STATUS", "error_from_problem", "problem", "status_of"]

#: Codes whose status differs from what their class says (400 for input, 503 for the machine).
STATUS = {
    "serve.unauthorized": 401,
    "serve.unknown-route": 404,
    "serve.unknown-decision": 404,
    "serve.wrong-method": 405,
    "serve.request-too-slow": 408,
    "serve.body-too-large": 413,
    "serve.too-many-rows": 413,
    "serve.wrong-content-type": 415,
    "serve.head-too-large": 431,
    "serve.model-failed": 500,
    "serve.unknown-entry": 500,
}


def status_of(error: MartelloError) -> int:
    """Give the HTTP status of a fault."""
    return STATUS.get(error.code, error.status)


def problem(error: MartelloError) -> dict[str, object]:
    """Give a fault as a problem document.

    Examples
    --------
    >>> problem(DataError("serve.not-json", "the body is no JSON"))["type"]
    'urn:martello:error:serve.not-json'
    """
    status = status_of(error)
    return {
        "type": f"urn:martello:error:{error.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        **error.as_dict(),
    }


class _Fault(msgspec.Struct):
    code: str
    what: str
    where: str = ""
    expected: str = ""
    fix: str = msgspec.field(name="try", default="")
    others: list[_Fault] = []


_FAULT = msgspec.json.Decoder(_Fault)


def error_from_problem(status: int, body: bytes) -> MartelloError:
    """Make the fault again from a problem document.

    Raises
    ------
    msgspec.MsgspecError, UnicodeDecodeError
        When the body is no problem document of this family.

    Examples
    --------
    >>> error_from_problem(400, b'{"code": "serve.not-json", "what": "the body is no JSON", "try": "send JSON"}').fix
    'send JSON'
    """
    return _error(_FAULT.decode(body), EnvironmentFault if status >= 500 else DataError)


def _error(fault: _Fault, family: type[MartelloError]) -> MartelloError:
    others = [_error(other, family) for other in fault.others]
    fields: dict[str, Any] = {"where": fault.where, "expected": fault.expected, "fix": fault.fix, "others": others}
    return family(fault.code, fault.what, **fields)
