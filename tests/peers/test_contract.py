"""tests/peers/schemathesis: requests made of the OpenAPI document, against a running stack."""

import os
import subprocess

import pytest

from support import ROOT

SCRIPT = ROOT / "tests/peers/schemathesis"
SIZE = int(os.environ.get("COSELL_SIZE") or 1)


@pytest.mark.skipif(not SCRIPT.exists() or not (ROOT / "infra/openapi.yaml").exists(), reason="infra/openapi.yaml is not there yet")
def test_the_stack_answers_as_the_document_says(own_stack):
    environment = os.environ | {"COSELL_URL": own_stack.url, "COSELL_TOKEN": own_stack.token("fabrikam")}
    result = subprocess.run(["bash", SCRIPT], cwd=ROOT, env=environment, text=True, timeout=600 * SIZE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(result.stdout[-3000:])
    assert result.returncode == 0, result.stdout[-20000:]
