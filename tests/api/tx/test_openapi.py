"""The published OpenAPI document, and the running API held against it by schemathesis with all its checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dev.servers.identity import token
from plura.kit.auth.settings import AuthSettings
from plura.kit.http.settings import ApiSettings
from plura.tx.api.app import create_app
from tests.admin_api import AdminApi, ledger, payment
from tests.dbt_runs import PROJECT
from tests.postgres import TestDatabase

PUBLISHED = PROJECT / "docs" / "tx" / "openapi.json"
LOOKUPS = {
    "/admin/tx/{tx_id}": {"200", "401", "403", "404", "422", "503"},
    "/admin/payment-orders/{order_id}": {"200", "401", "403", "404", "422", "503"},
    "/admin/wallets/{wallet_id}/tx": {"200", "401", "403", "422", "503"},
    "/admin/search": {"200", "401", "403", "422", "503"},
    "/admin/audit": {"200", "401", "403", "422", "503"},
}


@pytest.fixture
def document(bo: TestDatabase) -> dict[str, Any]:
    app = create_app(ApiSettings(), AuthSettings(auth_mode="disabled"), bo.client())
    return json.loads(json.dumps(app.openapi()))  # type: ignore[no-any-return]


def test_the_published_document_is_the_one_that_is_served(document: dict[str, Any]) -> None:
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == document, (
        "write it anew: python -m plura.tx.api.openapi > docs/tx/openapi.json"
    )


def test_every_lookup_documents_its_errors_security_and_identity(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {*LOOKUPS, "/healthz", "/readyz", "/metrics"}
    for path, statuses in LOOKUPS.items():
        operation = document["paths"][path]["get"]
        assert set(operation["responses"]) == statuses
        assert operation["security"] == [{"bearer": []}]
        assert operation["summary"]
        for status in statuses - {"200"}:
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


def test_every_example_is_of_its_schema(document: dict[str, Any]) -> None:
    count = 0
    for path in LOOKUPS:
        for status, answer in document["paths"][path]["get"]["responses"].items():
            ((_, content),) = answer["content"].items()
            schema = {**content["schema"], "components": document["components"]}
            jsonschema.Draft202012Validator(schema).validate(content["example"])
            assert status == "200" or content["example"]["status"] == int(status)
            count += 1
    assert count == sum(len(statuses) for statuses in LOOKUPS.values())


def test_no_parameter_takes_null(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for parameter in operations["get"].get("parameters", ()):
            assert "null" not in json.dumps(parameter["schema"]), parameter["name"]


@pytest.mark.parametrize(
    ("hooked", "excluded"),
    [
        (True, []),
        (False, ["--exclude-checks", "positive_data_acceptance"]),  # invented cursors are refused
    ],
)
def test_the_running_api_keeps_its_word(api: AdminApi, tmp_path: Path, hooked: bool, excluded: list[str]) -> None:
    payment(api.database)
    for name in ("tx-pay-1", "w-payer-1"):
        ledger(api.database, name, wallet_id="w-payer-1")
    for number in range(150):
        ledger(api.database, f"more-{number}", wallet_id="w-payer-1", related_id="po-1")
    hooks = {"SCHEMATHESIS_HOOKS": "tests.api.tx.schemathesis_hooks"} if hooked else {}
    ended = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            f"{api.url}/openapi.json",
            "--header",
            f"Authorization: Bearer {token(roles=['ADMIN_READ', 'ADMIN_AUDIT'])}",
            "--checks",
            "all",
            *excluded,
            "--max-examples",
            "40",
            "--seed",
            "1",
            "--no-color",
        ],
        cwd=tmp_path,
        env={**os.environ, **hooks, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert "8 selected / 8 total" in ended.stdout
    statuses = api.database.sql("select distinct status_code from bo.admin_audit_logs order by 1")
    assert {200, 401, 404, 422} <= {status for (status,) in statuses}
