"""Does it meet the agreed requirement, and can a second person run it?

Makes `Gate` and the sealed directory behind `Release`, and the cards in it. Takes the evaluation and what the earlier
stages recorded; `serve` runs what it seals.
"""

from martello.ship.cards import datasheet, model_card, runbook
from martello.ship.gate import assess_gate
from martello.ship.known import Known
from martello.ship.release import Manifest, open_release, write_release
from martello.ship.selftest import SelftestRow, decode_selftest, encode_selftest, run_selftest
from martello.ship.sentence import headline

__all__ = [
    "Known",
    "Manifest",
    "SelftestRow",
    "assess_gate",
    "datasheet",
    "decode_selftest",
    "encode_selftest",
    "headline",
    "model_card",
    "open_release",
    "run_selftest",
    "runbook",
    "write_release",
]
