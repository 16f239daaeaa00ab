"""Evaluation of templates."""

from typing import Any

from lambent.stacks.template.evaluation import Evaluation, Inputs, Known
from lambent.stacks.template.parameters import resolve_parameters
from lambent.stacks.template.reading import read_template
from lambent.stacks.template.template import parse_template
from lambent.stacks.template.values import UNKNOWN


def evaluate(text: str, given: dict[str, str | None] | None = None, **others: Any) -> Evaluation:
    """An evaluation of a template in `eu-west-1`."""
    template = parse_template(read_template(text))
    inputs = {
        "account": "123456789012",
        "region": "eu-west-1",
        "stack_name": "shop",
        "stack_id": "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1",
        "zones": ("eu-west-1a", "eu-west-1b"),
    } | others
    parameters = resolve_parameters(template, given or {}, None).values({})
    return Evaluation(template, Inputs(**inputs, parameters=parameters))


SHOP = """
Parameters:
  Stage: {Type: String, Default: dev}
Conditions:
  IsProduction: !Equals [!Ref Stage, prod]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${AWS::StackName}-${Stage}"
      DelaySeconds: !If [IsProduction, 10, !Ref AWS::NoValue]
  Topic:
    Type: AWS::SNS::Topic
    Condition: IsProduction
  Function:
    Type: AWS::Lambda::Function
    DependsOn: Topic
    Properties:
      Queue: !GetAtt Queue.Arn
      Topic: !If [IsProduction, !Ref Topic, none]
Outputs:
  Url: {Value: !Ref Queue, Export: {Name: !Sub "${AWS::StackName}-url"}}
"""


def test_a_template() -> None:
    """Conditions choose resources, values and dependencies; what does not exist is unknown."""
    evaluation = evaluate(SHOP)
    assert evaluation.conditions() == {"IsProduction": False}
    assert list(evaluation.wanted()) == ["Queue", "Function"]
    assert evaluation.dependencies("Function") == {"Queue"}
    assert evaluation.properties("Queue", {}) == {"QueueName": "shop-dev"}
    assert evaluation.properties("Function", {}) == {"Queue": UNKNOWN, "Topic": "none"}
    known = {"Queue": Known("url", {"Arn": "arn"})}
    assert evaluation.properties("Function", known)["Queue"] == "arn"
    output = evaluation.outputs(known)["Url"]
    assert (output.value, output.export_name) == ("url", "shop-url")
    production = evaluate(SHOP, {"Stage": "prod"})
    assert production.dependencies("Function") == {"Queue", "Topic"}
    assert production.properties("Queue", {})["DelaySeconds"] == 10
