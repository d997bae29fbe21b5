"""An ASGI service that captures its message only after its response is sent, and blocks its loop meanwhile."""

import asyncio
import os
import sys
import threading
from typing import Any

import sentry_sdk
import uvicorn
from sentry_sdk.integrations.asyncio import AsyncioIntegration

never = threading.Event()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if "async-transport" in sys.argv and not sentry_sdk.is_initialized():
        # This transport lives in the event loop that it is made in.
        sentry_sdk.init(
            auto_enabling_integrations=False,
            default_integrations=False,
            integrations=[AsyncioIntegration()],
            _experiments={"transport_async": True},
        )
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
    if scope["path"].startswith("/block/"):
        never.wait(float(scope["path"].removeprefix("/block/")))
        turned = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turned.set_result, None)
        await turned
        sentry_sdk.capture_message("after the response")


if __name__ == "__main__":
    if "async-transport" not in sys.argv:
        sentry_sdk.init(auto_enabling_integrations=False, default_integrations=False)
    uvicorn.run(
        app, host="127.0.0.1", port=int(os.environ["PORT"]), loop=sys.argv[1], lifespan="off", log_level="error"
    )
