"""A stack is made smaller as long as it fails in the same way."""

import pytest

from oci_layers.testing.judge.simplify import simplest
from oci_layers.testing.stack import Stack

BIG = """layer
  ./a/ dir 0700 1:2 5.5 xattr.user.k=v xattr.user.l=w
  a/b/c/f file 0600 1:2 5.5 text=hello
  s symlink 1:2 target=x
  p fifo 0600
  a/b/c/g link a/b/c/f
layer
  a whiteout
  a/b/c/f file text=x
layer
  n file
"""


def smallest(fails, **options):
    tried = []

    def first(candidates):
        tried.extend(candidates)
        return next((each for each in candidates if fails(each)), None)

    return str(simplest(Stack.parse(BIG), first, **options)), tried


def lines(stack):
    return [line.strip() for line in str(stack).splitlines()]


CASES = {
    "nothing is needed": (lambda stack: True, "layer"),
    "a kind": (lambda stack: any(" fifo" in line for line in lines(stack)), "layer\n    p fifo"),
    "a content": (
        lambda stack: any(entry.size for layer in stack.layers for entry in layer),
        "layer\n    f file text=x",
    ),
    "an attribute": (
        lambda stack: any("xattr.user.l=w" in line for line in lines(stack)),
        "layer\n    a/ dir xattr.user.l=w",
    ),
    "an owner": (lambda stack: any("1:2" in line and "dir" in line for line in lines(stack)), "layer\n    a/ dir 1:2"),
    "two layers": (
        lambda stack: any(
            "a whiteout" in lines(Stack((upper,))) and any("a/ dir" in line for line in lines(Stack((lower,))))
            for lower, upper in zip(stack.layers, stack.layers[1:], strict=False)
        ),
        "layer\n    a/ dir\nlayer\n    a whiteout",
    ),
    "a path of two names": (
        lambda stack: any("/" in line.split()[0] and line.split()[1:2] == ["file"] for line in lines(stack)),
        "layer\n    c/f file",
    ),
}


@pytest.mark.parametrize(("fails", "expected"), CASES.values(), ids=CASES)
def test_what_is_not_needed_goes(fails, expected):
    found, _ = smallest(fails)
    assert found == expected


def test_what_cannot_be_smaller_stays():
    stack = Stack.parse(BIG)
    assert simplest(stack, lambda _: None) is stack


def test_steps_are_counted():
    _, tried = smallest(lambda stack: False, steps=7)
    assert len(tried) == 7
    assert smallest(lambda stack: True, steps=0)[0] == str(Stack.parse(BIG))
