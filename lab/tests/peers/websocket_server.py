"""A WebSocket server that sends everything back."""

import asyncio

import websockets


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def main():
    async with websockets.serve(echo, "0.0.0.0", 8004, max_size=None):
        await asyncio.Future()


asyncio.run(main())
