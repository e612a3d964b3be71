"""The token of an InfluxDB 2 whose secret holds a user name and password.

Timestream for InfluxDB keeps ``username``, ``password``, ``organization`` and ``bucket`` in its secret, and no token. A
password opens nothing but a session there: InfluxQL's ``/query`` takes tokens only. So the user signs in once, takes the
token that Gridlake made for this bucket (or makes it: read and write this bucket, nothing else) and signs out.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

from gridlake.timeseries._transport import Transport
from gridlake.timeseries.credentials import Credentials, CredentialsSource
from gridlake.timeseries.errors import InfluxCredentialsError, InfluxRefusedError, InfluxUnavailableError


class TokenCredentials:
    """Credentials with a token, whatever the source holds; one sign-in per process and again after a refusal.

    A source with a token, or without any credentials, is passed on. A password that the server does not take for its
    user, or a server without sign-in, means that the password is itself a token.

    Parameters
    ----------
    source
        Where the user name and password come from.
    url
        Address of the server; the secret's own `url` takes its place.
    org, bucket
        Names of the organisation (may be empty: any that the user sees) and bucket.
    budget
        Seconds spent on retries of one request.
    read_timeout
        Seconds to wait for an answer.
    """

    def __init__(
        self,
        source: CredentialsSource,
        *,
        url: str,
        org: str,
        bucket: str,
        budget: float,
        read_timeout: float,
    ) -> None:
        self._source = source
        self._org = org
        self._bucket = bucket
        self._session = Transport(
            url=url, credentials=source, scheme="Basic", budget=budget, read_timeout=read_timeout
        )
        self._found: Credentials | None = None
        self._lock = threading.Lock()

    def get(self, *, refresh: bool = False) -> Credentials:
        """The credentials in use.

        Raises
        ------
        InfluxUnavailableError
            The server does not answer.
        InfluxRefusedError
            The bucket does not exist, or the user may not read it or make a token (`InfluxCredentialsError`).
        """
        with self._lock:
            if self._found is None or refresh:
                refused = self._found.token if self._found else None
                given = self._source.get(refresh=refresh)
                if given.token or not (given.username and given.password):
                    self._found = given
                else:
                    self._found = replace(given, token=self._token(refused) or given.password)
            return self._found

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def _token(self, refused: str | None) -> str | None:
        try:
            answer = self._session.request("POST", "/api/v2/signin", doing="signing in")
        except InfluxCredentialsError:
            return None
        except InfluxRefusedError as error:
            if error.http_status in (404, 405):
                return None
            raise
        cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
        try:
            return self._kept_token(cookie, refused)
        finally:
            # The session ends by itself as well, within the hour.
            with suppress(InfluxUnavailableError, InfluxRefusedError, InfluxCredentialsError):
                self._session.request(
                    "POST", "/api/v2/signout", doing="signing out", headers={"Cookie": cookie}
                )

    def _kept_token(self, cookie: str, refused: str | None) -> str:
        bucket = self._bucket_of(cookie)
        description = f"gridlake {self._bucket}"
        listed = self._ask(cookie, "GET", "authorizations", "listing tokens", {"orgID": bucket["orgID"]})
        kept = [
            found
            for found in listed.get("authorizations", [])
            if found.get("description") == description
            # A server that keeps only hashes of tokens shows none, or one that does not work.
            and found.get("token") not in (None, "", refused)
            and found.get("status", "active") == "active"
        ]
        if kept:
            # Two functions that start together may each make one; all then agree on the oldest.
            return str(min(kept, key=lambda found: (found.get("createdAt", ""), found["id"]))["token"])
        resource = {"type": "buckets", "orgID": bucket["orgID"], "id": bucket["id"]}
        made = self._ask(
            cookie,
            "POST",
            "authorizations",
            "making a token",
            body={
                "orgID": bucket["orgID"],
                "description": description,
                "permissions": [{"action": action, "resource": resource} for action in ("read", "write")],
            },
        )
        return str(made["token"])

    def _bucket_of(self, cookie: str) -> dict[str, Any]:
        query = {"name": self._bucket} | ({"org": self._org} if self._org else {})
        found = self._ask(cookie, "GET", "buckets", f"looking for the bucket {self._bucket}", query)
        buckets: list[dict[str, Any]] = found.get("buckets") or []
        if not buckets:
            raise InfluxRefusedError(
                f"InfluxDB has no bucket {self._bucket} that the user of its secret sees",
                http_status=404,
                reason="bucket not found",
            )
        return buckets[0]

    def _ask(
        self,
        cookie: str,
        method: str,
        what: str,
        doing: str,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        answer = self._session.request(
            method,
            f"/api/v2/{what}",
            doing=doing,
            query=query,
            body=None if body is None else json.dumps(body).encode(),
            headers={"Cookie": cookie, "Content-Type": "application/json"},
        )
        document: dict[str, Any] = json.loads(answer.data)
        return document
