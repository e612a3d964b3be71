"""GET /datasets and /datasets/{dataset}."""

from aws_lambda_powertools.event_handler import Response

from gridlake.api import datasets
from gridlake.api.http import answer, entry, rest_api
from gridlake.platform.settings import Settings

app = rest_api()


@app.get("/datasets")
def list_datasets() -> Response[str]:
    """Every dataset, with what is loaded of it."""
    return answer({"items": datasets.summaries(Settings.from_env())})


@app.get("/datasets/<dataset>")
def get_dataset(dataset: str) -> Response[str]:
    """One dataset with its columns."""
    return answer(datasets.detail(Settings.from_env(), dataset))


handler = entry(app)
