"""Checks incoming batches with Great Expectations before they are loaded, and writes Data Docs."""

from python_jobs.validate.batches import SAMPLE_LINES, Validator
from python_jobs.validate.suites import expectations

__all__ = ["SAMPLE_LINES", "Validator", "expectations"]
