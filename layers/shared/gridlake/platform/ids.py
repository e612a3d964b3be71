"""Identifiers derived from what they identify, so that every retry and every process finds the same ones."""

from __future__ import annotations

import hashlib


def source_id(key: str) -> str:
    """Identifier of a source: 16 hex digits of the raw key. A revised upload of the same key is the same source."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def ingestion_id(bucket: str, key: str, version_id: str) -> str:
    """Identifier of an upload, that is of one object version: ``ing-`` and 20 hex digits."""
    return "ing-" + hashlib.sha256(f"{bucket}/{key}/{version_id}".encode()).hexdigest()[:20]
