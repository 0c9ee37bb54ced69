"""A real Apache Kafka broker: one node in KRaft mode, from the jars of Maven, on free loopback ports."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its own files in an old way
    from kafka import KafkaAdminClient, KafkaProducer, TopicPartition  # type: ignore[import-untyped]
    from kafka.admin import NewTopic  # type: ignore[import-untyped]
    from kafka.errors import KafkaError  # type: ignore[import-untyped]

VERSION = "4.1.0"
CACHE_VARIABLE = "PLURA_TEST_CACHE"
"""Environment variable that names the folder in which the jars are kept; default ~/.cache/plura."""

_START_SECONDS = 60
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>plura.dev</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""
_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
log.dirs={logs}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable={create}
log.retention.check.interval.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
"""


class MissingPartError(Exception):
    """A program or package that the broker needs is missing on this machine."""


Message = tuple[bytes | None, bytes | None]
"""Key and value."""


@dataclass(kw_only=True)
class Broker:
    """A broker with its data under ``work``; ports and data survive ``kill`` and ``start``."""

    work: Path
    jars: Path
    port: int = 0
    creates_topics: bool = False
    """Whether it creates topics that clients request, as brokers do by default."""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"127.0.0.1:{self.port}"

    def format(self) -> None:
        """Choose ports and prepare the storage."""
        self.port, controller = free_ports(2)
        self.work.mkdir(parents=True, exist_ok=True)
        settings = _PROPERTIES.format(
            broker=self.port,
            controller=controller,
            logs=self.work / "logs",
            create=str(self.creates_topics).lower(),
        )
        self._properties.write_text(settings, encoding="utf-8")
        with (self.work / "format.log").open("wb") as log:
            subprocess.run(
                [
                    *self._java,
                    "kafka.tools.StorageTool",
                    "format",
                    "-t",
                    "cGx1cmEtdGVzdHMtMDAwMQ",
                    "-c",
                    self._properties,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
            )

    def start(self) -> None:
        """Start the broker and wait until it accepts connections."""
        with (self.work / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", self._properties], stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_end = (self.work / "broker.log").read_text(errors="replace")[-2000:]
                self.kill()
                raise RuntimeError(f"the broker did not start: {log_end}")
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether the broker serves requests."""

        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                pass
            client = KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        except (OSError, KafkaError):
            return False
        client.close()
        return True

    def kill(self) -> None:
        """Kill the broker, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Terminate the broker, and kill it if it does not end."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def remove(self) -> None:
        """Remove the data of a stopped broker."""
        shutil.rmtree(self.work)

    def restart(self) -> None:
        """Kill the broker and start it again on the same data."""
        self.kill()
        self.start()

    def create_topic(self, name: str | None = None, *, partitions: int = 1, **settings: str) -> str:
        """Create a topic and return its name, by default a new name; ``_`` in settings stands for a dot."""

        topic = name or f"topic-{uuid4().hex[:12]}"
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            configs: dict[Any, Any] = {key.replace("_", "."): value for key, value in settings.items()}
            client.create_topics(
                [NewTopic(name=topic, num_partitions=partitions, replication_factor=1, topic_configs=configs)]
            )
        finally:
            client.close()
        return topic

    def delete_topic(self, topic: str) -> None:
        """Delete a topic and wait until the broker has deleted it."""

        client = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            client.delete_topics([topic])
            deadline = time.monotonic() + _START_SECONDS
            while client.describe_topics([topic])[0]["error_code"] == 0:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"topic {topic} was not deleted")
                time.sleep(0.02)
        finally:
            client.close()

    def add_partitions(self, topic: str, total: int) -> None:
        """Raise the number of a topic's partitions."""

        client = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            client.create_partitions({topic: total})
        finally:
            client.close()

    def delete_records(self, topic: str, before: dict[int, int]) -> None:
        """Delete the messages of partitions before an offset, as retention does."""

        client = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            client.delete_records({TopicPartition(topic, partition): offset for partition, offset in before.items()})
        finally:
            client.close()

    def producer(self, **settings: Any) -> KafkaProducer:
        """Return a producer that waits for confirmations; the caller closes it."""

        return KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", **settings)

    def produce(
        self, topic: str, messages: Iterable[Message], *, partition: int | None = None
    ) -> list[tuple[int, int]]:
        """Send messages and return the partition and offset of each."""
        producer = self.producer()
        try:
            sent = [producer.send(topic, key=key, value=value, partition=partition) for key, value in messages]
            producer.flush(30)
            stored = [confirmation.get(timeout=30) for confirmation in sent]
        finally:
            producer.close()
        return [(record.partition, record.offset) for record in stored]

    @property
    def _properties(self) -> Path:
        return self.work / "server.properties"

    @property
    def _java(self) -> list[str | Path]:
        log4j = f"-Dlog4j2.level=WARN -Dkafka.logs.dir={self.work}"
        return ["java", "-Xmx384m", "-XX:TieredStopAtLevel=1", *log4j.split(), "-cp", f"{self.jars}/*"]


def kafka_jars() -> Path:
    """Return the folder with the broker's jars, fetched once by Maven.

    Raises:
        MissingPartError: they are missing and cannot be fetched.
    """
    cache = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "plura")
    jars = cache / f"kafka-{VERSION}"
    if not jars.is_dir():
        maven = shutil.which("mvn")
        if maven is None:
            raise MissingPartError("Apache Kafka needs Maven to fetch its jars: no mvn on the path")
        # renamed when complete: two processes may fetch at once
        made = cache / f"kafka-{VERSION}.{uuid4().hex[:8]}"
        made.mkdir(parents=True)
        (made / "pom.xml").write_text(_POM, encoding="utf-8")
        fetched = subprocess.run(
            [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={made / 'jars'}"],
            cwd=made,
            capture_output=True,
            text=True,
            check=False,
        )
        if fetched.returncode:
            shutil.rmtree(made)
            raise MissingPartError("Apache Kafka's jars cannot be fetched: no reachable Maven repository")
        if not jars.is_dir():
            (made / "jars").rename(jars)
        shutil.rmtree(made)
    return jars


def free_ports(count: int) -> list[int]:
    """Return ports that are free at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    for bound in sockets:
        bound.bind(("127.0.0.1", 0))
    ports = [int(bound.getsockname()[1]) for bound in sockets]
    for bound in sockets:
        bound.close()
    return ports
