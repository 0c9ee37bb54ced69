"""Targets of the dbt profile, for what reaches an engine without dbt."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def target_settings(project_dir: Path, target: str) -> dict[str, Any]:
    """Return the settings of a target from the profile, environment variables filled in."""
    import yaml
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.context import set_invocation_context

    set_invocation_context(os.environ)  # where dbt looks up environment variables
    text = (project_dir / "profiles" / "profiles.yml").read_text(encoding="utf-8")
    settings: dict[str, Any] = ProfileRenderer({}).render_data(yaml.safe_load(text)["plura"]["outputs"][target])
    return settings
