"""A server that takes posts and answers after a time: `python -m benchmarks.slow_server MILLISECONDS`. Prints its port.

Under `/hang` it never answers.
"""

import asyncio
import sys

import uvloop
from aiohttp import web


async def main(milliseconds: int) -> None:
    async def take(request: web.Request) -> web.Response:
        await request.read()
        if request.path == "/hang":
            await asyncio.sleep(3600)
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/{tail:.*}", take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[union-attr]  # noqa: SLF001
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
