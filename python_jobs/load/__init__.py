"""Loading files of JSON lines into Bronze, and taking batches out again."""

from python_jobs.load.batches import Batch, list_batches, set_batch_status
from python_jobs.load.file import FileOutcome, LoadReport
from python_jobs.load.folder import load_folder

__all__ = ["Batch", "FileOutcome", "LoadReport", "list_batches", "load_folder", "set_batch_status"]
