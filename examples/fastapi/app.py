"""An application that sends its alerts through Tocsin instead of to Slack.

    pip install fastapi uvicorn httpx     (Debian: apt install python3-fastapi python3-uvicorn python3-httpx)
    uvicorn app:app --port 8000

TOCSIN_SERVER is where the daemon listens, TOCSIN_API_TOKEN its token if it has one. The
application needs no Slack token, no channel ids and no pauses between posts.
"""

import asyncio
import os
import traceback
import uuid

import httpx
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import JSONResponse

token = os.environ.get("TOCSIN_API_TOKEN")
tocsin = httpx.AsyncClient(
    base_url=os.environ.get("TOCSIN_SERVER", "http://127.0.0.1:8126"),
    headers={"Authorization": f"Bearer {token}"} if token else {},
)
app = FastAPI()


async def notify(title: str, **fields) -> dict:
    """Send an alert, and return its receipt once it is on disk.

    It is sent again while the daemon restarts or asks to wait; the key makes it count once.
    """
    key = str(uuid.uuid4())
    for attempt in range(10):
        if attempt:
            await asyncio.sleep(min(0.2 * 2**attempt, 10))
        try:
            answer = await tocsin.post("/v1/alerts", json={"title": title, **fields}, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            continue
        if answer.status_code not in (429, 503):
            answer.raise_for_status()  # 4xx says what is wrong, and what to do
            return answer.json()["alerts"][0]
    raise RuntimeError(f"Tocsin does not take the alert {title!r}")


@app.post("/orders/{order}/fail")
async def fail(order: str, channel: str = ""):
    """What must not be lost is awaited. It takes a few milliseconds."""
    return await notify(
        f"payment of order {order} failed",
        severity="critical", key=f"order/{order}", labels={"order": order}, channel=channel,
    )


@app.post("/reports/{name}", status_code=202)
async def report(name: str, tasks: BackgroundTasks, channel: str = ""):
    """A background task runs after the answer, and is lost if the application ends before."""
    tasks.add_task(notify, f"report {name} is done", severity="info", channel=channel)
    return {"report": name}


@app.exception_handler(Exception)
async def unexpected(request: Request, problem: Exception):
    """An exception that nobody has handled is an alert with its trace, one for each path."""
    trace = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
    await notify(
        f"{type(problem).__name__} in {request.method} {request.url.path}",
        text=f"```\n{trace}```", key=f"exception/{request.url.path}", source="api",
    )
    return JSONResponse({"error": "internal error"}, status_code=500)


@app.get("/broken")
async def broken():
    """Something to see an exception's card with."""
    raise ValueError("this is a bug")
