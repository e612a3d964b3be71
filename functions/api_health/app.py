"""GET /health."""

from aws_lambda_powertools.event_handler import Response

from gridlake.api import health
from gridlake.api.http import answer, entry, rest_api
from gridlake.platform.settings import Settings

app = rest_api()


@app.get("/health")
def get_health() -> Response[str]:
    """State of the platform: 200 when everything answers, 503 otherwise."""
    report = health.check(Settings.from_env())
    return answer(report, status=200 if report["status"] == "ok" else 503)


handler = entry(app)
