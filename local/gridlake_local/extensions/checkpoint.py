"""The state survives a crash, not only a clean stop.

Stock: state is written to STATE_DIR when the server stops; a killed emulator forgets its stacks while its S3 objects stay.

Adds a thread that saves every GRIDLAKE_CHECKPOINT_SECONDS (default 15) while requests come in. Uses ``persistence.save_all`` and
``app._build_persistence_save_dict``; wraps ``app.app`` to see whether there was a request.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from gridlake_local.extensions import require

log = logging.getLogger("gridlake_local.checkpoint")


def apply() -> None:
    """Start saving in the background when persistence is on."""
    from ministack import app
    from ministack.core import persistence

    save = require(persistence, "save_all", "services")
    collect = require(app, "_build_persistence_save_dict")
    serve = require(app, "app", "scope", "receive", "send")
    if not persistence.PERSIST_STATE:
        return
    changed = threading.Event()

    async def observe(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("method") not in {"GET", "HEAD", "OPTIONS"}:
            changed.set()
        await serve(scope, receive, send)

    def keep_saving(seconds: float) -> None:
        pause = threading.Event()
        while True:
            changed.wait()
            pause.wait(seconds)
            changed.clear()
            try:
                save(collect())
            except Exception:  # the next round tries again; the server must not stop for it
                log.exception("could not save the state of the local AWS")

    logging.getLogger("persistence").setLevel(logging.WARNING)
    app.app = observe
    seconds = float(os.environ.get("GRIDLAKE_CHECKPOINT_SECONDS", "15"))
    threading.Thread(target=keep_saving, args=(seconds,), daemon=True, name="checkpoint").start()
