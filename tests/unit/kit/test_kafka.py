"""How Spark's source signs in to Kafka where the client has another name."""

from __future__ import annotations

import pytest

from plura.kit.kafka import KafkaSettings


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_on_databricks_spark_signs_in_with_the_login_module_of_its_runtime(
    monkeypatch: pytest.MonkeyPatch, mechanism: str
) -> None:
    settings = KafkaSettings.model_validate(
        {"security_protocol": "SASL_SSL", "sasl_mechanism": mechanism, "sasl_username": "u", "sasl_password": "p"}
    )
    monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION", raising=False)
    elsewhere = settings.spark_options()["kafka.sasl.jaas.config"]
    assert elsewhere.startswith("org.apache.kafka.common.security.")
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    assert settings.spark_options()["kafka.sasl.jaas.config"] == f"kafkashaded.{elsewhere}"
