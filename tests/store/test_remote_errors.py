"""Texts of errors as LanceDB and the client of object stores word them."""

from __future__ import annotations

import pytest

from mem_mcp.errors import StoreBusy, StoreError
from mem_mcp.store.error_mapping import store_errors

_STATUS = "IO {{ source: RetryError {{ inner: Status {{ status: {}, body: Some({!r}) }} }} }}"


def explained(text: str, location: str) -> StoreError:
    with pytest.raises(StoreError) as caught, store_errors("open", location):
        raise RuntimeError(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "location", "said"),
    [
        (
            "Error performing PUT http://169.254.169.254/latest/api/token in 5s - HTTP error: x",
            "s3://team",
            "there are no credentials for it; set AWS_ACCESS_KEY_ID",
        ),
        ("Failed to get AWS credentials: ProviderError", "s3://team", "AWS_SECRET_ACCESS_KEY"),
        (
            "uri: http://169.254.169.254/computeMetadata/v1, status: 403",
            "gs://team",
            "set GOOGLE_APPLICATION_CREDENTIALS where",
        ),
        ("no storage account configured.", "az://team", "set AZURE_STORAGE_ACCOUNT_NAME"),
        ("An api_key or oauth_config is required", "db://team", "set LANCEDB_API_KEY where"),
        (_STATUS.format(404, "<Code>NoSuchBucket</Code>"), "s3://team", "no such bucket"),
        (_STATUS.format(403, "<Code>AccessDenied</Code>"), "s3://team", "access was denied"),
        (_STATUS.format(403, "<Code>SignatureDoesNotMatch"), "s3://team", "were refused"),
        (_STATUS.format(301, "<Code>PermanentRedirect"), "s3://team", "in another region"),
        (_STATUS.format(400, "<Code>AuthorizationHeaderMalformed"), "s3://team", "another region"),
        ("reqwest::Error { kind: Builder, source: BadScheme }", "s3://team", "not encrypted"),
    ],
)
def test_what_an_object_store_refuses_is_said_with_a_remedy(
    text: str, location: str, said: str
) -> None:
    error = explained(text, location)
    assert said in str(error)
    assert not isinstance(error, StoreBusy)


@pytest.mark.parametrize(
    "text",
    [
        _STATUS.format(503, "<Code>SlowDown</Code>"),
        _STATUS.format(500, ""),
        _STATUS.format(429, "<Code>TooManyRequests</Code>"),
        "Server returned non-2xx status code: 503 Service Unavailable",
        "inner: Http(HttpError { kind: Timeout, source: reqwest::Error })",
        'ConnectError("tcp connect error", Os { message: "Connection refused" })',
        "Table 'memories' already exists",
        "Retryable commit conflict for version 7: This CreateIndex transaction was preempted by "
        "concurrent transaction CreateIndex at version 7.",
    ],
)
def test_what_passes_by_itself_may_be_tried_again(text: str) -> None:
    assert isinstance(explained(text, "s3://team"), StoreBusy)


def test_a_bucket_with_an_odd_name_is_not_taken_for_an_error() -> None:
    text = "invalid schema at s3://region-redirect-503-forbidden/x"
    error = explained(text, "s3://region-redirect-503-forbidden/x")
    assert not isinstance(error, StoreBusy)
    assert "invalid schema" in str(error)
