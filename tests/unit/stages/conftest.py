"""Stages on moto, with the real engine and the built-in contracts."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from gridlake.ingestion.ledger import Ledger
from gridlake.platform.errors import GridlakeError
from gridlake.stages.fail import fail
from gridlake.stages.record import record
from gridlake.stages.route import route
from gridlake.workflow.context import Source
from tests.unit.aws_environment import TABLE, Application, LambdaContext, application

HEADER = "id_subsistema;nom_subsistema;din_instante;val_cargaenergiamwmed\n"


def load_daily(*rows: tuple[str, str, str]) -> bytes:
    """A file of the daily load: (subsystem, day, value)."""
    names = {"N": "Norte", "NE": "Nordeste", "S": "Sul", "SE": "Sudeste/Centro-Oeste"}
    return (HEADER + "".join(f"{s};{names.get(s, s)};{day};{value}\n" for s, day, value in rows)).encode()


DAYS = load_daily(("N", "2023-01-01", "5300.5"), ("S", "2023-01-01", "9100"), ("N", "2023-02-01", "5400"))
KEY = "raw/ons/CARGA_ENERGIA_2023.csv"


class Machine:
    """The state machine `ingestion`, without its waits: stages in order, a failure caught into `fail`."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.ledger = Ledger(TABLE)
        self.context = LambdaContext()

    def route(self, payload: dict[str, Any]) -> dict[str, Any]:
        return dict(route(payload, self.context, settings=self.app.settings))

    def record(self, payload: dict[str, Any]) -> dict[str, Any]:
        return dict(record(payload, self.context, settings=self.app.settings))

    def process(self, payload: dict[str, Any]) -> dict[str, Any]:
        from gridlake.stages.process import process

        return dict(process(payload, self.context, settings=self.app.settings))

    def fail(self, payload: dict[str, Any], error: BaseException | dict[str, str]) -> dict[str, Any]:
        if isinstance(error, BaseException):
            cause = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": []}
            error = {"Error": type(error).__name__, "Cause": json.dumps(cause)}
        return dict(fail({**payload, "error": error}, self.context, settings=self.app.settings))

    def run(self, event: dict[str, Any], name: str | None = None) -> dict[str, Any]:
        """Run one execution to its end without loading points; answers the ledger's record."""
        payload = self.app.begin(event, name)
        try:
            payload = self.route(payload)
            status = payload["stages"]["route"]["status"]
            if status in ("small", "large"):
                payload = self.process(payload)
            if status in ("small", "large", "unchanged"):
                payload = self.record(payload)
        except GridlakeError as error:
            traceback.print_exc()
            self.fail(payload, error)
        return self.ledger.get(Source.from_event(event).ingestion_id)

    def redrive(self, record: dict[str, Any]) -> dict[str, Any]:
        """Run an upload again, as POST /ingestions/{id}/redrive does."""
        return self.run(self.ledger.redrive_event(record))


@pytest.fixture
def app() -> Iterator[Application]:
    with application() as made:
        yield made


@pytest.fixture
def machine(app: Application) -> Machine:
    return Machine(app)
