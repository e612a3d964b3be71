"""ODCS documents and what they mean."""

from __future__ import annotations

import pytest
import yaml

from gridlake.contracts.model import Kind, Role, Severity
from gridlake.contracts.odcs import parse
from gridlake.contracts.text import header_key, value_key
from gridlake.platform.errors import ContractError


def test_a_contract_says_what_its_document_says(sound: str) -> None:
    contract = parse(yaml.safe_load(sound))
    assert (contract.dataset, contract.version, contract.publisher) == ("meter_readings", "1.0.0", "example")
    assert contract.kind is Kind.SERIES
    assert contract.title == {"en": "Meter readings"}
    assert [c.name for c in contract.tags] == [c.name for c in contract.keys] == ["site"]
    assert [c.name for c in contract.fields] == ["power_kw", "loss_kw"]
    assert contract.attributes == ()
    assert contract.time
    assert contract.time.columns == ("instant",)
    assert contract.time.end_of_day == "23:59:00"
    power = contract.column("power_kw")
    assert (power.source, power.aliases, power.unit, power.source_unit) == ("power", ("potencia",), "kW", "W")
    lisbon = contract.column("site").members[0]
    assert (lisbon.code, lisbon.labels, lisbon.spellings) == ("LX", {"en": "Lisbon"}, ("LISBOA",))
    assert [rule.severity for rule in contract.rules] == [Severity.ERROR, Severity.ERROR, Severity.WARNING]
    with pytest.raises(KeyError):
        contract.column("nothing")


def test_roles_follow_from_types_unless_written(sound: str) -> None:
    text = sound.replace("{role: field, unit: kW}", "{unit: kW}").replace("role: tag, closed", "closed")
    contract = parse(yaml.safe_load(text))
    assert contract.column("loss_kw").role is Role.FIELD
    assert contract.column("site").role is Role.ATTRIBUTE


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("kind: series", "kind: table"), ("logicalType: number", "logicalType: blob"), ("schema:", "schemas:")],
)
def test_a_document_that_is_no_contract_is_refused(sound: str, right: str, wrong: str) -> None:
    with pytest.raises(ContractError, match="contract meter_readings") as raised:
        parse(yaml.safe_load(sound.replace(right, wrong, 1)))
    assert "validate" in str(raised.value.hint)


def test_paragraphs_survive_folding(sound: str) -> None:
    text = sound + "description:\n  purpose: |\n    One\n    two.\n\n    Three.\n"
    assert parse(yaml.safe_load(text)).description == "One two.\n\nThree."


def test_words_are_compared_without_what_publishers_vary() -> None:
    assert header_key("\ufeffPumped  Storage ") == header_key("pumped storage")
    assert value_key(" Ceará ") == value_key("CEARA")
    assert value_key("N") != value_key("NE")
