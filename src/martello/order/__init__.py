"""Did anyone re-arrange the results after they left the API?

`Sealer` seals a ranked answer and `open_seal` opens it; `judge` holds one render against its decision, and `audit` two
logs against each other. `RankedList` is the answer in the hands of a product, `observe.js` the eyes on its page.
"""

from __future__ import annotations

from martello.order.chain import PageCheck
from martello.order.edits import AllowDrop, AllowInsert, Edits, read_edits
from martello.order.facts import Click, Dropped, RankedDecision, Render, Shown
from martello.order.keys import Keyring, SecretKey, SigningKey, read_keyring
from martello.order.ranked import RankedList
from martello.order.reconcile import Judgment, Kind, State, judge
from martello.order.seal import Seal, SealedOrder, Sealer, Unverifiable, open_seal
from martello.order.wire import answer_of, read_answer, read_event

__all__ = [
    "AllowDrop",
    "AllowInsert",
    "Click",
    "Dropped",
    "Edits",
    "Judgment",
    "Keyring",
    "Kind",
    "PageCheck",
    "RankedDecision",
    "RankedList",
    "Render",
    "Seal",
    "SealedOrder",
    "Sealer",
    "SecretKey",
    "Shown",
    "SigningKey",
    "State",
    "Unverifiable",
    "answer_of",
    "judge",
    "open_seal",
    "read_answer",
    "read_edits",
    "read_event",
    "read_keyring",
]
