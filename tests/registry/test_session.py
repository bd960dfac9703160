"""What requests to registries share: one transport, one set of credentials, one endpoint for each registry."""

import pytest

from oci_layers.errors import AccessDeniedError, NameFormatError, RegistryError
from oci_layers.registry import Credential
from oci_layers.registry.session import RegistrySession
from tests.support.model_registry import ModelRegistry, reply
from tests.support.registries import session


def wanting(credential):
    """A model that wants a password."""
    model = ModelRegistry()
    header = credential.basic()

    def guard(request):
        if request.headers.get("Authorization") == header:
            return None
        return reply(request, 401, headers=[("WWW-Authenticate", 'Basic realm="r"')])

    model.answers.append(guard)
    return model


ME = Credential(username="me", password="secret")


@pytest.mark.parametrize(
    "given", [ME, lambda domain, path: ME if (domain, path) == ("registry.example", "a") else None]
)
def test_credentials_are_shown_where_they_are_asked_for(given):
    model = wanting(ME)
    with session(model, credentials=given) as made:
        made.client(model.host, "a").head_manifest("v1")
        made.client(model.host, "a").head_manifest("v1")
    assert [headers.get("Authorization") is None for *_, headers in model.log] == [True, False, False]
    assert model.closed


def test_credentials_of_the_user_are_found_in_files(tmp_path):
    (tmp_path / "auth.json").write_text('{"auths": {"registry.example": {"auth": "bWU6c2VjcmV0"}}}')
    for options in (
        {"authfile": tmp_path / "auth.json"},
        {"environ": {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}},
    ):
        model = wanting(ME)
        with RegistrySession(transport=model, **{"environ": {}, **options}) as made:
            made.check(model.host)


def test_a_login_is_checked():
    model = wanting(ME)
    session(model, credentials=ME).check(model.host)
    with pytest.raises(AccessDeniedError, match="401"):
        session(model, credentials=Credential(username="me", password="wrong")).check(model.host)
    with pytest.raises(AccessDeniedError):
        session(model).check(model.host)
    web = ModelRegistry()
    web.answers.append(lambda request: reply(request, 404, b"<html>"))
    with pytest.raises(RegistryError, match="404"):
        session(web).check(web.host)


def test_a_repository_is_a_name():
    made = session(ModelRegistry())
    assert made.client("registry.example", "a/b").endpoint is made.client("registry.example", "c").endpoint
    for domain, path in (("registry.example", "A"), ("a b", "a"), ("registry.example", "../x"), ("a:0", "a")):
        with pytest.raises(NameFormatError):
            made.client(domain, path)
