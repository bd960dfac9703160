"""What requests to registries share: connections, credentials, tokens, and what is known of each registry."""

import os
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Self

from oci_layers import system
from oci_layers._version import __version__
from oci_layers.limits import Limits
from oci_layers.registry.authorizer import Authorizer
from oci_layers.registry.client import RegistryClient
from oci_layers.registry.credential_files import DefaultCredentials
from oci_layers.registry.credentials import CredentialSource
from oci_layers.registry.endpoint import Endpoint
from oci_layers.registry.exchange import Exchange
from oci_layers.registry.retry import Retries
from oci_layers.registry.transport import Transport

__all__ = ["RegistrySession"]
