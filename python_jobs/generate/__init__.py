"""Generates realistic Bronze files with double-entry payments and, on demand, planted faults."""

from __future__ import annotations

import json
import shutil

from python_jobs.generate.deliveries import Deliveries
from python_jobs.generate.platform import Platform
from python_jobs.generate.request import KINDS, Fault, GenerateReport, GenerateRequest, read_faults
from python_jobs.progress import Progress
from python_jobs.warehouse import LakeError

__all__ = ["KINDS", "Fault", "GenerateReport", "GenerateRequest", "generate", "read_faults"]


def generate(request: GenerateRequest, progress: Progress | None = None) -> GenerateReport:
    """Write ``<out>/<bronze table>/<day>.jsonl`` and ``<out>/truth.json``; the folder appears when it is complete.

    Args:
        request: what to generate.
        progress: called with the ledger entries written.

    Raises:
        LakeError: the request does not fit, a fault could not be planted, or the folder cannot be written.
    """
    request.check()
    partial = request.out.with_name(request.out.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        with Deliveries(partial) as files:
            truth = Platform(request, files, progress).run()
        text = json.dumps(truth.document(), indent=1)
        (partial / "truth.json").write_text(text + "\n", encoding="utf-8")
        if request.out.exists():
            request.out.rmdir()
        partial.rename(request.out)
    except OSError as error:
        raise LakeError(
            f"{request.out} cannot be written: {error.strerror or error}; nothing was left there"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return GenerateReport(rows=dict(files.rows), files=files.files)
