"""Fuzzing: arbitrary bytes have an answer, a result or an error of ours, soon and in little memory.

`targets` has the functions that take untrusted bytes, each with its seeds and its laws. In the usual suite they run on
their seeds and on a few hundred changes of them (`test_targets`). `python -m tests.fuzz TARGET|all` is a `campaign` of
atheris, which changes inputs and watches which lines they reach; `guard` holds each run to its bounds. Every input that
once failed is a row of `rows`.
"""
