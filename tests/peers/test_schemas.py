"""infra/events: what is published is what the schemas promise."""

import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from support import ROOT, poll, schemas

FILES = sorted((ROOT / "infra/events").glob("*.json"))


def faults(schema, detail):
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(detail)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_schema_is_right_and_its_examples_are_too(file):
    schema = json.loads(file.read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    assert schema.get("examples"), "shows no example"
    for example in schema["examples"]:
        assert not faults(schema, example)
        # It is not one that lets everything through.
        assert faults(schema, {name: value for name, value in example.items() if name != "occurredAt"})
        assert faults(schema, example | {"type": "Opportunity Forgotten"})


def test_what_the_stack_publishes_validates(stack):
    """The demo's events, and of deals made here one of every type that needs no clock."""
    by_type = schemas()

    def respond(deal, body):
        stack.call("fabrikam", "POST", f"/v1/opportunities/{deal}/response", body, 200)

    def close(deal, body):
        stack.call("fabrikam", "POST", f"/v1/opportunities/{deal}/close", body, 200)

    def register(deal, verdict):
        terms = {
            "solutionId": "fabrikam-erp",
            "contractValue": {"amount": "2", "currency": "USD"},
            "solutionValue": {"amount": "1", "currency": "USD"},
            "signedDate": datetime.now(UTC).date().isoformat(),
            "startDate": "2099-01-01",
        }
        path = f"/v1/opportunities/{deal}/registration"
        _, registration = stack.call("fabrikam", "PUT", path, terms, 201)
        review = f"/v1/registrations/{registration['id']}/review"
        stack.call("contoso", "POST", review, {"decision": "requestInfo", "reason": "Which tenant?"}, 200)
        stack.call("fabrikam", "PUT", path, terms, 200)
        stack.call("contoso", "POST", review, {"decision": verdict, "reason": "So be it."}, 200)

    deals = [stack.deal("contoso", "fabrikam", "fabrikam-erp") for _ in range(5)]
    deals.append(stack.deal("contoso", "fabrikam", "fabrikam-erp", qualification="lead"))
    respond(deals[5], {"decision": "decline", "reason": "noCapacity"})
    respond(deals[0], {"decision": "decline", "reason": "noCapacity"})
    respond(deals[1], {"decision": "accept"})
    stack.call("fabrikam", "POST", f"/v1/opportunities/{deals[1]}/notes", {"text": "Hello.", "visibility": "shared"}, 201)
    close(deals[1], {"outcome": "won"})
    register(deals[1], "approve")
    respond(deals[4], {"decision": "accept"})
    close(deals[4], {"outcome": "won"})
    register(deals[4], "reject")
    respond(deals[2], {"decision": "accept"})
    close(deals[2], {"outcome": "lost", "reason": "budget"})
    stack.call("contoso", "DELETE", f"/v1/opportunities/{deals[3]}/invitations/fabrikam", expect=204)
    wanted = set(schemas()) - {"Opportunity Expiring", "Opportunity Expired", "Webhook Test"}

    def published():
        _, answer = stack.call(None, "GET", "/_local/events", expect=200)
        mine = {it["detail-type"] for it in answer["items"] if it["detail"].get("dealId") in deals}
        return answer["items"] if wanted <= mine else None

    items = poll(f"{sorted(wanted)} on the bus", published)
    for item in items:
        assert item["source"] == "cosell"
        kind, detail = item["detail-type"], item["detail"]
        assert detail["type"] == kind
        assert kind in by_type, "has no schema"
        assert not faults(by_type[kind], detail), detail
