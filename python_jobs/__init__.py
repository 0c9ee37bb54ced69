"""Python jobs of the lake: loading, generating, validating, retention, and the functions of the Python models."""

import warnings

# Great Expectations imports PySpark where it is installed; no pandas frame is given to Spark here
warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
