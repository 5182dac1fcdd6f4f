"""Data engines behind one small protocol; one file per engine."""

from martello.engines.base import Engine

__all__ = ["Engine"]
