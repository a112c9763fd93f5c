"""Events are listed, filtered and shown with their decisions, as they were answered when reported."""

from tests.api.conftest import Scene, set_up


def test_it_works(scene: Scene) -> None:
    body = scene.purchase(metadata={"plan": "pro"}, country="DE", tax=1900, items=[{"product": "a", "amount": 12000}])
    reported = scene.api.post(scene.events, body)
    shown = scene.api.get(f"/events/{reported['event_id']}")

    assert shown == reported
    assert shown["metadata"] == {"plan": "pro"}
    assert (shown["country"], shown["tax"], shown["items"]) == ("DE", 1900, [{"product": "a", "amount": 12000}])
    assert scene.api.get("/events") == {"data": [shown], "next_cursor": None}


def test_a_list_is_filtered(scene: Scene) -> None:
    other = set_up(scene.api)
    first = scene.api.post(scene.events, scene.purchase("ord_1"))["event_id"]
    second = other.api.post(other.events, other.purchase("ord_2"))["event_id"]

    def found(query: str) -> list[str]:
        return [each["event_id"] for each in scene.api.get(f"/events?{query}")["data"]]

    assert found("") == [second, first]
    assert found(f"campaign_id={other.campaign['campaign_id']}") == [second]
    assert found("transaction_id=ord_1") == [first]
    assert found(f"participant_id={scene.ben['participant_id']}") == [first]
    assert found(f"participant_id={scene.ann['participant_id']}") == []


def test_a_repeat_that_differed_is_marked(scene: Scene) -> None:
    event = scene.api.post(scene.events, scene.purchase())
    scene.api.post(scene.events, scene.purchase(amount=5), expect=200)
    shown = scene.api.get(f"/events/{event['event_id']}")
    assert (shown["outcome"], shown["differs"], shown["amount"]) == ("QUALIFIED", True, 12000)
