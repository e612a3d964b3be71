"""The configuration of a function: its environment variables, read once and checked when used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from gridlake.platform.errors import GridlakeError

MEBIBYTE = 1024**2
GIBIBYTE = 1024**3


class ConfigurationError(GridlakeError):
    """The deployment is wrong: an environment variable is missing or has no meaning."""

    code = "misconfigured"


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of a function.

    A variable is checked when it is asked for, so that each function needs only those it uses.

    Parameters
    ----------
    variables
        The variables by name; unknown ones are ignored.

    Raises
    ------
    ConfigurationError
        By a property whose variable is missing or malformed; the message names the variable.
    """

    variables: Mapping[str, str]

    NAMES: ClassVar[tuple[str, ...]] = (
        "GRIDLAKE_ENV",
        "RAW_BUCKET",
        "LAKE_BUCKET",
        "QUARANTINE_BUCKET",
        "WORK_BUCKET",
        "LEDGER_TABLE",
        "GLUE_DATABASE",
        "ALERTS_TOPIC_ARN",
        "INGESTION_STATE_MACHINE_ARN",
        "VERIFICATION_STATE_MACHINE_ARN",
        "INFLUX_URL",
        "INFLUX_VERSION",
        "INFLUX_DATABASE",
        "INFLUX_ORG",
        "INFLUX_SECRET_ARN",
        "LAMBDA_MAX_BYTES",
        "LARGE_MAX_BYTES",
        "LAYER_CONTENT_SHA256",
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The settings of this process, or of the given environment."""
        environ = os.environ if environ is None else environ
        return cls({name: environ[name] for name in cls.NAMES if name in environ})

    @property
    def environment(self) -> str:
        """Name of the environment: ``local``, ``dev``, ``staging``, ``prod``."""
        return self.variables.get("GRIDLAKE_ENV") or "local"

    @property
    def raw_bucket(self) -> str:
        """Bucket of the files as they were uploaded."""
        return self._required("RAW_BUCKET")

    @property
    def lake_bucket(self) -> str:
        """Bucket of silver and of the contracts registered at run time."""
        return self._required("LAKE_BUCKET")

    @property
    def quarantine_bucket(self) -> str:
        """Bucket of quarantined rows and of failed files."""
        return self._required("QUARANTINE_BUCKET")

    @property
    def work_bucket(self) -> str:
        """Bucket of stage outputs."""
        return self._required("WORK_BUCKET")

    @property
    def ledger_table(self) -> str:
        """DynamoDB table of the ledger."""
        return self._required("LEDGER_TABLE")

    @property
    def glue_database(self) -> str:
        """Glue database where silver datasets are registered."""
        return self._required("GLUE_DATABASE")

    @property
    def alerts_topic_arn(self) -> str:
        """SNS topic of the alerts."""
        return self._required("ALERTS_TOPIC_ARN")

    @property
    def ingestion_state_machine_arn(self) -> str:
        """State machine that ingests one file."""
        return self._required("INGESTION_STATE_MACHINE_ARN")

    @property
    def verification_state_machine_arn(self) -> str:
        """State machine that compares lake and InfluxDB."""
        return self._required("VERIFICATION_STATE_MACHINE_ARN")

    @property
    def influx_url(self) -> str:
        """Address of the InfluxDB server; empty where the secret holds it."""
        return self.variables.get("INFLUX_URL", "")

    @property
    def influx_version(self) -> int:
        """Major version of the server: 1, 2 or 3."""
        version = self._integer("INFLUX_VERSION")
        if version not in (1, 2, 3):
            raise ConfigurationError(f"INFLUX_VERSION is {version}: it must be 1, 2 or 3")
        return version

    @property
    def influx_database(self) -> str:
        """Database (versions 1 and 3) or bucket (version 2)."""
        return self._required("INFLUX_DATABASE")

    @property
    def influx_org(self) -> str:
        """Organisation of a version 2 server; empty for the others."""
        return self.variables.get("INFLUX_ORG", "")

    @property
    def influx_secret_arn(self) -> str:
        """Secret that holds the credentials of InfluxDB."""
        return self._required("INFLUX_SECRET_ARN")

    @property
    def lambda_max_bytes(self) -> int:
        """Uncompressed size up to which the small function processes a file."""
        return self._integer("LAMBDA_MAX_BYTES", 64 * MEBIBYTE)

    @property
    def large_max_bytes(self) -> int:
        """Uncompressed size above which a file is refused."""
        return self._integer("LARGE_MAX_BYTES", 5 * GIBIBYTE)

    @property
    def layer_content_sha256(self) -> str:
        """Hash of the layers' content given by the deployment; empty where it gives none."""
        return self.variables.get("LAYER_CONTENT_SHA256", "")

    def _required(self, name: str) -> str:
        value = self.variables.get(name, "")
        if not value:
            raise ConfigurationError(
                f"the environment variable {name} is not set",
                hint="set it in the function's template and deploy again",
            )
        return value

    def _integer(self, name: str, default: int | None = None) -> int:
        text = self.variables.get(name, "")
        if not text and default is not None:
            return default
        try:
            return int(self._required(name))
        except ValueError as error:
            raise ConfigurationError(
                f"the environment variable {name} is {text!r}: it must be an integer"
            ) from error
