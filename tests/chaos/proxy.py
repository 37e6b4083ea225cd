"""A network that loses things: everything between one machine and its database server goes through here.

As a program it forwards connections and does what it is told by lines of JSON on its standard input:

    {"do": "delay", "seconds": 0.1}     each packet takes so much longer; 0 to end that
    {"do": "mute", "way": "up"}         nothing arrives, and nobody is told; "down" is to the machine
    {"do": "swallow"}                   the server does what it is asked next; the answers are lost
    {"do": "cut"}                       all connections end; what was muted is heard again
"""

import asyncio
import json
import socket
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKET = 65536


class Proxy:
    """The process, as its user sees it."""

    def __init__(self, host: str, port: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port = listening.getsockname()[1]
            descriptor = listening.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.proxy", str(descriptor), host, str(port)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                text=True,
                pass_fds=[descriptor],
                start_new_session=True,
            )

    def tell(self, do: str, **facts: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **facts}) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


class Wire:
    """All connections of the machine."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.delay = 0.0
        self.muted: set[str] = set()
        self.links: set[Link] = set()

    async def connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.close()
            return
        link = Link(self, writer, there[1])
        self.links.add(link)
        both = link.pump("up", reader, there[1]), link.pump("down", there[0], writer)
        await asyncio.gather(*both)
        self.links.discard(link)

    async def obey(self) -> None:
        commands = StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        while line := await commands.readline():
            self.do(json.loads(line))

    def do(self, told: dict[str, Any]) -> None:
        match told:
            case {"do": "delay", "seconds": seconds}:
                self.delay = seconds
            case {"do": "mute", "way": way}:
                self.muted.add(way)
            case {"do": "swallow"}:
                for link in self.links:
                    link.swallows = True
            case {"do": "cut"}:
                self.muted.clear()
                for link in list(self.links):
                    link.end()


class Link:
    """One connection: two pumps."""

    def __init__(self, wire: Wire, *writers: StreamWriter) -> None:
        self.wire, self.writers = wire, writers
        #: After the next request the answer is lost, and the connection with it.
        self.swallows = self.asked = False

    async def pump(self, way: str, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while packet := await reader.read(PACKET):
                if self.wire.delay:
                    await asyncio.sleep(self.wire.delay)
                if self.swallows and self.asked and way == "down":
                    break
                if way not in self.wire.muted:
                    self.asked = self.asked or (self.swallows and way == "up")
                    writer.write(packet)
                    await writer.drain()
        except OSError:
            pass
        self.end()

    def end(self) -> None:
        for writer in self.writers:
            if writer.transport is not None:
                writer.transport.abort()


async def main(listening: socket.socket, host: str, server: int) -> None:
    wire = Wire(host, server)
    async with await asyncio.start_server(wire.connected, sock=listening):
        await wire.obey()


if __name__ == "__main__":
    asyncio.run(main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], int(sys.argv[3])))
