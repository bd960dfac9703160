"""Numbers that differ between the profiles of Hypothesis (`tests/conftest.py`)."""

from hypothesis import settings


def examples(*, dev, ci):
    """One number for a developer's run, another for CI; the profile `deep` has five times that of CI."""
    return {"dev": dev, "ci": ci, "deep": 5 * ci}[settings.get_current_profile_name()]
