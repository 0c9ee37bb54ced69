"""``GET /healthz``, ``/readyz`` and ``/metrics``, for probes and scrapers."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from plura.kit.http.answers import MEDIA_TYPE, answer
from plura.kit.observability.metrics import CONTENT_TYPE
from plura.tx.api.health.schemas import Alive, Readiness
from plura.tx.api.services import services_of

router = APIRouter()


@router.get("/healthz", response_model=Alive, summary="Is the process alive?")
async def healthz() -> Response:
    """Answer as long as the process runs."""
    return answer(Alive())


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "A dependency is not available."}},
    summary="Can requests be answered?",
)
async def readyz(request: Request) -> Response:
    """Return whether database, migrations and keys are available, and how fresh the data are."""
    readiness = await services_of(request).health.readiness()
    return Response(
        readiness.model_dump_json(),
        status_code=200 if readiness.status == "ready" else 503,
        media_type=MEDIA_TYPE,
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Metrics of Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
    summary="Metrics of the service",
)
async def metrics(request: Request) -> Response:
    """Return all metrics in Prometheus' text format."""
    return Response(services_of(request).health.exposition(), headers={"Content-Type": CONTENT_TYPE})


# some balancers and monitors use HEAD; the server sends no body then
for _path, _endpoint in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
    router.add_api_route(_path, _endpoint, methods=["HEAD"], include_in_schema=False)
