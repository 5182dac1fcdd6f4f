"""The client a product engineer uses: ask a server for decisions, tell it what happened."""

from martello.serve.client import Client

__all__ = ["Client"]
