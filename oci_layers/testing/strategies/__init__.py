r"""Hypothesis strategies of everything that the image spec speaks of, for tests of your own code.

Layers are drawn as a `Stack`, which writes itself as archives or as an image layout. Unless they are `hostile`, they are
legal by the spec, and mean one thing only; unless they are told not to be `awkward`, they have all that is legal, in any
order. Here a program for layers that lets a directory keep what is below it when a file takes its place:

    >>> from hypothesis import given, settings
    >>> from hypothesis import strategies as st
    >>> from oci_layers.testing.strategies import stacks
    >>> quiet = settings(database=None, print_blob=False, derandomize=True, max_examples=1000)
    >>> @quiet
    ... @given(stacks(layers=(1, 2), features=["implied-parents"]))
    ... def test_no_name_is_below_a_file(stack):
    ...     kinds = {entry.name.rstrip(b"/"): entry.type for layer in stack.layers for entry in layer}
    ...     for name in kinds:
    ...         parent = name.rpartition(b"/")[0]
    ...         assert kinds.get(parent, b"5") == b"5"
    >>> try:
    ...     test_no_name_is_below_a_file()
    ... except AssertionError as error:
    ...     print(error.__notes__[0])
    Failing test case: test_no_name_is_below_a_file(
        ...
"""
