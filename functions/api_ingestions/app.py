"""GET /ingestions, /ingestions/{ingestion_id}, its draft, and POST its redrive."""

from aws_lambda_powertools.event_handler import Response

from gridlake.api import ingestions
from gridlake.api.http import answer, entry, rest_api
from gridlake.platform.settings import Settings

app = rest_api()


@app.get("/ingestions")
def list_ingestions() -> Response[str]:
    """A page of ingestions, newest first."""
    return answer(ingestions.page(Settings.from_env(), app.current_event.query_string_parameters))


@app.get("/ingestions/<ingestion_id>")
def get_ingestion(ingestion_id: str) -> Response[str]:
    """One ingestion."""
    return answer(ingestions.one(Settings.from_env(), ingestion_id))


@app.get("/ingestions/<ingestion_id>/draft")
def get_draft(ingestion_id: str) -> Response[str]:
    """The contract drafted for a file that no contract fits."""
    return answer(ingestions.draft(Settings.from_env(), ingestion_id))


@app.post("/ingestions/<ingestion_id>/redrive")
def redrive_ingestion(ingestion_id: str) -> Response[str]:
    """Process the same object version again."""
    return answer(ingestions.redrive(Settings.from_env(), ingestion_id), status=202)


handler = entry(app)
