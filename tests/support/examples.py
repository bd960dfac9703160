"""Numbers that differ between the profiles of Hypothesis (`tests/conftest.py`)."""

from hypothesis import settings


def examples(*, dev, ci, deep=None):
    """Return one number for a developer's run, another for CI; `deep` has what is said, or five times that of CI."""
    return {"dev": dev, "mutation": dev, "ci": ci, "deep": deep or 5 * ci}[settings.get_current_profile_name()]


def some(rows, *, every, ci=1):
    """Return one of `every` rows, from the first on, for a developer's run, one of `ci` for CI, all for `deep`."""
    return list(rows)[:: examples(dev=every, ci=ci, deep=1)]
