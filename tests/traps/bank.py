"""The bank that some traps ask for currency rates: everybody may see rates, only members the
members' rates; and it pays whom it is told to pay.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def rates(request: Request) -> JSONResponse:
    day = request.path_params["day"]
    return JSONResponse({"day": day, "USD": 1 + int(day[-2:]) / 100})


async def members(request: Request) -> JSONResponse:
    return JSONResponse({"error": "only for members"}, status_code=401)


async def pay(request: Request) -> JSONResponse:
    return JSONResponse({"paid": True}, status_code=201)


app = Starlette(
    routes=[
        Route("/rates/{day}", rates),
        Route("/members/{day}", members),
        Route("/payouts", pay, methods=["POST"]),
        Route("/payouts/{day}", pay, methods=["PUT"]),
    ]
)
