"""POST /timeseries/query."""

from aws_lambda_powertools.event_handler import Response

from gridlake.api import timeseries
from gridlake.api.http import answer, entry, json_body, rest_api
from gridlake.platform.settings import Settings

app = rest_api()


@app.post("/timeseries/query")
def query_timeseries() -> Response[str]:
    """Values of one dataset over a range, raw or by window."""
    return answer(timeseries.query(Settings.from_env(), json_body(app)))


handler = entry(app)
