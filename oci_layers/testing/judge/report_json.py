"""A judgement as JSON values, with keys that do not change."""

from typing import Any

from oci_layers.testing.judge.verdict import Judgement, Score, Verdict

__all__ = ["judgement_json"]


def judgement_json(judgement: Judgement) -> dict[str, Any]:  # Any: JSON
    """Return a judgement as a JSON object; all values in it but `seconds` are the same for the same outcomes."""
    return {
        "program": judgement.program,
        "version": judgement.version,
        "command": judgement.command,
        "seed": judgement.seed,
        "ok": judgement.ok,
        "failures": len(judgement.failures),
        "cases": {
            "spec": _score(judgement.score("spec")),
            "safety": _score(judgement.score("safety")),
            "decided": _score(judgement.score("decided")),
            "skipped": judgement.skipped,
        },
        "generated": None if judgement.generated is None else _score(judgement.generated),
        "laws_broken": list(judgement.laws_broken),
        "seconds": round(judgement.seconds, 3),
        "verdicts": [_verdict(each) for each in judgement.verdicts],
    }


def _score(score: Score) -> dict[str, int]:
    return {"passed": score.passed, "total": score.total}


def _verdict(verdict: Verdict) -> dict[str, Any]:  # Any: JSON
    facts: dict[str, Any] = {  # Any: JSON
        "id": verdict.id,
        "status": verdict.status,
        "level": verdict.level,
        "rules": list(verdict.rules),
        "sentence": verdict.sentence,
        "generated": verdict.generated,
    }
    if verdict.status in {"passed", "skipped"}:
        return facts | ({"message": verdict.message} if verdict.message else {})
    return facts | {
        "message": verdict.message,
        "layers": [text.splitlines() for text in verdict.layers],
        "expected": list(verdict.expected),
        "actual": None if verdict.actual is None else list(verdict.actual),
        "differences": [
            {"expected": expected, "actual": actual, "what": what.split(", ")}
            for expected, actual, what in verdict.differences
        ],
        "made": list(verdict.made),
        "command": verdict.command,
        "kept": None if verdict.kept is None else str(verdict.kept),
        "seen": verdict.seen,
    }
