"""The certificate of a server."""

from __future__ import annotations

import ssl
from pathlib import Path

from mem_mcp.config import HttpSettings
from mem_mcp.errors import ConfigError


def check_certificate(http: HttpSettings) -> None:
    """Check that the files of the certificate and its key can be used, if there are any.

    Raises:
        ConfigError: they cannot; the message names the setting.
    """
    if not http.certificate:
        return
    files = {"certificate": http.certificate, "certificate_key": http.certificate_key}
    for name, file in files.items():
        try:
            if file:
                Path(file).read_bytes()
        except OSError as error:
            raise ConfigError(
                f"http.{name}: {file!r} cannot be read ({error.strerror}); name a PEM file"
            ) from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            http.certificate, http.certificate_key or None, password=_no_password
        )
    except ssl.SSLError as error:
        where = http.certificate_key or http.certificate
        raise ConfigError(
            f"http.certificate: {http.certificate!r} is no certificate (PEM) to which the private "
            f"key in {where!r} belongs ({error.reason or 'not PEM'})"
        ) from error


def _no_password() -> str:
    raise ConfigError("http.certificate_key: the key is encrypted; write it without a password")
