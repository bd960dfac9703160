"""`oci-layers explain`: show rules by their ids, or list all of them."""

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from oci_layers.cli.output import print_json
from oci_layers.errors import MissingError, shortened
from oci_layers.layer.rules import LAYER_RULES
from oci_layers.report import Rule
from oci_layers.rules import RULES, source_of

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "explain",
        help="show what a rule requires, and the fix",
        description="Show rules by the ids that validate and lint report: severity, key word and page of the spec "
        "(https://github.com/opencontainers/image-spec), and the fix. Without RULE, list all rules.",
    )
    parser.add_argument("rule", metavar="RULE", nargs="*", help="the id of a rule, such as DSC-07 or missing-parent")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_explain)


def _explain(options: argparse.Namespace) -> int:
    rules = list(dict.fromkeys(map(_rule, options.rule))) or list(RULES.values())
    if options.format == "json":
        print_json([_json(rule) for rule in rules])
    elif options.rule:
        sys.stdout.write("\n".join(map(_text, rules)))
    else:
        documents = [rule for rule in rules if rule.id not in LAYER_RULES]
        sys.stdout.writelines(_lines(documents))
        sys.stdout.writelines(_lines([rule for rule in rules if rule.id in LAYER_RULES]))
    return 0


def _rule(name: str) -> Rule:
    """Return the rule with an id, in any letter case.

    Raises:
        MissingError: There is no such rule; the message has the ids that are most like it.
    """
    ids = {rule.lower(): rule for rule in RULES}
    if name.lower() in ids:
        return RULES[ids[name.lower()]]
    near = [ids[each] for each in difflib.get_close_matches(name.lower(), ids)]
    hint = f"the nearest: {', '.join(near)}" if near else "oci-layers explain lists all"
    raise MissingError(f"no rule '{shortened(name)}'; {hint}")


def _lines(rules: Sequence[Rule]) -> Iterator[str]:
    wide = max(len(rule.id) for rule in rules)
    return (f"{rule.id:<{wide}}  {rule.severity:<7}  {rule.sentence}\n" for rule in rules)


def _text(rule: Rule) -> str:
    rows = {
        "severity": f"{rule.severity} in the profile default",
        "key word": "none" if rule.level == "INFO" else rule.level,
        "source": source_of(rule),
        "fix": rule.fix,
        "check": rule.unchecked and f"none of its own. {rule.unchecked}",
    }
    return "".join([f"{rule.id}: {rule.sentence}\n", *(f"  {name:<10}{text}\n" for name, text in rows.items() if text)])


def _json(rule: Rule) -> dict[str, Any]:  # Any: JSON
    return {
        "rule": rule.id,
        "severity": rule.severity,
        "level": rule.level,
        "sentence": rule.sentence,
        "fix": rule.fix,
        "source": source_of(rule),
        "unchecked": rule.unchecked,
    }
