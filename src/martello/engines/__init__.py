"""Data engines behind one small protocol; one file per engine, and what differs in their SQL in one dialect each."""

from martello.engines.base import Engine
from martello.engines.choose import open_engine

__all__ = ["Engine", "open_engine"]
