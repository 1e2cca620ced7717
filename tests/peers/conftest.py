import os
import re
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer

from support import Process, Stack, poll

# Nothing here is to reach AWS, whatever the environment holds.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ |= {
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def started(log):
    """The local stack, as `cargo run` starts it."""
    command = ["cargo", "run", "-q", "--locked", "--", "--memory", "--port", "0"]
    with Process("the local stack", command, log) as process:
        # It may have to be compiled first.
        address = lambda: re.search(r"^Cosell is ready at (\S+)", process.text(), re.M)
        url = poll("the stack's address", address, 900, process.alive)[1]
        engine = re.search(r"table \S+ at ([^,\s]+)", process.text())[1]
        yield Stack(url, engine)
        process.alive()


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """One for all tests that leave it usable."""
    with started(tmp_path_factory.mktemp("stack") / "log") as stack:
        yield stack


@pytest.fixture
def own_stack(tmp_path):
    """One for a test that does not."""
    with started(tmp_path / "log") as stack:
        yield stack


@pytest.fixture(scope="session")
def moto():
    """The address of moto, for EventBridge and SQS. Never for DynamoDB: the local stack has a better one."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def events(moto):
    return boto3.client("events", endpoint_url=moto)


@pytest.fixture
def sqs(moto):
    return boto3.client("sqs", endpoint_url=moto)
