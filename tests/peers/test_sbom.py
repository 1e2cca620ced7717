"""The bill of materials: complete, and nothing in it that could be taken for somebody else's."""

import json
import subprocess
import sys
import tomllib

from support import ROOT


def bill():
    command = [sys.executable, ROOT / ".ci/sbom"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_every_package_of_others_is_there_with_licence_and_checksum():
    components = bill()["components"]
    theirs = [it for it in components if "purl" in it]
    assert len(theirs) > 100
    for it in theirs:
        assert it["purl"] == it["bom-ref"] == f"pkg:cargo/{it['name']}@{it['version']}"
        assert it["licenses"][0]["expression"] and len(it["hashes"][0]["content"]) == 64
    names = {it["name"] for it in components}
    assert {"aws-sdk-dynamodb", "lambda_http", "ring", "rustls"} <= names
    # Those of the local stack and of the tests are not deployed.
    assert not {"dynoxide-rs", "axum", "proptest", "jsonschema", "quamina"} & names


def test_ours_are_not_those_of_the_registry_with_the_same_names():
    ours = [it for it in bill()["components"] if "purl" not in it]
    assert sorted(it["name"] for it in ours) == ["domain", "edge", "events", "store"]


def test_everything_hangs_together_and_is_the_same_the_next_time():
    first = bill()
    known = {it["bom-ref"] for it in first["components"]} | {"cosell"}
    listed = {it["ref"] for it in first["dependencies"]}
    assert listed == known and len(first["dependencies"]) == len(known)
    assert all(needed in known for it in first["dependencies"] for needed in it["dependsOn"])
    assert bill() == first


def test_the_lock_file_pins_all_of_it():
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    for it in lock:
        assert ("checksum" in it) == ("source" in it), it["name"]
        assert it.get("source", "registry+https://github.com/rust-lang/crates.io-index").startswith("registry+https://github.com/rust-lang/crates.io-index")
