"""The FastAPI application."""

from __future__ import annotations

from fastapi import FastAPI
from sqlalchemy import Engine

from analytics.debug import add_debug_routes
from analytics.responses import answer_errors
from analytics.routes import add_routes


def create_application(engine: Engine) -> FastAPI:
    """Make the application on an open database."""
    app = FastAPI(title="analytics")
    app.state.engine = engine
    answer_errors(app)
    add_routes(app)
    add_debug_routes(app)
    return app
