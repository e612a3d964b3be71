"""Readers: one per kind of file, all giving the same `Chunk`s of rows in file order."""

from __future__ import annotations

from gridlake.ingestion.readers.chunk import Chunk, Rejected
from gridlake.ingestion.readers.open import read_chunks

__all__ = ["Chunk", "Rejected", "read_chunks"]
