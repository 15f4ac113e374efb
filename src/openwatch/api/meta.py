"""What a client needs to know of this server's vocabulary; all of it derives from registries."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from openwatch import __version__
from openwatch.compliance import score
from openwatch.engine.assess import VERDICT_TEXT, Verdict
from openwatch.engine.rules import Category, Severity
from openwatch.identity.access import Caller, signed_in
from openwatch.identity.permissions import permissions
from openwatch.kit.errors import registered
from openwatch.signals.kinds import event_kinds

VERDICT_LABELS: Final = {
    Verdict.PASS: "Pass",
    Verdict.FAIL: "Fail",
    Verdict.ERROR: "Error",
    Verdict.NOT_APPLICABLE: "Not applicable",
    Verdict.MANUAL: "Manual",
    Verdict.NOT_CONFIGURED: "Not configured",
}

router = APIRouter(tags=["meta"])


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class Described(_Shape):
    """A name and what it means."""

    name: str
    description: str


class Labelled(_Shape):
    """A name and how it is shown."""

    name: str
    label: str


class VerdictMeta(_Shape):
    """A verdict, how it is shown and what it means."""

    name: str
    label: str
    description: str


class EventKindMeta(_Shape):
    """A kind of event."""

    name: str
    subject: str = Field(description="The type of thing that it is about.")
    description: str
    stored: bool = Field(description="False: announced on the live stream only.")


class ErrorCodeMeta(_Shape):
    """An error code that a problem can carry."""

    code: str
    status: int
    retryable: bool


class ScoreMeta(_Shape):
    """How every score is computed."""

    formula: str
    description: str


class Meta(_Shape):
    """The vocabulary of this server."""

    version: str
    permissions: list[Described]
    verdicts: list[VerdictMeta]
    severities: list[Labelled] = Field(description="Gravest first.")
    categories: list[Labelled]
    event_kinds: list[EventKindMeta]
    error_codes: list[ErrorCodeMeta]
    score: ScoreMeta


@router.get("/meta")
async def get_meta(_caller: Annotated[Caller, signed_in()]) -> Meta:
    """Return names, labels and formulas, so that no client has to guess them."""
    return meta()


def meta() -> Meta:
    """Return the vocabulary, from the registries."""
    return Meta(
        version=__version__,
        permissions=[Described(name=p.name, description=p.description) for p in permissions()],
        verdicts=[
            VerdictMeta(
                name=verdict.value,
                label=VERDICT_LABELS[verdict],
                description=VERDICT_TEXT[verdict],
            )
            for verdict in Verdict
        ],
        severities=[_labelled(severity.value) for severity in Severity],
        categories=[_labelled(category.value) for category in Category],
        event_kinds=[
            EventKindMeta(
                name=kind.name,
                subject=kind.subject,
                description=kind.description,
                stored=kind.stored,
            )
            for kind in event_kinds()
        ],
        error_codes=[
            ErrorCodeMeta(code=kind.code, status=kind.status, retryable=kind.retryable)
            for kind in registered()
        ],
        score=ScoreMeta(formula=score.FORMULA, description=score.DESCRIPTION),
    )


def _labelled(name: str) -> Labelled:
    return Labelled(name=name, label=name.replace("-", " ").capitalize())
