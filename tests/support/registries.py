"""Repositories of a `ModelRegistry`, and images to put into them."""

import threading

from oci_layers.registry.retry import Clock
from oci_layers.registry.session import RegistrySession
from oci_layers.store.registry import RegistryRepository
from tests.support.model_registry import ModelRegistry, Switches


class Timeless:
    """A clock whose time passes by waiting alone; `waited` has each pause."""

    def __init__(self):
        self.time = 1_000_000.0
        self.waited = []

    def clock(self):
        return Clock(now=lambda: self.time, wall=lambda: self.time, wait=self.wait)

    def wait(self, event, seconds):
        self.waited.append(seconds)
        self.time += seconds
        return event.is_set()


def session(model, **options):
    options.setdefault("credentials", lambda _domain, _path: None)
    options.setdefault("clock", Timeless().clock())
    return RegistrySession(transport=model, environ={}, **options)


def remote(model=None, name="a/b", *, switches=None, **options):
    """A repository of a model, which is made if there is none."""
    model = model or ModelRegistry(switches=switches or Switches())
    return RegistryRepository(f"{model.host}/{name}", session=session(model, **options))


def run_in_thread(function):
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread
