"""The event patterns of the template, as moto understands them: what each rule lets through, and what not."""

import json
import uuid

import pytest
from moto.events.models import EventPattern

from support import TYPES, event, payload, poll, resources, schemas

# What each rule is for. A rule that is only added to the template fails here.
WANTED = {"WebhookRule": TYPES + ["Webhook Test"]}


def samples():
    """What the schemas show."""
    yield from ((kind, example) for kind, schema in schemas().items() for example in schema["examples"])


def rules():
    return {name: it["Properties"] for name, it in resources("AWS::Events::Rule").items() if "EventPattern" in it["Properties"]}


def test_every_rule_is_tested():
    assert rules().keys() == WANTED.keys()


@pytest.mark.parametrize("rule", sorted(WANTED))
def test_a_rule_delivers_its_events_and_no_others(rule, events, sqs):
    bus, queue = f"bus-{uuid.uuid4()}", f"queue-{uuid.uuid4()}"
    events.create_event_bus(Name=bus)
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=rule, EventBusName=bus, EventPattern=json.dumps(rules()[rule]["EventPattern"]))
    events.put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

    def put(source, kind, detail, on=bus):
        entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": on}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    sent = list(samples())
    wanted = []
    for kind, detail in sent:
        # Each has an id of its own, to be told apart.
        detail = detail | {"id": str(uuid.uuid4())}
        if kind in WANTED[rule]:
            wanted.append(detail)
        put("cosell", kind, detail)
        # The same, as it must not get through: of another source, on another bus, of no version or another one.
        put("cosell.test", kind, detail | {"id": "another source"})
        put("aws.cosell", kind, detail | {"id": "another source"})
        put("cosell", kind, detail | {"id": "another bus"}, on="default")
        put("cosell", kind, {name: value for name, value in detail.items() if name != "version"} | {"id": "no version"})
        put("cosell", kind, detail | {"version": 2, "id": "another version"})
        put("cosell", kind, detail | {"version": "1", "id": "a version that is text"})

    received = []

    def receive():
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            received.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return not messages

    poll("an empty queue", receive)
    by_id = {it["detail"]["id"]: it for it in received}
    assert [by_id.pop(detail["id"], {}).get("detail") for detail in wanted] == wanted
    assert not by_id, "delivered, and should not have been"
    assert {(it["source"], it["detail-type"]) for it in received} == {("cosell", kind) for kind in WANTED[rule]}


def test_the_archive_keeps_every_event_and_no_others():
    [archive] = resources("AWS::Events::Archive").values()
    pattern = EventPattern.load(json.dumps(archive["Properties"]["EventPattern"]))
    for kind, detail in samples():
        envelope = payload("deliver")["Records"][0]["body"]
        assert pattern.matches_event(json.loads(envelope) | {"detail-type": kind, "detail": detail})
    assert not pattern.matches_event({"source": "cosell.test", "detail-type": "Opportunity Won", "detail": event("Opportunity Won")})


def test_notify_is_invoked_for_new_events_and_nothing_else():
    """The filter of a stream has the syntax of an event pattern. moto runs no streams; how Lambda applies it is in the Rust
    tests of the local stack."""
    function = resources("AWS::Serverless::Function")["Notify"]
    [filter] = function["Properties"]["Events"]["Stream"]["Properties"]["FilterCriteria"]["Filters"]
    pattern = EventPattern.load(filter["Pattern"])

    def record(name="INSERT", sort_key=None):
        record = payload("notify")["Records"][0] | {"eventName": name}
        if sort_key:
            record["dynamodb"]["Keys"]["sk"]["S"] = sort_key
        return record

    assert pattern.matches_event(record())
    # That an event was published is noted on it: no reason to publish it again.
    assert not pattern.matches_event(record("MODIFY"))
    assert not pattern.matches_event(record("REMOVE"))
    for other in ["ORG#fabrikam", "NOTE#01M7YN8Q3VTQ7R8M4N5P6X7Y8Z", "INBOX#01M7YN8Q3VTQ7R8M4N5P6X7Y8Z", "IDEM", "PROFILE"]:
        assert not pattern.matches_event(record(sort_key=other)), other
