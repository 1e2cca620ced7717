"""What SAM makes of the template: routes behind the authorizer, and roles that name what they need."""

import json
import logging
import re

import pytest
from samtranslator.translator.transform import transform

from support import functions, resources, template

logging.getLogger("samtranslator").setLevel(logging.ERROR)
KEY = "arn:aws:kms:eu-central-1:111122223333:key/8a4c1b2d-0000-4000-8000-1234567890ab"


class NoManagedPolicies:
    """There are none to look up: every role is written out."""

    def load(self):
        return {}


@pytest.fixture(scope="module")
def deployed():
    """Every resource that CloudFormation is asked for."""
    parameters = {"JwtIssuer": "https://issuer.example", "JwtAudience": "cosell", "AWS::Region": "eu-central-1"}
    packaged = template()
    packaged["Globals"]["Function"]["CodeUri"] = "s3://bucket/binary"
    return transform(packaged, parameters, NoManagedPolicies())["Resources"]


def test_every_route_asks_the_authorizer(deployed):
    [api] = [it for it in deployed.values() if it["Type"] == "AWS::ApiGatewayV2::Api"]
    body = api["Properties"]["Body"]
    routes = {(path, method): it for path, methods in body["paths"].items() for method, it in methods.items()}
    events = [event for it in resources("AWS::Serverless::Function").values()
              for event in it["Properties"].get("Events", {}).values() if event["Type"] == "HttpApi"]
    assert len(routes) == len(events) > 0
    for route, operation in routes.items():
        assert operation["security"] == [{"Jwt": []}], route
    assert body["components"]["securitySchemes"].keys() == {"Jwt"}
    # It compares who issued a token, and for whom.
    jwt = body["components"]["securitySchemes"]["Jwt"]["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
    assert jwt == {"issuer": {"Ref": "JwtIssuer"}, "audience": {"Ref": "JwtAudience"}}
    # Neither preflights nor a default route go past it.
    assert not [path for path, method in routes if method in ("options", "x-amazon-apigateway-any-method")]
    assert "$default" not in body["paths"]


def test_sam_adds_no_roles(deployed):
    roles = {name for name, it in deployed.items() if it["Type"] == "AWS::IAM::Role"}
    assert roles == {f"{name}Role" for name in functions()}


@pytest.mark.parametrize("function", sorted(functions()))
def test_a_role_names_only_what_its_function_needs(function, deployed):
    role = deployed[f"{function}Role"]["Properties"]
    assert deployed[function]["Properties"]["Role"] == {"Fn::GetAtt": [f"{function}Role", "Arn"]}
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert (trust["Effect"], trust["Principal"], trust["Action"]) == ("Allow", {"Service": "lambda.amazonaws.com"}, "sts:AssumeRole")
    # Nothing of AWS's own: only the use of the key, where there is one.
    condition, keys, otherwise = role["ManagedPolicyArns"]["Fn::If"]
    assert (condition, otherwise) == ("CustomerKey", {"Ref": "AWS::NoValue"})
    assert {key["Ref"] for key in keys} <= {"TableKeyUse", "QueueKeyUse"}

    [policy] = role["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    actions = [action for statement in statements for action in statement["Action"]]
    assert len(actions) == len(set((json.dumps(s["Resource"]), a) for s in statements for a in s["Action"]))
    for statement in statements:
        services = {action.split(":")[0] for action in statement["Action"]}
        assert len(services) == 1, statement
        assert "*" not in "".join(statement["Action"])
        resource = statement["Resource"]
        match services.pop():
            case "logs":
                assert resource == {"Fn::GetAtt": [f"{function}Logs", "Arn"]}
            case "xray":
                assert resource == "*"
            case "dynamodb":
                text = resource.get("Fn::Sub")
                index = text and re.fullmatch(r"\$\{Table\.Arn\}/(index/(?P<name>\w+)|stream/\*)", text)
                assert resource in ({"Fn::GetAtt": ["Table", "Arn"]}, {"Fn::GetAtt": ["Table", "StreamArn"]}) or index, resource
                if index and index["name"]:
                    assert statement["Action"] == ["dynamodb:Query"]
                    assert index["name"] in {it["IndexName"] for it in deployed["Table"]["Properties"]["GlobalSecondaryIndexes"]}
            case "sqs" | "events":
                assert resource["Fn::GetAtt"][0] in ("Deliveries", "DeadLetters", "Bus"), resource
                assert resource["Fn::GetAtt"][1] == "Arn"
            case other:
                raise AssertionError(f"{function} needs {other}?")
    assert "dynamodb:Scan" not in actions
    # It has the use of a key exactly where it uses what is encrypted with it.
    used = {"TableKeyUse"} | ({"QueueKeyUse"} if any(action.startswith("sqs:") for action in actions) else set())
    assert {key["Ref"] for key in keys} == used


def test_with_a_key_everything_stored_is_encrypted_with_it():
    def at_rest(kind, path):
        for name, it in resources(kind).items():
            value = it["Properties"]
            for step in path:
                value = value[step]
            assert value == {"Fn::If": ["CustomerKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}, name

    at_rest("AWS::DynamoDB::Table", ["SSESpecification", "KMSMasterKeyId"])
    at_rest("AWS::SQS::Queue", ["KmsMasterKeyId"])
    at_rest("AWS::Logs::LogGroup", ["KmsKeyId"])
    at_rest("AWS::Events::Archive", ["KmsKeyIdentifier"])
    assert re.fullmatch(template()["Parameters"]["KmsKeyArn"]["AllowedPattern"], KEY)


def test_every_alarm_says_what_to_do_and_reaches_somebody():
    alarms = resources("AWS::CloudWatch::Alarm")
    assert alarms
    for name, it in alarms.items():
        it = it["Properties"]
        assert len(it["AlarmDescription"].split()) >= 15, name
        actions = {"Fn::If": ["AlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
        assert it["AlarmActions"] == it["OKActions"] == actions, name
        assert it["TreatMissingData"] == ("breaching" if name == "SweepMissedAlarm" else "notBreaching"), name
        # CloudWatch's own limit.
        assert len([query for query in it.get("Metrics", []) if "MetricStat" in query]) <= 10, name


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_the_alarms_watch_every_function(metric):
    watched = [query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"]
               for it in resources("AWS::CloudWatch::Alarm").values() for query in it["Properties"].get("Metrics", [])
               if query.get("MetricStat", {}).get("Metric", {}).get("MetricName") == metric]
    assert sorted(watched) == sorted(functions())


def test_the_dashboard_is_json_about_resources_that_are_there():
    [dashboard] = resources("AWS::CloudWatch::Dashboard").values()
    text = dashboard["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(text)["widgets"]
    assert len(widgets) >= 8
    names = set(re.findall(r"\$\{([A-Za-z]+)[.}]", text)) - {"AWS"}
    assert names <= template()["Resources"].keys()
    for name in functions():
        assert f"${{{name}}}" in text, name
