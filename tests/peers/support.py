"""What the tests here share: the template, processes that are stopped whatever happens, and waiting without guessing."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from copy import deepcopy
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TYPES = [
    "Opportunity Received",
    "Opportunity Accepted",
    "Opportunity Declined",
    "Opportunity Expiring",
    "Opportunity Expired",
    "Opportunity Won",
    "Opportunity Lost",
    "Lead Returned",
    "Invitation Withdrawn",
    "Note Shared",
    "Registration Submitted",
    "Registration Action Required",
    "Registration Approved",
    "Registration Rejected",
]


class _Loader(yaml.SafeLoader):
    pass


def _function(loader, suffix, node):
    """The long form of CloudFormation's functions: `!Ref x` is `{"Ref": "x"}`."""
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


@cache
def _template():
    return yaml.load((ROOT / "infra/template.yaml").read_text(), _Loader)


def template():
    """A copy to work on."""
    return deepcopy(_template())


def resources(kind):
    return {name: it for name, it in template()["Resources"].items() if it["Type"] == kind}


def functions():
    """Resource and binary of every function."""
    kind = "AWS::Serverless::Function"
    return {name: it["Metadata"]["BuildProperties"]["Binary"] for name, it in resources(kind).items()}


def payload(name):
    return json.loads((ROOT / f"tests/events/{name}.json").read_text())


def event(kind, **changes):
    """The detail of an event of this type, as DESIGN's section 6 has it."""
    clock = kind in ("Opportunity Expiring", "Opportunity Expired")
    detail = {
        "id": "01M7YN8Q3VTQ7R8M4N5P6X7Y90",
        "version": 1,
        "type": kind,
        "occurredAt": "2026-11-21T09:00:00.123Z",
        "dealId": "01M7YG6Z4PA4XJ5BVY0S2M8TQN",
        "actor": None if clock else {"organizationId": "contoso", "userId": "carla@contoso.example"},
        "recipient": {"organizationId": "fabrikam", "kind": "partner"},
        "opportunity": {
            "name": "ERP for Adatum",
            "customerName": "Adatum Corporation",
            "estimatedValue": {"amount": "125000.00", "currency": "USD"},
            "stage": "received",
            "outcome": None,
            "reason": None,
        },
    }
    if kind in ("Opportunity Received", "Opportunity Expiring"):
        detail["respondBy"] = "2026-12-05T09:00:00.123Z"
    return detail | changes


def poll(what, attempt, seconds=30, still=lambda: None):
    """Waits until `attempt` gives something, and then gives that. `still` raises when there is nothing left to wait for."""
    deadline = time.monotonic() + seconds
    while True:
        result = attempt()
        if result:
            return result
        still()
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} seconds")
        time.sleep(0.05)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Process:
    """A process, all that it starts, and what they say; as a context, it ends with it."""

    def __init__(self, name, command, log, env=None):
        self.name, self.log = name, Path(log)
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | (env or {}), stdout=out, stderr=out, start_new_session=True
            )

    def text(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.text()[-4000:]}")

    def descendants(self):
        """Those too that lead a group of their own, as the functions of `cargo lambda watch` do."""
        table = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = [tuple(map(int, line.split())) for line in table.splitlines()]
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in parents if parent == pid]
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        family = self.descendants() if self.process.poll() is None else []
        try:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


class Stack:
    """A running local stack with the demo in it."""

    def __init__(self, url, engine):
        self.url, self.engine, self.tokens = url, engine, {}

    def token(self, organization):
        if organization not in self.tokens:
            command = ["cargo", "run", "-q", "--locked", "--", "token", "--org", organization]
            command += ["--role", "referrals_admin", "--email", f"admin@{organization}.example"]
            result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=600)
            self.tokens[organization] = result.stdout.strip()
        return self.tokens[organization]

    def call(self, organization, method, path, body=None, expect=None):
        """Status and JSON of the answer."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if organization:
            headers["Authorization"] = f"Bearer {self.token(organization)}"
        data = None if body is None else json.dumps(body).encode()
        status, text = request(method, self.url + path, data, headers)
        assert expect is None or status == expect, f"{method} {path}: {status}, not {expect}: {text}"
        return status, json.loads(text) if text else None

    def deal(self, owner, invitee, solution, **more):
        """A new deal of `owner` to which `invitee` is invited; its id."""
        body = {
            "name": "Peers",
            "estimatedValue": {"amount": "1000", "currency": "USD"},
            "estimatedCloseDate": "2099-12-31",
            "customer": {
                "name": "Litware",
                "country": "US",
                "contact": {"name": "Lee Gu", "phone": "+14255550100", "email": "lee@litware.example"},
            },
            "team": [{"name": "Ada", "phone": "+14255550111", "email": f"admin@{owner}.example"}],
            "solutions": [solution],
            "invitations": [
                {"organizationId": invitee, "helpType": "general", "message": "Join us.", "customerConsent": True}
            ],
        } | more
        return self.call(owner, "POST", "/v1/opportunities", body, 201)[1]["id"]


def request(method, url, data=None, headers=None):
    request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()
