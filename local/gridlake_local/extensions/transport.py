"""Policies that demand TLS let loopback through.

Stock: ``aws:SecureTransport`` is false for plain HTTP, so a bucket policy that denies insecure transport (ours all do) denies every
function. The emulator listens on loopback only, where nobody can read along.

Replaces ``ministack.app.pin_request_origin``.
"""

from __future__ import annotations

from gridlake_local.extensions import require


def apply() -> None:
    """Count requests over loopback as secure."""
    from ministack import app
    from ministack.core import iam_evaluator

    pin = require(iam_evaluator, "pin_request_origin", "source_ip", "secure_transport")
    assert app.pin_request_origin is pin

    def pin_secure(source_ip: str, secure_transport: bool) -> None:
        pin(source_ip, secure_transport or source_ip in {"127.0.0.1", "::1"})

    app.pin_request_origin = pin_secure
