"""``python -m gridlake_local up|down|status``: the platform without the command around it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from gridlake_local.aws import LocalAwsError
from gridlake_local.deployment import DeploymentError
from gridlake_local.influx import InfluxStartError
from gridlake_local.platform import Platform
from gridlake_local.ports import PortTakenError


def main() -> int:
    """Run one verb; 1 when it failed or, for ``status``, when the platform is down."""
    parser = argparse.ArgumentParser(prog="python -m gridlake_local", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="start the servers and deploy what changed")
    verbs.add_parser("down", help="stop the servers").add_argument(
        "--purge", action="store_true", help="forget the data too"
    )
    verbs.add_parser("status", help="what runs where")
    arguments = parser.parse_args()
    platform = Platform()
    try:
        if arguments.verb == "down":
            platform.down(purge=arguments.purge)
            return 0
        status = platform.status() if arguments.verb == "status" else platform.up(progress=_say)
    except (LocalAwsError, DeploymentError, InfluxStartError, PortTakenError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(dataclasses.asdict(status), indent=2) + "\n")
    return 0 if status.running else 1


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
