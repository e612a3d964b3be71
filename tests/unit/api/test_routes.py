"""Each route with good requests; `Api` holds every answer against the OpenAPI document."""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest

from gridlake.api.services import influx as influx_of
from gridlake.api.services import ledger as ledger_of
from gridlake.contracts import registry
from gridlake.contracts.publishing import register
from gridlake.ingestion.ledger import Ledger
from gridlake.platform.clients import client
from gridlake.workflow.context import Execution, Source
from tests.unit.aws_environment import BUCKETS

from .conftest import Api

DAY = {"dataset": "ons_load_hourly", "measures": ["load_mw"], "start": "2024-03-01", "end": "2024-03-02"}


def ingested(api: Api, key: str = "raw/ons/file.csv", status: str = "loaded", **fields: Any) -> str:
    """A finished ingestion in the ledger; its identifier."""
    source = Source.from_event(api.storage.upload(b"a;b\n1;2\n", key))
    ledger: Ledger = ledger_of(api.settings)
    ledger.claim(source, Execution("arn:x", "execution-1", "2026-11-20T12:00:00Z"))
    ledger.finish(source.ingestion_id, "execution-1", status=status, dataset="ons_load_hourly", **fields)
    return source.ingestion_id


def test_health_asks_everything(api: Api) -> None:
    answer = api("GET", "/health")
    assert answer.status == 200
    assert {entry["name"] for entry in answer.json["checks"]} == {"ledger", "lake", "influxdb"}


def test_health_says_what_is_down(api: Api) -> None:
    client("dynamodb").delete_table(TableName=api.settings.ledger_table)
    answer = api("GET", "/health")
    assert answer.status == 503
    assert [entry["name"] for entry in answer.json["checks"] if entry["status"] == "failed"] == ["ledger"]


def test_datasets_tell_their_contract_and_what_is_loaded(api: Api) -> None:
    ledger_of(api.settings).set_rows(
        "ons_load_hourly",
        "0" * 16,
        {"rows": 24, "points": 24, "min_time": "2024-03-01T03:00:00Z", "max_time": "2024-03-02T02:00:00Z"},
    )
    listed = {entry["dataset"]: entry for entry in api("GET", "/datasets").json["items"]}
    assert (listed["ons_load_hourly"]["rows"], listed["ons_load_daily"]["rows"]) == (24, None)
    one = api("GET", "/datasets/ons_load_hourly").json
    assert one["measures"][0]["unit"] == "MW"
    assert {member["code"] for member in one["tags"][0]["members"]} >= {"N", "NE", "S", "SE"}
    assert one["start"].startswith("2024-03-01")


def test_an_unknown_dataset_is_told_with_close_ones(api: Api) -> None:
    problem = api("GET", "/datasets/ons_load_hourli").json
    assert (problem["status"], problem["code"]) == (404, "unknown_dataset")
    assert "ons_load_hourly" in problem["hint"]
    assert problem["instance"] == "/v1/datasets/ons_load_hourli"


def test_a_contract_is_given_as_json_and_as_yaml_and_taken_again(api: Api) -> None:
    assert api("GET", "/contracts/ons_load_hourly").json["id"] == "ons_load_hourly"
    text = api("GET", "/contracts/ons_load_hourly", query={"format": "yaml"}).text
    again = api("POST", "/contracts", text, raw=True, content_type="application/yaml")
    assert (again.status, again.json["status"]) == (200, "unchanged")
    changed = (
        text.replace("ons_load_hourly", "ons_load_copy").replace("CURVA", "COPIA").replace("curva", "copia")
    )
    answer = api("POST", "/contracts", {"contract": changed, "filename": "copy.yaml"})
    assert (answer.status, answer.json["status"]) == (201, "registered"), answer.text
    assert api("GET", "/datasets/ons_load_copy").status == 200


def by_another_process(work: Callable[[], None]) -> None:
    """Do something of which this process' registry hears nothing."""
    kept = dict(registry._loaded)
    work()
    registry._loaded.clear()
    registry._loaded.update(kept)


