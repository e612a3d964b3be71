"""POST /verifications and GET /verifications/{verification_id}."""

from aws_lambda_powertools.event_handler import Response

from gridlake.api import verifications
from gridlake.api.http import answer, entry, json_body, rest_api
from gridlake.platform.settings import Settings

app = rest_api()


@app.post("/verifications")
def start_verification() -> Response[str]:
    """Start comparing lake and InfluxDB."""
    return answer(verifications.start(Settings.from_env(), json_body(app, optional=True)), status=202)


@app.get("/verifications/<verification_id>")
def get_verification(verification_id: str) -> Response[str]:
    """State and result of a comparison."""
    return answer(verifications.one(Settings.from_env(), verification_id))


handler = entry(app)
