"""Options for what is made; the tests of the commands have the reports."""

import argparse
import datetime as dt

from oci_layers.cli.building import created_of, output_arguments


def parsed(*arguments):
    """The options of a command line."""
    parser = argparse.ArgumentParser()
    output_arguments(parser)
    return parser.parse_args(["-o", "x", *arguments])


def test_the_time_is_none_or_that_which_is_given_or_now():
    assert created_of(parsed()) is None
    assert created_of(parsed("--created", "5")) == 5
    assert created_of(parsed("--created", "2024-01-31T12:00:00Z")) == "2024-01-31T12:00:00Z"
    now = created_of(parsed("--created", "now"))
    assert abs(dt.datetime.now(dt.UTC) - now) < dt.timedelta(minutes=1)
    assert now.microsecond == 0