def test_a_contract_of_another_process_is_asked_for_at_once(api: Api) -> None:
    request = DAY | {"dataset": "ons_load_copy"}
    assert api("POST", "/timeseries/query", request).json["code"] == "unknown_dataset"
    text = api("GET", "/contracts/ons_load_hourly", query={"format": "yaml"}).text
    for known, copied in (("ons_load_hourly", "ons_load_copy"), ("CURVA", "COPIA"), ("curva", "copia")):
        text = text.replace(known, copied)
    lake = api.settings.lake_bucket
    by_another_process(lambda: register(text, lake_bucket=lake, filename="copy.yaml") and None)
    assert api("POST", "/timeseries/query", request).status == 200

    request["measures"] = ["demand_mw"]
    assert api("POST", "/timeseries/query", request).json["code"] == "unknown_measure"
    newer = text.replace("load_mw", "demand_mw").replace("version: 1.0.0", "version: 2.0.0", 1)
    by_another_process(lambda: register(newer, lake_bucket=lake, filename="copy.yaml") and None)
    assert api("POST", "/timeseries/query", request).status == 200
    assert "ons_load_copy" in [item["dataset"] for item in api("GET", "/datasets").json["items"]]


def test_an_invalid_contract_is_told_with_its_lines(api: Api) -> None:
    answer = api("POST", "/contracts", {"contract": "id: x\nversion: 1.0.0\n"})
    assert (answer.status, answer.json["code"]) == (422, "invalid_contract")


