"""The values of the port: requests, answers, header fields."""

from oci_layers.registry import BytesBody, Headers, Request, Url


def test_header_fields_have_names_in_any_case_and_perhaps_several_values():
    headers = Headers([("Link", "a"), ("LINK", "b"), ("X", "secret")])
    assert headers["link"] == "a, b"
    assert headers.all("Link") == ("a", "b")
    assert headers.all("none") == ()
    assert headers.get("none") is None
    assert dict(headers) == {"link": "a, b", "x": "secret"}
    assert len(headers) == 2
    assert "secret" not in repr(headers)


def test_a_request_shows_no_secret():
    url = Url.parse("https://a/?secret")
    request = Request(method="GET", url=url, body=BytesBody(b"secret")).with_headers(
        Authorization="secret", If_Match="x"
    )
    assert request.headers == {"Authorization": "secret", "If-Match": "x"}
    assert "secret" not in repr(request)
    assert request.body.size == 6
    assert request.body.open().read(9) == request.body.open().read(9) == b"secret"
