"""Where facts and files are kept: content-addressed blobs, records, and the ledger of who made what."""

from martello.store.blobs import Store

__all__ = ["Store"]