def test_an_upload_is_a_sigv4_put_of_exactly_that(api: Api) -> None:
    request = {"filename": "Dados +1 água.csv", "publisher": "ons", "size": 8, "content_type": "text/csv"}
    answer = api("POST", "/uploads", request)
    assert answer.status == 201
    body = answer.json
    assert body["key"] == "raw/ons/Dados +1 água.csv"
    assert body["headers"] == {"content-type": "text/csv", "content-length": "8"}
    url = urllib.parse.urlsplit(body["url"])
    signed = urllib.parse.parse_qs(url.query)
    assert signed["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert set(signed["X-Amz-SignedHeaders"][0].split(";")) == {"content-length", "content-type", "host"}
    assert signed["X-Amz-Expires"] == ["900"]
    assert not any("checksum" in name.lower() for name in signed)
    assert urllib.parse.unquote(url.path).endswith(body["key"])


def test_a_file_beyond_the_limit_is_refused_before_it_is_sent(api: Api) -> None:
    answer = api("POST", "/uploads", {"filename": "big.csv", "size": 6 * 1024**3})
    assert (answer.status, answer.json["code"], answer.json["pointer"]) == (413, "file_too_large", "/size")


@pytest.mark.parametrize("size", [None, -1, 1.5, "8", True])
def test_an_address_without_a_bound_is_not_given(api: Api, size: object) -> None:
    body = {"filename": "a.csv"} | ({} if size is None else {"size": size})
    answer = api("POST", "/uploads", body)
    assert (answer.status, answer.json["code"], answer.json["pointer"]) == (400, "invalid_request", "/size")


def test_ingestions_are_listed_page_by_page(api: Api) -> None:
    wanted = {ingested(api, f"raw/ons/{number}.csv") for number in range(3)}
    found: set[str] = set()
    cursor = None
    for _ in range(3):
        page = api("GET", "/ingestions", query={"limit": "1"} | ({"cursor": cursor} if cursor else {})).json
        found |= {item["ingestion_id"] for item in page["items"]}
        cursor = page["next_cursor"]
    assert found == wanted
    by_key = api("GET", "/ingestions", query={"key": "raw/ons/1.csv"}).json["items"]
    assert [item["key"] for item in by_key] == ["raw/ons/1.csv"]


def test_one_ingestion_shows_nothing_of_the_table(api: Api) -> None:
    record = api("GET", f"/ingestions/{ingested(api)}").json
    assert record["status"] == "loaded"
    assert not {"pk", "sk", "gsi1pk", "lease_expires_at"} & set(record)


def test_a_draft_is_read_from_the_lake(api: Api) -> None:
    key = "silver/uncatalogued/abc/draft.yaml"
    client("s3").put_object(Bucket=BUCKETS["lake"], Key=key, Body="id: água\n".encode())
    identifier = ingested(api, status="uncatalogued", draft_key=key)
    assert api("GET", f"/ingestions/{identifier}/draft").json["contract"] == "id: água\n"
    other = ingested(api, "raw/ons/other.csv")
    assert api("GET", f"/ingestions/{other}/draft").json["code"] == "no_draft"


def test_a_draft_is_never_handed_out_in_part(api: Api) -> None:
    key = "silver/uncatalogued/abc/draft.yaml"
    client("s3").put_object(Bucket=BUCKETS["lake"], Key=key, Body=b"id: x\n" + b"# long\n" * 160_000)
    identifier = ingested(api, status="uncatalogued", draft_key=key)
    answer = api("GET", f"/ingestions/{identifier}/draft")
    assert (answer.status, answer.json["code"]) == (404, "draft_too_large")
    assert answer.json["hint"]


def test_a_redrive_starts_the_same_object_version(api: Api) -> None:
    answer = api("POST", f"/ingestions/{ingested(api, status='failed')}/redrive")
    assert answer.status == 202
    assert answer.json["execution"].startswith("redrive-ing-")


@pytest.mark.parametrize("what", ["superseded", "replaced", "deleted", "running"])
def test_a_redrive_that_makes_no_sense_is_a_conflict(api: Api, what: str) -> None:
    if what == "running":
        source = Source.from_event(api.storage.upload(b"x", "raw/ons/running.csv"))
        ledger_of(api.settings).claim(source, Execution("arn:x", "execution-1", _now()))
        identifier = source.ingestion_id
    else:
        identifier = ingested(api, status="superseded" if what == "superseded" else "failed")
    if what == "replaced":
        api.storage.upload(b"newer")
    if what == "deleted":
        client("s3").delete_object(Bucket=BUCKETS["raw"], Key="raw/ons/file.csv")
    answer = api("POST", f"/ingestions/{identifier}/redrive")
    codes = {
        "superseded": "ingestion_superseded",
        "replaced": "ingestion_superseded",
        "deleted": "file_deleted",
        "running": "ingestion_running",
    }
    assert (answer.status, answer.json["code"]) == (409, codes[what])


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


def test_a_query_is_answered_with_units_zone_and_the_statement(api: Api) -> None:
    lines = [
        f"ons_load_hourly,subsystem={code} load_mw={1000 + hour} {1709262000000000000 + hour * 3600 * 10**9}"
        for code in ("NE", "S")
        for hour in range(24)
    ]
    influx_of(api.settings).write("\n".join(lines).encode())
    answer = api(
        "POST", "/timeseries/query", DAY | {"window": "1d", "group_by": [], "units": {"load_mw": "GW"}}
    ).json
    assert answer["rows"] == [["2024-03-01T00:00:00-03:00", pytest.approx(2.023)]]
    assert (answer["unit"], answer["zone"], answer["truncated"]) == (
        {"load_mw": "GW"},
        "America/Sao_Paulo",
        False,
    )
    assert answer["query"]["text"].startswith("SELECT mean")
    raw = api("POST", "/timeseries/query", DAY | {"limit": 3}).json
    assert (raw["row_count"], raw["truncated"]) == (3, True)
    empty = api("POST", "/timeseries/query", DAY | {"start": "1999-01-01", "end": "1999-01-02"}).json
    assert empty["rows"] == []
    assert empty["notices"]


def test_a_query_while_influxdb_is_down_says_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUX_URL", "http://127.0.0.1:9")
    answer = api("POST", "/timeseries/query", DAY)
    assert (answer.status, answer.json["code"]) == (503, "influx_unavailable")
    assert "127.0.0.1" not in answer.text


def test_a_verification_is_started_and_read(api: Api) -> None:
    started = api("POST", "/verifications", {"dataset": "ons_load_hourly", "start": "2024-01-01"})
    assert started.status == 202
    identifier = started.json["verification_id"]
    assert started.json["request"]["start"] == "2024-01-01T03:00:00+00:00"
    assert api("GET", f"/verifications/{identifier}").json["request"]["dataset"] == "ons_load_hourly"
    assert api("GET", "/verifications/ver-0000000000000000").json["code"] == "unknown_verification"
    assert api("GET", "/verifications/nothing").status == 404


def test_a_verification_whose_result_has_expired_is_not_our_fault(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = api("POST", "/verifications", {"dataset": "ons_load_hourly"}).json["verification_id"]
    steps = client("stepfunctions")
    told = {"status": "SUCCEEDED", "input": "{}", "output": "{}"}
    monkeypatch.setattr(steps, "describe_execution", lambda **_: told)
    answer = api("GET", f"/verifications/{identifier}")
    assert (answer.status, answer.json["code"]) == (404, "verification_expired")
    assert "again" in answer.json["hint"]


def test_a_route_that_is_not_there_is_a_problem(api: Api) -> None:
    answer = api("GET", "/health/of/everything")
    assert (answer.status, answer.type) == (404, "application/problem+json")
