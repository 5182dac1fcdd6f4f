"""A small world with known violations, and how each system would have logged it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

START = 1_795_478_400_000  # 2026-11-24, milliseconds
N_ITEMS = 8


def world(n: int, *, seed: int = 0, broken: float = 0.2) -> list[dict]:
    """Give decisions with what was shown and clicked; `was` says what was done to the order."""
    rng = Random(seed)
    told = []
    for number in range(n):
        items = [f"p{k}" for k in rng.sample(range(500), N_ITEMS)]
        shown, was = list(items), "kept"
        if rng.random() < broken:
            was = rng.choice(["reorder", "foreign"])
            if was == "reorder":
                shown[0], shown[3] = shown[3], shown[0]
            else:
                shown[2] = "fallback"
        clicked = [each for k, each in enumerate(shown) if each in items and rng.random() < 0.5 / (k + 1)]
        told.append(
            {
                "id": f"q-{number}",
                "user": f"u-{number % (n // 2)}",
                "items": items,
                "shown": shown,
                "clicked": clicked,
                "was": was,
                "ms": START + number * 1000,
                "build": "b2" if was != "kept" else rng.choice(["b1", "b2"]),
                "arm": "new" if number % 2 else "old",
            }
        )
    return told


def iso(ms: int) -> str:
    return f"2026-11-24T{ms // 3_600_000 % 24:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}Z"


def as_martello(told):
    for each in told:
        yield (
            {
                "decision": each["id"],
                "items": each["items"],
                "at": each["ms"] * 1000,
                "arm": each["arm"],
                "subject": each["user"],
            },
            [
                {
                    "specversion": "1.0",
                    "id": f"r-{each['id']}",
                    "source": f"search.page@{each['build']}",
                    "type": "martello.render.v1",
                    "time": iso(each["ms"]),
                    "data": {"did": each["id"], "shown": [{"id": s} for s in each["shown"]], "subject": each["user"]},
                },
                *(
                    {"id": "c", "type": "martello.click.v1", "data": {"did": each["id"], "item": c}}
                    for c in each["clicked"]
                ),
            ],
        )


def as_ubi(told):
    for each in told:
        head = {"application": "shop", "client_id": each["user"], "query_id": each["id"]}
        yield (
            {
                "_index": "ubi_queries",
                "_source": {**head, "query_response_hit_ids": each["items"], "timestamp": iso(each["ms"])},
            },
            [
                {
                    **head,
                    "action_name": "impression",
                    "timestamp": iso(each["ms"]),
                    "event_attributes": {
                        "object": {"object_id": name, "object_id_field": "sku"},
                        "position": {"ordinal": place},
                        "build": each["build"],
                    },
                }
                for place, name in enumerate(each["shown"], start=1)
            ]
            + [{**head, "action_name": "on_search", "timestamp": iso(each["ms"])}],
        )


def as_personalize(told):
    for each in told:
        event = {"recommendationId": each["id"], "impression": each["shown"], "sentAt": each["ms"] // 1000}
        events = [{**event, "eventType": "view", "eventId": f"e-{each['id']}", "itemId": each["shown"][0]}]
        events += [
            {**event, "eventType": "Click", "eventId": f"e-{each['id']}-{c}", "itemId": c} for c in each["clicked"]
        ]
        yield (
            {
                "recommendationId": each["id"],
                "userId": each["user"],
                "itemList": [{"itemId": i, "score": 0.1} for i in each["items"]],
            },
            [{"trackingId": "t", "sessionId": "s", "userId": each["user"], "eventList": events}],
        )


def as_algolia(told):
    for each in told:
        yield (
            {
                "queryID": each["id"],
                "index": "shop",
                "page": 1,
                "hitsPerPage": N_ITEMS,
                "hits": [{"objectID": i, "name": "…"} for i in each["items"]],
            },
            [
                {
                    "events": [
                        {
                            "eventType": "click",
                            "eventName": "seen",
                            "index": "shop",
                            "userToken": each["user"],
                            "timestamp": each["ms"],
                            "queryID": each["id"],
                            "objectIDs": each["shown"][k : k + 4],
                            "positions": [N_ITEMS + k + j + 1 for j in range(len(each["shown"][k : k + 4]))],
                        }
                        for k in (0, 4)
                    ]
                },
                {"eventType": "view", "queryID": each["id"], "objectIDs": each["items"]},
            ],
        )


def as_metarank(told):
    for each in told:
        yield (
            {
                "request": {"id": each["id"], "user": each["user"], "timestamp": str(each["ms"])},
                "response": {"took": 3, "items": [{"item": i, "score": 0.1} for i in each["items"]]},
            },
            [
                {"event": "item", "id": "m", "item": "p1", "timestamp": each["ms"]},
                {
                    "event": "ranking",
                    "id": each["id"],
                    "timestamp": each["ms"],
                    "user": each["user"],
                    "fields": [{"name": "source", "value": "search"}],
                    "items": [{"id": s} for s in each["shown"]],
                },
                *(
                    {
                        "event": "interaction",
                        "id": "i",
                        "ranking": each["id"],
                        "type": "click",
                        "item": c,
                        "timestamp": each["ms"],
                    }
                    for c in each["clicked"]
                ),
            ],
        )


WRITERS = {
    "martello": as_martello,
    "ubi": as_ubi,
    "personalize": as_personalize,
    "algolia": as_algolia,
    "metarank": as_metarank,
}


def write(folder: Path, shape: str, told: list[dict]) -> tuple[Path, Path]:
    decisions, renders = folder / "decisions.jsonl", folder / "renders.jsonl"
    pairs = list(WRITERS[shape](told))
    decisions.write_text("".join(json.dumps(decision) + "\n" for decision, _ in pairs))
    renders.write_text("".join(json.dumps(event) + "\n" for _, events in pairs for event in events))
    return decisions, renders
