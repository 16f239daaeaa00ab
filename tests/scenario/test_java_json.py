"""How Java functions' events are read and their results written.

The expected values are those of AWS's serialization library: Jackson, configured as in that
library.
"""

import json
import re
from typing import Any

import pytest

from tests.scenario.conftest import deploy, invoke
from tests.scenario.java_classes import OPTIONS, needs_jdk

pytestmark = needs_jdk

ERROR = "error"
READ: list[tuple[str, str, str | None]] = [
    ("primitive", "5.7", "Integer 5"),
    ("primitive", '" 7 "', "Integer 7"),
    ("primitive", '"5.7"', ERROR),
    ("primitive", "null", "Integer 0"),
    ("primitive", '""', "Integer 0"),
    ("primitive", "true", ERROR),
    ("primitive", "3000000000", ERROR),
    ("primitive", "[5]", "Integer 5"),
    ("primitive", "[1,2]", ERROR),
    ("primitive", "[]", ERROR),
    ("wrapped", "[]", None),
    ("wrapped", '"null"', None),
    ("wrapped", "1e3", "Integer 1000"),
    ("longer", "99999999999999999999", ERROR),
    ("small", "200", "Byte -56"),
    ("small", "300", ERROR),
    ("real", '"5.7"', "Double 5.7"),
    ("real", '"INF"', "Double Infinity"),
    ("truth", "1", "Boolean true"),
    ("truth", '"True"', "Boolean true"),
    ("truth", '"yes"', ERROR),
    ("truth", "1.5", ERROR),
    ("maybe", '""', None),
    ("character", "65", "Character A"),
    ("character", '"ab"', ERROR),
    ("text", "5.70", "String 5.70"),
    ("text", "true", "String true"),
    ("text", '{"a":1}', ERROR),
    ("text", '["x"]', "String x"),
    ("decimal", "0.1234567890123456789012", "BigDecimal 0.1234567890123456789012"),
    ("big", "5.7", "BigInteger 5"),
    ("number", "5", "Integer 5"),
    ("number", '"5"', "Integer 5"),
    ("number", "5.5", "Double 5.5"),
    ("color", '"RED"', "Color RED"),
    ("color", '"GREEN"', " other"),
    ("color", '"red"', None),
    ("color", "0", "Color RED"),
    ("color", '"0"', "Color RED"),
    ("color", "9", None),
    ("date", "1545084650987", "Date 1545084650987"),
    ("date", '"1545084650987"', "Date 1545084650987"),
    ("date", "1545084650.987", ERROR),
    ("date", '"2018-12-17"', "Date 1545004800000"),
    ("date", '"2018-12-17T22:10:50.987Z"', "Date 1545084650987"),
    ("date", '"2018-12-17T22:10:50+0100"', "Date 1545081050000"),
    ("date", '"2018-12-17T22:10"', "Date 1545084600000"),
    ("date", '"Sat, 12 Aug 1995 13:30:00 GMT"', "Date 808234200000"),
    ("date", '"2018-12-17 22:10:50"', ERROR),
    ("calendar", '"2018-12-17"', "GregorianCalendar 1545004800000"),
    ("bytes", '"w7w="', "byte[] [-61, -68]"),
    ("bytes", '"w7w"', ERROR),
    ("bytes", "[1,2]", "byte[] [1, 2]"),
    ("buffer", '"w7w="', "HeapByteBuffer ü"),
    ("any", "[1,2.5,{}]", "ArrayList [1, 2.5, {}]"),
    ("any", "12345678901", "Long 12345678901"),
    ("map", '{"a":[1,2.5,null]}', "LinkedHashMap {a=[1, 2.5, null]}"),
    ("map", '""', None),
    ("map", "5", ERROR),
    ("colors", '{"RED":1}', "LinkedHashMap {RED=1}"),
    ("enumMap", '{"RED":1,"BLUE":2}', "EnumMap {RED=1}"),
    ("numbered", '{"1":"a"}', "LinkedHashMap {1=a}"),
    ("numbered", '{"x":"a"}', ERROR),
    ("sorted", '{"b":1,"a":2}', "TreeMap {a=2, b=1}"),
    ("concurrent", '{"b":1}', "ConcurrentHashMap {b=1}"),
    ("properties", '{"a":1}', "Properties {a=1}"),
    ("numbers", "5", "ArrayList [5]"),
    ("numbers", '[1,"2",2.9,null]', "ArrayList [1, 2, 2, null]"),
    ("numbers", '""', None),
    ("texts", '"x"', "String[] [x]"),
    ("lists", '[[1],[2.5,"3"]]', "List[] [[1.0], [2.5, 3.0]]"),
    ("set", '["b","a","b"]', "HashSet [a, b]"),
    ("queue", '["b","a"]', "LinkedList [b, a]"),
    (
        "uuid",
        '"00000000-0000-0000-0000-000000000001"',
        "UUID 00000000-0000-0000-0000-000000000001",
    ),
    ("counter", "5", "AtomicInteger 5"),
    ("reference", '"x"', "AtomicReference x"),
    ("optional", '"x"', "Optional Optional[x]"),
    ("optional", "null", "Optional Optional.empty"),
    ("optionalNumber", '"5"', "Optional Optional[5]"),
    ("optionalInt", "5", "OptionalInt OptionalInt[5]"),
    ("optionalInt", '""', "OptionalInt OptionalInt.empty"),
    ("instant", "1545084650.5", "Instant 2018-12-17T22:10:50.500Z"),
    ("instant", "1545084650", "Instant 2018-12-17T22:10:50Z"),
    ("instant", '"2018-12-17T22:10:50+01:00"', "Instant 2018-12-17T21:10:50Z"),
    ("instant", '"2018-12-17T22:10:50"', ERROR),
    ("day", "[2018,12,17]", "LocalDate 2018-12-17"),
    ("day", '"2018-12-17"', "LocalDate 2018-12-17"),
    ("day", '"2018-12-17T10:00:00Z"', "LocalDate 2018-12-17"),
    ("day", "[2018,12]", ERROR),
    ("time", "[1,2,3,4]", "LocalTime 01:02:03.000000004"),
    ("time", '"01:02"', "LocalTime 01:02"),
    ("local", "[2018,1,2,3,4]", "LocalDateTime 2018-01-02T03:04"),
    ("local", '"2018-01-02"', ERROR),
    ("offset", '"2018-12-17T22:10:50+01:00"', "OffsetDateTime 2018-12-17T21:10:50Z"),
    ("duration", "5.5", "Duration PT5.5S"),
    ("duration", '"PT5S"', "Duration PT5S"),
    ("year", "2018", "Year 2018"),
    ("month", "[2018,2]", "YearMonth 2018-02"),
    ("birthday", '"--02-03"', "MonthDay --02-03"),
    ("zone", '"Europe/Paris"', "ZoneRegion Europe/Paris"),
    ("bean", '{"name":"x","Name":"y","URL":"u","url":"v","count":"3"}', "Bean x u 3 []"),
    ("bean", '{"onlyRead":["x"],"unknown":{"a":1}}', "Bean - - 0 []"),
    ("bean", '{"isBase64Encoded":true}', "Bean encoded true - 0 []"),
    ("bean", '""', None),
    ("bean", '"x"', ERROR),
    ("bean", '[{"name":"x"}]', "Bean x - 0 []"),
    ("sealed", '{"a":1}', "Sealed a=1"),
    ("closed", '{"a":1}', ERROR),
    ("closed", '"x"', ERROR),
    ("unfinished", '{"a":1}', ERROR),
    ("box", '{"value":"1","more":[1,"2"]}', "Box 1 [1, 2]"),
    ("chosen", '{"one":1}', "Chosen text"),
    ("ambiguous", '{"two":1}', ERROR),
    ("nothing", "{}", None),
    ("Primitive", "5", None),
    # Events that would cost time or memory without end.
    ("primitive", "1e999999999", ERROR),
    ("big", "1e999999999", ERROR),
    ("instant", "1e999999999", ERROR),
    ("duration", '"1e999999999"', ERROR),
    ("any", "9" * 1001, ERROR),
    ("big", '"' + "9" * 100_000 + '"', ERROR),
]
WRITTEN: dict[str, str] = {
    "nulls": '{"b":[1,null],"c":{}}',
    "null key": ERROR,
    "keys": '{"1970-01-01T00:00:00.005+00:00":1,"GREEN":2,"2018-01-02":3,"java.lang.String":4}',
    "names": '{"open":"field","ID":"i","URL":"u","ETag":"e","XAxis":"x","aB":"a",'
    '"base64Encoded":true,"wrapped":true}',
    "hidden base": '{"base":"b","own":"o"}',
    "held": '{"empty":null,"full":"v","none":null}',
    "circle": ERROR,
    "named numbers": '{"name":"n"}',
    "nothing in it": "{}",
    "enum": '"GREEN"',
    "optional": '"x"',
    "empty optional": "null",
    "optional number": "1.0",
    "reference": '"x"',
    "iterator": "[1,2]",
    "stream": '["a","b"]',
    "numbers": "[1,2]",
    "entry": '{"k":1}',
    "class": '"java.lang.String"',
    "time zone": '"Europe/Paris"',
    "path": '"file:///tmp/x"',
    "address": '"127.0.0.1"',
    "locale": '"fr_FR"',
    "uri": '"a:b"',
    "bytes": '"AQI="',
    "buffer": '"AQI="',
    "characters": '"ab"',
    "decimal": "1.50",
    "no number": '"NaN"',
    "builder": '"x"',
    "day": "[2018,12,17]",
    "time": "[1,2]",
    "time with nanoseconds": "[1,2,0,5]",
    "local": "[2018,1,2,3,4,5]",
    "instant": "1545084650.500000000",
    "duration": "1.500000000",
    "offset": "1545037200.000000000",
    "zoned": "1545037200.000000000",
    "offset time": '[10,0,"+01:00"]',
    "year": "2018",
    "month": "[2018,2]",
    "birthday": '"--01-02"',
    "period": '"P3D"',
    "zone": '"Europe/Paris"',
    "date": "1545084650987",
    "calendar": "5",
}
EVENTS: dict[str, Any] = {
    "sqs": {
        "Records": [
            {"messageId": "1", "body": "b", "eventSourceARN": "arn:a", "awsRegion": "eu-west-1"}
        ]
    },
    "sns": {
        "Records": [
            {
                "EventSource": "aws:sns",
                "Sns": {
                    "Message": "m",
                    "Timestamp": "2018-12-17T22:10:50.987Z",
                    "MessageAttributes": {"k": {"Type": "String"}},
                },
            }
        ]
    },
    "s3": {
        "Records": [
            {
                "awsRegion": "eu-west-1",
                "eventTime": "2018-12-17T22:10:50.987Z",
                "responseElements": {"x-amz-id-2": "i", "x-amz-request-id": "r"},
                "object": {"key": "a+b", "size": 3, "eTag": "e"},
            }
        ]
    },
    "kinesis": {
        "Records": [
            {
                "eventID": "1",
                "eventSourceARN": "arn:a",
                "kinesis": {
                    "partitionKey": "p",
                    "data": "w7w=",
                    "approximateArrivalTimestamp": 1545084650.987,
                },
            }
        ]
    },
    "dynamodb": {
        "Records": [
            {
                "eventName": "INSERT",
                "eventSourceARN": "arn:a",
                "dynamodb": {
                    "ApproximateCreationDateTime": 1545084650.0,
                    "Keys": {"id": {"S": "x"}},
                    "NewImage": {
                        "n": {"N": "1"},
                        "b": {"B": "w7w="},
                        "s": {"SS": ["a"]},
                        "m": {"M": {"k": {"BOOL": True}}},
                        "l": {"L": [{"NULL": True}]},
                    },
                    "SizeBytes": 26,
                },
            }
        ]
    },
    "scheduled": {
        "id": "1",
        "detail-type": "Scheduled Event",
        "time": "2018-12-17T22:10:50.000Z",
        "resources": ["arn:r"],
        "detail": {"a": 1.5},
    },
    "connect": {
        "Details": {
            "ContactData": {
                "Channel": "VOICE",
                "InstanceARN": "arn:i",
                "SystemEndpoint": {"Address": "+1", "Type": "TELEPHONE_NUMBER"},
            },
            "Parameters": {"k": "v"},
        },
        "Name": "ContactFlowEvent",
    },
    "codeCommit": {
        "Records": [
            {
                "eventId": "1",
                "codecommit": {"customData": "d"},
                "eventSourceARN": "arn:s",
                "userIdentityARN": "arn:u",
                "eventTime": "2018-12-17T22:10:50.987+01:00",
            }
        ]
    },
    "logs": {"awslogs": {"data": "H4sI"}},
    "resource": {
        "RequestType": "Create",
        "ResponseURL": "http://a/b",
        "ResourceProperties": {"Size": "1"},
    },
    "rotation": {"Step": "createSecret", "SecretId": "arn:s", "ClientRequestToken": "t"},
}


