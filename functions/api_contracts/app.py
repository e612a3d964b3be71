"""POST /contracts and GET /contracts/{dataset}."""

from aws_lambda_powertools.event_handler import Response

from gridlake.api import contracts
from gridlake.api.http import YAML, answer, body_text, entry, rest_api, text_answer
from gridlake.platform.settings import Settings

app = rest_api()


@app.post("/contracts")
def register_contract() -> Response[str]:
    """Register a contract: 201 when it is new, 200 when this very text was registered before."""
    event = app.current_event
    text, filename = contracts.read_request(
        body_text(app, maximum=contracts.MAX_CONTRACT_BYTES),
        content_type=event.headers.get("content-type", ""),
        filename=event.query_string_parameters.get("filename"),
    )
    registration = contracts.register(Settings.from_env(), text, filename=filename)
    return answer(registration, status=201 if registration["status"] == "registered" else 200)


@app.get("/contracts/<dataset>")
def get_contract(dataset: str) -> Response[str]:
    """The ODCS document of a dataset as JSON, or as YAML with ?format=yaml."""
    document = contracts.document(Settings.from_env(), dataset)
    if contracts.wants_yaml(app.current_event.query_string_parameters.get("format")):
        return text_answer(contracts.to_yaml(document), YAML)
    return answer(document)


handler = entry(app)
