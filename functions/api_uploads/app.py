"""POST /uploads."""

from aws_lambda_powertools.event_handler import Response

from gridlake.api import uploads
from gridlake.api.http import answer, entry, json_body, rest_api
from gridlake.platform.settings import Settings

app = rest_api()


@app.post("/uploads")
def create_upload() -> Response[str]:
    """A presigned PUT for one file."""
    request = uploads.read_request(json_body(app))
    return answer(uploads.presign(Settings.from_env(), request), status=201)


handler = entry(app)
