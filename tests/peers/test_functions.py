"""Every function as a program: `cargo lambda watch` plays Lambda, `cargo lambda invoke` sends what is in tests/events."""

import json
import os
import socket
import subprocess
from types import SimpleNamespace

import boto3
import pytest

from support import ROOT, Process, free_port, functions, payload, poll, request

NAMES = sorted(functions().values())
# What the demo's data makes of the payloads; the rest is about a deal that is not there, which is a 404.
STATUS = {"create": [201], "list": [200], "summary": [200], "notifications": [200], "directory": [200],
          # Its tag is of no version that there is.
          "organization": [412],
          # The host of the payload is not there. A resolver that promises more than there is would make it 201.
          "webhooks": [422, 201]}


@pytest.fixture(scope="module")
def lambdas(stack, moto, tmp_path_factory):
    """`cargo lambda watch` over the stack's table, with moto's bus and queues."""
    sqs = boto3.client("sqs", endpoint_url=moto)
    events = boto3.client("events", endpoint_url=moto)
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ["deliveries", "dead-letters", "published"]}
    arn = sqs.get_queue_attributes(QueueUrl=queues["published"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name="cosell")
    events.put_rule(Name="all", EventBusName="cosell", EventPattern='{"source": [{"prefix": ""}]}')
    events.put_targets(Rule="all", EventBusName="cosell", Targets=[{"Id": "published", "Arn": arn}])
    environment = {
        "AWS_ENDPOINT_URL_DYNAMODB": stack.engine,
        "AWS_ENDPOINT_URL_EVENTBRIDGE": moto,
        "AWS_ENDPOINT_URL_SQS": moto,
        "COSELL_TABLE": "cosell",
        "COSELL_RESPONSE_WINDOW": "P14D",
        "COSELL_EXPIRING_BEFORE": "P3D",
        "COSELL_STACK": "peers",
        "COSELL_BUS": "cosell",
        "COSELL_DELIVERIES": queues["deliveries"],
        "COSELL_DEAD_LETTERS": queues["dead-letters"],
    }
    # Compiled before: `watch` would compile at the first request, and hang for ever should that fail.
    build = ["cargo", "build", "-q", "--locked", "-p", "functions", "--bins"]
    subprocess.run(build, cwd=ROOT, check=True, timeout=900)
    port = free_port()
    # No -p: which package and which routes stands in Cargo.toml.
    watch = ["cargo", "lambda", "watch", "--ignore-changes", "--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    with Process("cargo lambda watch", watch, tmp_path_factory.mktemp("watch") / "log", environment) as process:
        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        poll("cargo lambda watch", listens, 60, process.alive)

        def invoke(name, event=None):
            file = ROOT / f"tests/events/{name}.json"
            if event is not None:
                file = tmp_path_factory.mktemp("event") / "event.json"
                file.write_text(json.dumps(event))
            command = ["cargo", "lambda", "invoke", name, "--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
            command += ["--data-file", str(file)]
            try:
                answer = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=60)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"{name} did not answer:\n{process.text()[-4000:]}") from None
            assert answer.returncode == 0, f"{name}:\n{answer.stdout}{answer.stderr}\n{process.text()[-4000:]}"
            return json.loads(answer.stdout)

        yield SimpleNamespace(invoke=invoke, url=f"http://127.0.0.1:{port}", queues=queues)


def test_every_function_has_a_payload():
    assert sorted(file.stem for file in (ROOT / "tests/events").glob("*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_function_answers(name, lambdas):
    event = payload(name)
    answer = lambdas.invoke(name)
    if "routeKey" in event:
        assert answer["statusCode"] in STATUS.get(name, [404]), answer
        body = json.loads(answer["body"])
        if answer["statusCode"] >= 400:
            # The function's own: an error of the runtime has none of these.
            assert {"status", "code", "title"} <= body.keys(), answer
    else:
        assert isinstance(answer, dict) and "errorType" not in answer, answer
        assert not answer.get("batchItemFailures"), answer


def test_what_notify_publishes_arrives_at_a_bus(lambdas, sqs):
    [record] = payload("notify")["Records"]
    [notice] = record["dynamodb"]["NewImage"]["notices"]["L"]
    wanted = notice["M"]["id"]["S"]
    # As if Lambda had brought it for the first time: the other test may have used the payload's own up.
    event = json.loads(json.dumps(payload("notify")).replace(wanted, wanted[:-1] + "5"))
    assert not lambdas.invoke("notify", event).get("batchItemFailures")

    def receive():
        for message in sqs.receive_message(QueueUrl=lambdas.queues["published"]).get("Messages", []):
            sqs.delete_message(QueueUrl=lambdas.queues["published"], ReceiptHandle=message["ReceiptHandle"])
            envelope = json.loads(message["Body"])
            if envelope["detail"]["id"] == wanted[:-1] + "5":
                return envelope

    envelope = poll("the event on the bus", receive)
    assert (envelope["source"], envelope["detail-type"]) == ("cosell", "Opportunity Declined")
    assert envelope["detail"]["dealId"] == record["dynamodb"]["NewImage"]["dealId"]["S"]
    assert envelope["detail"]["opportunity"]["reason"] == "noCapacity"
    dead = sqs.receive_message(QueueUrl=lambdas.queues["dead-letters"]).get("Messages", [])
    assert not dead, dead


def test_routes_over_http_lead_to_functions(lambdas):
    """`watch` sends no authorizer along, so the function itself refuses; what is no route gets there neither."""
    status, body = request("GET", f"{lambdas.url}/v1/opportunities?tab=inbound")
    assert (status, json.loads(body)["code"]) == (401, "unauthorized"), body
