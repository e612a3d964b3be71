"""The API over HTTP: one pooled connection, timeouts, retries of what a retry may cure, errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gridlake_cli import __version__
from gridlake_cli.config import Target
from gridlake_cli.errors import FAILED, UNUSABLE, ApiError, CommandError

if TYPE_CHECKING:
    import httpx

CONNECTIONS = 16
RETRIES = 5
UNREACHABLE = "Check the URL and the network; the local platform is started with `gridlake up`."


def transport(retries: int = RETRIES) -> httpx.BaseTransport:
    """Retry 429 (as long as Retry-After says), 502, 503, 504 and failed connections, with backoff and jitter.

    Connections that broke after the request was sent are not retried here, since a POST may have had its effect.
    """
    import httpx
    from httpx_retries import Retry, RetryTransport

    policy = Retry(
        total=retries,
        allowed_methods=["GET", "PUT", "POST"],
        status_forcelist=[429, 502, 503, 504],
        retry_on_exceptions=[httpx.ConnectError, httpx.ConnectTimeout],
        backoff_factor=0.2,
        max_backoff_wait=10,
    )
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    return RetryTransport(transport=httpx.HTTPTransport(limits=limits), retry=policy)


def unreachable(url: str, error: Exception) -> CommandError:
    """The error of an address that does not answer."""
    import httpx

    what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "can't be reached"
    return CommandError(
        f"{url} {what} ({error or type(error).__name__}).",
        hint=UNREACHABLE,
        code="unreachable",
        exit_code=UNUSABLE,
    )


class Api:
    """Calls of the Gridlake API with one key.

    Thread-safe: uploads share it.
    """

    def __init__(self, target: Target, *, timeout: float = 60.0, retries: int = RETRIES) -> None:
        import httpx

        self.url = target.url
        self._http = httpx.Client(
            base_url=target.url,
            headers={"x-api-key": target.key, "user-agent": f"gridlake/{__version__}"},
            timeout=httpx.Timeout(timeout, connect=5.0),
            transport=transport(retries),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """JSON of a resource; parameters that are None are left out."""
        return self._json(
            self.request("GET", path, params={k: v for k, v in params.items() if v is not None})
        )

    def text(self, path: str, **params: Any) -> str:
        """Text of a resource."""
        return self.request("GET", path, params=params).text

    def post(self, path: str, body: Any = None) -> Any:
        """JSON that the API answers to a JSON body."""
        return self._json(self.request("POST", path, json={} if body is None else body))

    def pages(self, path: str, *, limit: int, **params: Any) -> Iterator[dict[str, Any]]:
        """Items of a listing, following its cursor, at most `limit`."""
        cursor: str | None = None
        left = limit
        while left > 0:
            page = self.get(path, limit=min(left, 100), cursor=cursor, **params)
            items = page.get("items", [])
            yield from items[:left]
            left -= len(items)
            cursor = page.get("next_cursor")
            if not cursor or not items:
                return

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request.

        Raises
        ------
        ApiError
            The API answered with an error.
        CommandError
            It did not answer.
        """
        import httpx

        try:
            answer = self._http.request(method, path, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self.url, error) from error
        if answer.is_error:
            raise api_error(answer, self.url)
        return answer

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError as error:
            raise CommandError(
                f"{self.url} answered something that is not JSON.",
                hint="Is this the URL of a Gridlake API, stage included?",
                code="not_an_api",
                exit_code=UNUSABLE,
            ) from error


def api_error(answer: httpx.Response, url: str) -> ApiError:
    """An RFC 9457 problem, or what a gateway says before the application is reached, in words."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    status = answer.status_code
    detail = body.get("detail") or body.get("title") or body.get("message") or answer.reason_phrase
    hint = body.get("hint")
    code = body.get("code")
    exit_code = FAILED
    if status in {401, 403} and code in {None, "forbidden"}:
        code, exit_code = "wrong_api_key", UNUSABLE
        detail = f"{url} refused the API key ({detail}): it is wrong, expired or of another environment."
        hint = "Give --api-key KEY or set GRIDLAKE_API_KEY; `gridlake status` shows the keys of the local platform."
    elif status == 429:
        quota = code == "quota_exceeded" or "limit exceeded" in str(detail).lower()
        code, exit_code = code or ("quota_exceeded" if quota else "too_many_requests"), FAILED
        detail = (
            f"The quota of this API key is used up ({detail})." if quota else f"Too many requests ({detail})."
        )
        hint = hint or (
            "Wait for the next period or use a key of a higher tier." if quota else "Try again in a moment."
        )
    elif status == 400:
        exit_code = UNUSABLE
    elif status >= 500:
        detail = f"{url} failed: {detail} (HTTP {status})."
        hint = hint or "Try again; if it stays, `gridlake status` and the function's log say more."
    suggestions = body.get("suggestions")
    if suggestions and not hint:
        hint = "Did you mean " + ", ".join(map(str, suggestions)) + "?"
    return ApiError(status, str(detail), code=code or f"http_{status}", hint=hint, exit_code=exit_code)
