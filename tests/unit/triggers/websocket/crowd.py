"""A program: so many clients that connect, say so, and stay until their input ends."""

import asyncio
import base64
import sys

_AT_ONCE = 50


async def main(port: int, path: str, count: int) -> None:
    """Open the connections; print how many are open; wait."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def join() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            key = base64.b64encode(b"0" * 16).decode()
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
                f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 "), head
            return reader, writer

    open_ = await asyncio.gather(*(join() for _ in range(count)))
    print(len(open_), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for _, writer in open_:
        writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
