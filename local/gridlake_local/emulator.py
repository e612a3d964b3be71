"""The local AWS: MiniStack with our extensions. Run by the emulator's own interpreter.

``python -m gridlake_local.emulator`` reads its settings from the environment (see :mod:`gridlake_local.aws`, which starts it).
"""

from __future__ import annotations

import logging
import sys


def main() -> None:
    """Apply the extensions and serve until SIGTERM."""
    from gridlake_local import extensions

    try:
        extensions.apply_all()
    except extensions.IncompatibleEmulatorError as error:
        sys.exit(f"gridlake: {error}")
    logging.getLogger("gridlake_local").info("extensions: %s", ", ".join(extensions.NAMES))
    from ministack import app

    app.main()


if __name__ == "__main__":
    main()
