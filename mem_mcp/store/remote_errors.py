"""What an object store's refusals mean: which answers pass by themselves, and what helps otherwise.

LanceDB and the client of object stores tell them by text only, which has the store's own answer.
"""

from __future__ import annotations

import re

# A status of HTTP as the two put it.
_STATUS = r"status(?: code)?: "
_CREDENTIALS = (
    r"169\.254\.|metadata\.google|Failed to get AWS credentials|CredentialsProvider"
    r"|no storage account configured|Account must be specified|api_key or oauth_config is required"
)
_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (profiles of the AWS CLI are not read)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "db": "LANCEDB_API_KEY",
}
_BUSY = re.compile(
    rf"{_STATUS}(?:5\d\d|429|408)\b|<Code>(?:SlowDown|RequestTimeout|TooManyRequests)"
    r"|HttpError \{ kind: (?:Timeout|Interrupted|Connect|Request|Decode)"
    # Others have just made it, or not all of it yet; or they have removed files of an earlier one.
    r"|Table '\w+' (?:already exists|was not found)|NotFound|Not found: "
    r"|HTTP error: |operation timed out|connection (?:reset|closed|refused)",
    re.IGNORECASE,
)
_HTTP_ONLY = r"BadScheme|URL scheme is not allowed|scheme is not http"
_LASTING = (
    (
        r"NoSuchBucket|ContainerNotFound|specified bucket does not exist",
        "there is no such bucket",
        "make it, or correct storage_uri (MEM_MCP_STORAGE_URI)",
    ),
    (
        _CREDENTIALS,
        "there are no credentials for it",
        "",
    ),
    (
        _HTTP_ONLY,
        "its address is http://, which is not encrypted",
        "set AWS_ALLOW_HTTP=true, or an https:// address",
    ),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint"
        rf"|Received redirect without|{_STATUS}301\b",
        "the bucket is in another region",
        "name it with MEM_MCP_STORE__OPTIONS=region=… or AWS_REGION",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|RequestTimeTooSkewed"
        rf"|{_STATUS}401\b",
        "its credentials were refused",
        "check them, and the clock of this machine",
    ),
    (
        rf"{_STATUS}403\b|<Code>AccessDenied",
        "access was denied",
        "these credentials need to list, read, write and delete objects there",
    ),
)
_MEANINGS = tuple((re.compile(each, re.IGNORECASE), said, helps) for each, said, helps in _LASTING)


def meaning(reason: str, scheme: str) -> tuple[str, str] | None:
    """Return the problem behind an error's text and what helps; None if it is not a known one.

    Args:
        reason: the error's text.
        scheme: of the store's address, such as s3.
    """
    for pattern, problem, helps in _MEANINGS:
        if pattern.search(reason):
            return problem, helps or f"set {_KEYS.get(scheme, 'them')} where mem-mcp starts"
    return None


def passes(reason: str) -> bool:
    """Return whether load, the network or others stood in the way: another try may succeed."""
    return bool(_BUSY.search(reason))