def ask(lambda_client: Any, name: str, payload: str) -> tuple[str, bool]:
    """The text of an answer, and whether it is an error of reading or writing."""
    answer = lambda_client.invoke(FunctionName=name, Payload=payload.encode())
    text = answer["Payload"].read().decode()
    if "FunctionError" in answer:
        message = json.loads(text)["errorMessage"]
        assert message.startswith("An error occurred during JSON "), text
    return text, "FunctionError" in answer


def test_values_are_read_as_aws_does(lambda_client: Any, classes: dict[str, bytes]) -> None:
    """Of every type, in every form that Jackson takes for it, and in no other."""
    deploy(lambda_client, "java-reading", classes, Handler="example.Reading::read", **OPTIONS)
    wrong = []
    for name, text, expected in READ:
        answer, is_error = ask(lambda_client, "java-reading", f'{{"{name}":{text}}}')
        got = ERROR if is_error else json.loads(answer)
        if got != expected:
            wrong.append((name, text, expected, answer))
    assert not wrong


def test_values_are_written_as_aws_does(lambda_client: Any, classes: dict[str, bytes]) -> None:
    """Of every type; properties have Jackson's names."""
    deploy(lambda_client, "java-writing", classes, Handler="example.Writing::write", **OPTIONS)
    wrong = []
    for name, expected in WRITTEN.items():
        answer, is_error = ask(lambda_client, "java-writing", json.dumps(name))
        got = ERROR if is_error else answer
        if got != expected and (
            ERROR in (got, expected) or json.loads(got) != json.loads(expected)
        ):
            wrong.append((name, expected, answer))
    assert not wrong


