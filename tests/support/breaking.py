"""Break the engine: change lines of its functions while a test runs."""

import inspect
import textwrap
from types import FunctionType

import attrs


@attrs.frozen
class Fault:
    """A line of a function, or part of it, and what comes in its place."""

    function: FunctionType
    old: str
    new: str


def break_functions(monkeypatch, faults):
    """Break functions; every module and class that has one of them has it broken."""
    for function in {fault.function for fault in faults}:
        lines, first = inspect.getsourcelines(function)
        source = textwrap.dedent("".join(lines))
        for fault in faults:
            if fault.function is function:
                assert source.count(fault.old) == 1, f"{fault.old!r} is not in {function.__qualname__} once"
                assert "\n" not in fault.old + fault.new
                source = source.replace(fault.old, fault.new)
        made = {}
        # At its own lines of its own file, for coverage and tracebacks.
        exec(compile("\n" * (first - 1) + source, function.__code__.co_filename, "exec"), function.__globals__, made)
        monkeypatch.setattr(function, "__code__", made[function.__name__].__code__)
