"""The three cards of a release under one name: model card, datasheet, runbook."""

from __future__ import annotations

from martello.ship.datasheet import datasheet
from martello.ship.model_card import model_card
from martello.ship.runbook import runbook

__all__ = ["datasheet", "model_card", "runbook"]
