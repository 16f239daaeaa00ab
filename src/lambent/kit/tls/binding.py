"""What ties a proof to one TLS connection."""

import asyncio
import ssl


def binding_of(transport: asyncio.BaseTransport) -> str:
    """Hex digits that only the two ends of a TLS connection have; empty without TLS. They are those
    of a `Finished` message, which differ at the two ends of a machine in the middle."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    binding = None if tls is None else tls.get_channel_binding("tls-unique")
    return "" if binding is None else binding.hex()
