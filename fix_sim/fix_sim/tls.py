"""The simulator's own certificate, and whose certificates it trusts. TLS 1.2 or newer."""

import ssl

from fix_sim.config import Settings
from fix_sim.errors import StartError

_UNREADABLE = "name files in PEM form that belong together, the key without a password"


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """None for FIX in the clear. Raises StartError."""
    if settings.tls_cert is None:
        for name, value in (("tls_key", settings.tls_key), ("tls_client_ca", settings.tls_client_ca)):
            if value is not None:
                raise StartError(name, "says nothing without tls_cert", "name a certificate, or leave it out")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password a key that needs one would have OpenSSL ask at the terminal.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except (OSError, ValueError) as error:
        files = " and ".join(filter(None, (settings.tls_cert, settings.tls_key)))
        raise StartError(f"tls_cert {files}", f"cannot be used ({_why(error)})", _UNREADABLE) from None
    if settings.tls_client_ca is not None:
        _demand_certificates(context, settings.tls_client_ca)
    return context


def _demand_certificates(context: ssl.SSLContext, authorities: str) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(authorities)
    except OSError as error:
        raise StartError(
            f"tls_client_ca {authorities}",
            f"cannot be used ({_why(error)})",
            "name a file of certificates in PEM form",
        ) from None


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
