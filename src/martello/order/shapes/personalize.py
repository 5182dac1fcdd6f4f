"""Amazon Personalize: responses of GetRecommendations or GetPersonalizedRanking, and requests to PutEvents.

``recommendationId`` names what was recommended (`itemList` or `personalizedRanking`), ``impression`` what was shown, in
order. An event without `impression` says nothing of what was shown. When the two differ, Personalize keeps the second
and is silent; here that is the finding.

Source: docs.aws.amazon.com/personalize, "Recording item interaction events with impressions data" and PutEvents.
"""

from __future__ import annotations

from collections.abc import Iterator

from martello.order.facts import Click, RankedDecision, Render, Shown
from martello.order.shapes.rows import Row, Shape, ids_of, moment, name_of, objects_of, text_of, word_of

__all__ = ["SHAPE"]


def _decisions(row: Row) -> Iterator[RankedDecision]:
    listed = next((row[key] for key in ("itemList", "personalizedRanking", "items") if key in row), None)
    yield RankedDecision(
        decision=text_of(row, "recommendationId"),
        items=ids_of(listed, inside="itemId"),
        at=moment(row.get("timestamp")),
        subject=word_of(row, "userId"),
        surface=word_of(row, "campaignArn") or word_of(row, "recommenderArn"),
    )


def _renders(row: Row) -> Iterator[Render | Click]:
    for event in objects_of(row, "eventList"):
        if event.get("recommendationId") is None:
            continue
        decision = text_of(event, "recommendationId")
        if event.get("itemId") is not None and "click" in str(event.get("eventType", "")).lower():
            yield Click(decision=decision, item=text_of(event, "itemId"))
        impression = event.get("impression")
        if isinstance(impression, list) and impression:
            yield Render(
                id=word_of(event, "eventId") or "",
                decision=decision,
                shown=tuple(Shown(id=name_of(each)) for each in impression),
                at=moment(event.get("sentAt")),
                subject=word_of(row, "userId"),
            )


SHAPE = Shape(
    _decisions,
    _renders,
    caution="Personalize takes at most 25 items per impression; longer pages look cut short, which is legal.",
)