def test_a_result_has_the_properties_of_the_declared_class(
    lambda_client: Any, classes: dict[str, bytes]
) -> None:
    """Members that a subclass adds are left out."""
    deploy(lambda_client, "java-declared", classes, Handler="example.Writing::declared", **OPTIONS)
    assert invoke(lambda_client, "java-declared", {})[0] == {"a": "a"}


@pytest.mark.parametrize("name", EVENTS)
def test_aws_event_classes_come_back_as_they_went(
    lambda_client: Any, classes: dict[str, bytes], name: str
) -> None:
    """With the names that events have, dates in seconds, and times of the Joda library as text."""
    function = f"java-event-{name}"
    deploy(lambda_client, function, classes, Handler=f"example.Events::{name}", **OPTIONS)
    payload, answer = invoke(lambda_client, function, EVENTS[name])
    assert (payload, answer.get("FunctionError")) == (EVENTS[name], None)


def test_an_event_class_inside_something_else(
    lambda_client: Any, classes: dict[str, bytes]
) -> None:
    """Has the names of its methods, in AWS too."""
    deploy(lambda_client, "java-inside", classes, Handler="example.Events::inside", **OPTIONS)
    payload, _ = invoke(lambda_client, "java-inside", EVENTS["sqs"])
    record = {re.sub("ARN", "Arn", name): v for name, v in EVENTS["sqs"]["Records"][0].items()}
    assert payload == {"event": {"records": [record]}}
