"""Contracts of the release and of the lake, and registering one."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

import boto3
import pytest

from gridlake.contracts import publishing, registry
from gridlake.contracts.publishing import digest, read_index, register
from gridlake.contracts.registry import INDEX_KEY, Registry, version_key
from gridlake.platform import clients
from gridlake.platform.errors import (
    ConflictError,
    ContractError,
    NotFoundError,
    PermanentError,
    TransientError,
)


def test_an_unknown_dataset_comes_with_suggestions() -> None:
    with pytest.raises(NotFoundError) as raised:
        Registry.builtin().get("ons_load_hourli")
    assert raised.value.error_code == "unknown_dataset"
    assert "ons_load_hourly" in raised.value.details["suggestions"]
    with pytest.raises(NotFoundError) as raised:
        Registry.builtin().document("zzz")
    assert raised.value.details["suggestions"] == []


def test_without_a_lake_only_the_release_counts() -> None:
    assert Registry.load() is Registry.builtin()
    assert Registry.load("") is Registry.builtin()


def test_place_of_the_contracts_can_be_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sound: str
) -> None:
    (tmp_path / "meter.yaml").write_text(sound)
    monkeypatch.setenv("GRIDLAKE_CONTRACTS", str(tmp_path))
    assert Registry.builtin().names() == ("meter_readings",)
    monkeypatch.setenv("GRIDLAKE_CONTRACTS", str(tmp_path / "gone"))
    with pytest.raises(ContractError, match="neither a file nor a folder"):
        Registry.builtin()


def test_the_layer_brings_its_compiled_contracts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "opt" / "python" / "gridlake" / "contracts" / "registry.py"
    compiled = tmp_path / "opt" / "contracts.json"
    compiled.parent.mkdir(parents=True)
    compiled.write_text(json.dumps({"contracts": [dict(Registry.builtin().document("ons_load_daily"))]}))
    monkeypatch.delenv("GRIDLAKE_CONTRACTS", raising=False)
    monkeypatch.setattr(registry, "_PACKAGE", package)
    assert Registry.builtin().names() == ("ons_load_daily",)


def test_a_folder_with_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ContractError, match=r"bad\.yaml is not YAML"):
        registry.read_folder(tmp_path)
    (tmp_path / "bad.yaml").write_text("- 1")
    with pytest.raises(ContractError, match="holds no contract"):
        registry.read_folder(tmp_path)


def test_versions_are_ordered_by_number() -> None:
    assert version_key("1.10.0") > version_key("1.9.9")
    with pytest.raises(ContractError, match=r"MAJOR\.MINOR\.PATCH"):
        version_key("1.0")


def test_a_registered_contract_is_found_at_once(lake: str, sound: str) -> None:
    assert "meter_readings" not in Registry.load(lake)
    contract = register(sound, lake_bucket=lake, filename="meter.yaml")
    assert Registry.load(lake).get("meter_readings") == contract
    assert "ons_load_daily" in Registry.load(lake)
    kept = (
        boto3.client("s3").get_object(Bucket=lake, Key="contracts/meter_readings/1.0.0.yaml")["Body"].read()
    )
    assert kept.decode() == sound


def test_the_same_content_again_changes_nothing(lake: str, sound: str) -> None:
    register(sound, lake_bucket=lake, filename="meter.yaml")
    before = boto3.client("s3").head_object(Bucket=lake, Key=INDEX_KEY)["LastModified"], read_index(lake)
    again = register("# a comment is no content\n" + sound, lake_bucket=lake, filename="meter.yaml")
    assert again.version == "1.0.0"
    assert (
        boto3.client("s3").head_object(Bucket=lake, Key=INDEX_KEY)["LastModified"],
        read_index(lake),
    ) == before


def test_changed_content_needs_a_higher_version(lake: str, sound: str) -> None:
    register(sound, lake_bucket=lake, filename="meter.yaml")
    changed = sound.replace("max: 1000", "max: 2000")
    with pytest.raises(ConflictError) as raised:
        register(changed, lake_bucket=lake, filename="meter.yaml")
    assert raised.value.error_code == "contract_version_conflict"
    assert "1.0.1" in str(raised.value.hint)
    with pytest.raises(ConflictError):
        register(changed.replace("1.0.0", "0.9.0"), lake_bucket=lake, filename="meter.yaml")
    register(changed.replace("version: 1.0.0", "version: 1.1.0"), lake_bucket=lake, filename="meter.yaml")
    assert Registry.load(lake).get("meter_readings").version == "1.1.0"
    listed = boto3.client("s3").list_objects_v2(Bucket=lake, Prefix="contracts/meter_readings/")["Contents"]
    assert [item["Key"].split("/")[-1] for item in listed] == ["1.0.0.yaml", "1.1.0.yaml"]


def test_a_contract_of_the_release_can_be_superseded(lake: str) -> None:
    import yaml

    document = dict(Registry.builtin().document("ons_load_daily"))
    with pytest.raises(ConflictError):
        register(yaml.safe_dump({**document, "name": "Other"}), lake_bucket=lake, filename="x.yaml")
    register(
        yaml.safe_dump({**document, "name": "Other", "version": "9.0.0"}), lake_bucket=lake, filename="x.yaml"
    )
    assert Registry.load(lake).get("ons_load_daily").version == "9.0.0"


def test_an_invalid_contract_leaves_no_trace(lake: str, sound: str) -> None:
    with pytest.raises(ContractError, match=r"meter\.yaml:\d+"):
        register(sound.replace("Europe/Lisbon", "X/Y"), lake_bucket=lake, filename="meter.yaml")
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=lake)


def test_a_crash_before_the_index_is_completed_by_registering_again(
    lake: str, sound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_index", crash)
        with pytest.raises(KeyboardInterrupt):
            register(sound, lake_bucket=lake, filename="meter.yaml")
    assert "meter_readings" not in Registry.load(lake)
    with pytest.raises(ConflictError):
        register(sound.replace("max: 1000", "max: 5"), lake_bucket=lake, filename="meter.yaml")
    register(sound, lake_bucket=lake, filename="meter.yaml")
    assert "meter_readings" in Registry.load(lake)


def test_contracts_registered_at_the_same_time_are_all_kept(lake: str, sound: str) -> None:
    texts = [
        sound.replace("meter_readings", f"meter_{n}").replace("METER_*", f"METER_{n}_*") for n in range(6)
    ]

    def send(text: str) -> None:
        # The pretended S3 drops the content of a replaced object under whoever still reads it.
        for _ in range(10):
            with contextlib.suppress(ValueError):
                register(text, lake_bucket=lake, filename="m.yaml")
                return

    threads = [threading.Thread(target=send, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Registry.forget()
    assert {f"meter_{n}" for n in range(6)} <= set(Registry.load(lake).names())


def test_what_was_read_is_kept_for_a_while(lake: str, sound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(registry.time, "monotonic", lambda: now[0])
    assert "meter_readings" not in Registry.load(lake)
    register(sound, lake_bucket=lake, filename="meter.yaml")
    first = Registry.load(lake)
    boto3.client("s3").delete_object(Bucket=lake, Key=INDEX_KEY)
    now[0] += registry.TTL_SECONDS - 1
    assert Registry.load(lake) is first
    now[0] += 2
    assert "meter_readings" not in Registry.load(lake)


def test_a_lake_out_of_reach_is_bridged_by_what_was_read(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_: str) -> None:
        raise TransientError("no answer")

    now = [1000.0]
    monkeypatch.setattr(registry.time, "monotonic", lambda: now[0])
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "read_index", unreachable)
        with pytest.raises(TransientError):
            Registry.load(lake)
    known = Registry.load(lake)
    monkeypatch.setattr(publishing, "read_index", unreachable)
    now[0] += registry.TTL_SECONDS + 1
    assert Registry.load(lake) is known


def test_a_missing_bucket_is_a_permanent_error(lake: str) -> None:
    with pytest.raises(PermanentError) as raised:
        Registry.load("no-such-lake")
    assert raised.value.error_code == "bucket_missing"


def test_an_index_that_keeps_changing_is_a_transient_error(
    lake: str, sound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(sound, lake_bucket=lake, filename="m.yaml")
    real = clients.client("s3")

    class Contended:
        """S3 on which somebody else always writes first."""

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def put_object(self, **arguments: Any) -> Any:
            if "IfMatch" in arguments:
                arguments["IfMatch"] = '"another"'
            return real.put_object(**arguments)

    monkeypatch.setattr(publishing.clients, "client", lambda _: Contended())
    monkeypatch.setattr(publishing.time, "sleep", lambda _: None)
    with pytest.raises(TransientError, match="kept changing"):
        register(
            sound.replace("meter_readings", "more_readings").replace("METER", "MORE"),
            lake_bucket=lake,
            filename="m",
        )


def test_layout_is_no_content() -> None:
    assert digest({"a": 1, "b": [1]}) == digest({"b": [1], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
