"""Numbers that differ between the profiles of Hypothesis (`tests/conftest.py`)."""

from hypothesis import settings


def examples(*, dev, ci):
    """One number for a developer's run, another for CI; the profile `deep` has five times that of CI."""
    return {"dev": dev, "mutation": dev, "ci": ci, "deep": 5 * ci}[settings.get_current_profile_name()]


def some(rows, *, every):
    """Return one of `every` rows, from the first on, for a developer's run; all rows for CI and for `deep`."""
    rows = list(rows)
    return rows[::every] if settings.get_current_profile_name() in {"dev", "mutation"} else rows
