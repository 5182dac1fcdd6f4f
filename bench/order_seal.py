"""What a seal costs per reply: made and checked, by secret and by public key, per reply and per batch.

Each number is the best of 5 rounds of many calls in one process, with the slowest round beside it. The batch variant
signs the root of a Merkle tree over the tokens of a group commit and gives each reply its path, which is how a
signature could be shared. Writes bench/results/order_seal.json; what follows from it is decided in
docs/decisions/0008-order-seals.md.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from martello.order.chain import cuts_of, fold
from martello.order.facts import RankedDecision, Render, Shown
from martello.order.keys import Keyring, SecretKey, SigningKey
from martello.order.reconcile import judge
from martello.order.seal import Seal, SealedOrder, Sealer, open_seal

ROUNDS = 5
SIZES = (10, 50, 100, 200)
BATCHES = (1, 8, 64, 512)
SECRET, SIGNING = SecretKey(bytes(32)), SigningKey(bytes(32))
SHARED, PUBLIC = Keyring(secret=[SECRET.raw]), Keyring(public=[SIGNING.public])


def timed(call: Callable[[], object], *, seconds: float = 0.1) -> dict[str, float]:
    """Microseconds per call: the best round and the slowest."""
    call()
    n = 1
    while _round(call, n) < seconds / 4:
        n *= 2
    rounds = [_round(call, n) / n * 1e6 for _ in range(ROUNDS)]
    return {"best_us": round(min(rounds), 2), "slowest_us": round(max(rounds), 2)}


def _round(call: Callable[[], object], n: int) -> float:
    started = time.perf_counter()
    for _ in range(n):
        call()
    return time.perf_counter() - started


def each_item_hashed(decision: str, ids: Sequence[str], cuts: Sequence[int]) -> bytes:
    """The chain with one hash per item instead of one per cut: the same pages can be checked, for more."""
    state = sha256(b"martello.order.v1\0" + decision.encode()).digest()
    wanted, found = set(cuts), []
    for k, each in enumerate(ids, start=1):
        raw = each.encode()
        state = sha256(state + len(raw).to_bytes(4, "big") + raw).digest()
        if k in wanted:
            found.append(state[:16])
    return b"".join(found)


def sign_batch(leaves: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Sign the root of a Merkle tree (RFC 6962 prefixes, a lone node goes up as it is); give each leaf its path."""
    level = [sha256(b"\0" + leaf).digest() for leaf in leaves]
    paths: list[list[bytes]] = [[] for _ in leaves]
    at = list(range(len(leaves)))
    while len(level) > 1:
        for leaf, place in enumerate(at):
            if (place ^ 1) < len(level):
                paths[leaf].append(level[place ^ 1])
            at[leaf] = place // 2
        pairs = range(0, len(level), 2)
        level = [sha256(b"\1" + level[k] + level[k + 1]).digest() if k + 1 < len(level) else level[k] for k in pairs]
    return SIGNING.sign(level[0]), paths


def measure(n: int) -> dict[str, object]:
    ids = tuple(f"product-{k * 7919 % 100_003}" for k in range(n))
    order = RankedDecision(
        decision="3f9a1c2b77d0-1a",
        items=ids,
        at=0,
        expires_at=1,
        subject="h4sh",
        arm="new",
        surface="home",
        release="r-1",
    )
    cuts = cuts_of(n)
    shared, both = Sealer(SECRET), Sealer(SECRET, SIGNING)
    seal = both.seal(order)
    alone = Seal(token=seal.token, signature=seal.signature)
    opened = open_seal(seal, SHARED)
    assert isinstance(opened, SealedOrder)
    render = Render(id="r", decision=order.decision, shown=tuple(Shown(id=each) for each in ids))
    return {
        "chain": timed(lambda: fold("d", ids, cuts)),
        "chain with a hash per item": timed(lambda: each_item_hashed("d", ids, cuts)),
        "seal, secret key": timed(lambda: shared.seal(order)),
        "seal, secret key and signature": timed(lambda: both.seal(order)),
        "open by the secret key": timed(lambda: open_seal(seal, SHARED)),
        "open by the signature": timed(lambda: open_seal(alone, PUBLIC)),
        "check the whole order": timed(lambda: opened.check(ids)),
        "judge a render": timed(lambda: judge(render, order)),
        "bytes of the token": len(seal.token),
        "bytes of the signature": len(seal.signature or ""),
    }


def measure_batch(n: int) -> dict[str, object]:
    ids = tuple(f"product-{k}" for k in range(100))
    leaves = [Sealer(SECRET).seal(RankedDecision(decision=f"d{k}", items=ids)).token.encode() for k in range(n)]
    spent = timed(lambda: sign_batch(leaves))
    depth = max(len(path) for path in sign_batch(leaves)[1])
    return {
        "us per reply": {name: round(value / n, 2) for name, value in spent.items()},
        "bytes of path and signature": 64 + 32 * depth,
    }


def main() -> int:
    found = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "by items": {str(n): measure(n) for n in SIZES},
        "one signature for a batch, 100 items": {str(n): measure_batch(n) for n in BATCHES},
    }
    path = Path(__file__).parent / "results" / "order_seal.json"
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
