"""What a webhook's receiver sees, checked with the library of the Standard Webhooks specification."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from support import event, poll

SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Receiver:
    """Takes every POST and keeps it: headers in lower case, and the body as it came."""

    def __init__(self):
        taken = self.taken = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/cosell"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, what, test):
        return poll(what, lambda: next((it for it in list(self.taken) if test(*it)), None), 60)


@pytest.fixture
def hook(stack):
    """A receiver, and the webhook of fabrikam that leads to it."""
    receiver = Receiver()
    _, webhook = stack.call("fabrikam", "POST", "/v1/webhooks", {"url": receiver.url}, 201)
    yield receiver, webhook
    stack.call("fabrikam", "DELETE", f"/v1/webhooks/{webhook['id']}", expect=204)
    receiver.server.shutdown()
    receiver.server.server_close()


def check(secret, headers, body):
    """It verifies; and does not once anything that is signed, or the secret, is another."""
    verifier = Webhook(secret)
    payload = verifier.verify(body, headers)
    assert payload == json.loads(body)

    def refused(verifier, body, headers):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body, headers)

    refused(verifier, body.replace(b"fabrikam", b"tailspin", 1), headers)
    refused(verifier, body + b" ", headers)
    refused(verifier, body, headers | {"webhook-id": headers["webhook-id"][:-1] + "_"})
    refused(verifier, body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)})
    refused(Webhook("whsec_" + base64.b64encode(bytes(24)).decode()), body, headers)
    return payload


def test_a_test_event_verifies(stack, hook):
    receiver, webhook = hook
    _, answer = stack.call("fabrikam", "POST", f"/v1/webhooks/{webhook['id']}/test", expect=202)
    headers, body = receiver.wait_for("the test event", lambda headers, _: headers.get("webhook-id") == answer["id"])
    assert not [name for name in SIGNED if name not in headers]
    assert headers["content-type"].split(";")[0] == "application/json"
    payload = check(webhook["secret"], headers, body)
    assert payload["type"] == "Webhook Test"

    # The organization can see that it went through.
    def delivered():
        _, log = stack.call("fabrikam", "GET", f"/v1/webhooks/{webhook['id']}/deliveries", expect=200)
        return [it for it in log["items"] if it["eventId"] == answer["id"]]

    [attempt] = poll("the log of deliveries", delivered)
    assert (attempt["type"], attempt["attempt"], attempt["result"], attempt["status"]) == ("Webhook Test", 1, "delivered", 204)


def test_the_event_of_a_deal_verifies(stack, hook):
    receiver, webhook = hook
    deal = stack.deal("contoso", "fabrikam", "contoso-cloud")
    headers, body = receiver.wait_for("the deal's event", lambda _, body: deal.encode() in body)
    payload = check(webhook["secret"], headers, body)
    assert payload["type"] == "Opportunity Received"
    # It is the event of the feed, nothing more and nothing less.
    detail = payload if "dealId" in payload else payload["data"]
    assert detail.keys() == event("Opportunity Received").keys()
    assert (detail["dealId"], detail["recipient"]["organizationId"]) == (deal, "fabrikam")
    # By the id, a receiver drops repeats.
    assert headers["webhook-id"] == detail["id"]


def test_the_secret_is_shown_once_and_to_nobody_else(stack, hook):
    _, webhook = hook
    _, shown = stack.call("fabrikam", "GET", f"/v1/webhooks/{webhook['id']}", expect=200)
    assert "secret" not in shown and webhook["secret"] not in json.dumps(shown)
    stack.call("contoso", "GET", f"/v1/webhooks/{webhook['id']}", expect=404)
