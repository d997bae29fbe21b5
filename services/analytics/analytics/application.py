"""The FastAPI application."""

from __future__ import annotations

from fastapi import FastAPI
from sqlalchemy import Engine

from analytics.debug import add_debug_routes
from analytics.domain.warehouse import Warehouse
from analytics.responses import answer_errors
from analytics.routes import add_routes
from observability.guard import DebugGuard


def create_application(engine: Engine, warehouse: Warehouse, guard: DebugGuard | None) -> FastAPI:
    """Make the application on an open database, with an account at the warehouse.

    Without a guard it has no debug endpoints.
    """
    app = FastAPI(title="analytics", redirect_slashes=False)
    app.state.engine = engine
    app.state.warehouse = warehouse
    answer_errors(app)
    add_routes(app)
    if guard is not None:
        add_debug_routes(app, guard)
    return app
