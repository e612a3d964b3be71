"""Where the handler gets its user and password, or its token, from."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any, Protocol

from gridlake.platform.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and password (versions 1 and 2) or a token (2 and 3). The secret parts never show in a repr or a log."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    url: str | None = None
    """Address of the server where the secret holds it; it takes the place of the configured one."""


class CredentialsSource(Protocol):
    """Gives the credentials; `refresh` asks for a new reading because the last ones were refused."""

    def get(self, *, refresh: bool = False) -> Credentials:
        """The credentials in use."""
        ...


@dataclass(frozen=True, slots=True)
class FixedCredentials:
    """Credentials known beforehand (tests, benchmarks, the local platform)."""

    credentials: Credentials

    def get(self, *, refresh: bool = False) -> Credentials:
        """The same credentials, whether refused before or not."""
        return self.credentials


class SecretCredentials:
    """Credentials of an AWS Secrets Manager secret, read once and again after a refusal.

    The secret is JSON with ``username`` and ``password``, or ``token``; it may hold ``url``.

    Parameters
    ----------
    secret_arn
        ARN or name of the secret.
    client
        Secrets Manager client; the package's cached one by default.
    """

    def __init__(self, secret_arn: str, client: Any = None) -> None:
        self._secret_arn = secret_arn
        self._client = client
        self._credentials: Credentials | None = None
        self._lock = threading.Lock()

    def get(self, *, refresh: bool = False) -> Credentials:
        """The credentials, cached for the life of the process.

        Raises
        ------
        PermanentError
            The secret is not such JSON (`invalid_influx_secret`).
        """
        with self._lock:
            if self._credentials is None or refresh:
                self._credentials = self._read()
            return self._credentials

    def _read(self) -> Credentials:
        if self._client is None:
            from gridlake.platform.clients import client

            self._client = client("secretsmanager")
        try:
            secret = json.loads(self._client.get_secret_value(SecretId=self._secret_arn)["SecretString"])
            found = Credentials(**{k: secret.get(k) for k in ("username", "password", "token", "url")})
        except (ValueError, AttributeError, KeyError):
            # The text of the secret must not travel in the message or in the exception chain.
            found = Credentials()
        if not found.token and not (found.username and found.password):
            raise PermanentError(
                f"the secret {self._secret_arn} holds no InfluxDB credentials",
                code="invalid_influx_secret",
                hint='store JSON {"username": …, "password": …} or {"token": …}',
            )
        return found
