"""What a load balancer asks: `/health`, whether the process answers; `/ready`, whether it can do its work."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from manyheads_hub.deps import HubDep
from manyheads_hub.monitoring.readiness import check_readiness

router = APIRouter(include_in_schema=False)  # for operators, not part of the API


@router.get("/health")
async def health() -> dict[str, str]:
    """Answer: the process lives."""
    return {"status": "ok"}


@router.get("/ready")
def ready(hub: HubDep) -> JSONResponse:
    """Answer 200 when every check is `ok`, else 503."""
    checks = check_readiness(hub)
    is_ready = all(result == "ok" for result in checks.values())
    return JSONResponse({"ready": is_ready, "checks": checks}, 200 if is_ready else 503, {"Cache-Control": "no-store"})
