"""What Ruby functions find as they do with AWS's runtime client: logs, libraries, marshalling."""

import json
import shutil
from typing import Any

import pytest

from tests.scenario.conftest import Platform, deploy, invoke, log_of, wait_for

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="needs Ruby: apt install ruby")
LOGGING = """
def handler(event:, context:)
  logger = Logger.new($stdout, progname: 'mine')
  logger.info("one\\ntwo")
  Logger.new($stderr, level: Logger::WARN).info('below its level')
  Logger.new(nil).error(RuntimeError.new('on purpose'))
  plain = Logger.new($stdout, formatter: proc { |level, _, _, text| "#{level}|#{text}" })
  plain.fatal('own form')
  puts "p-one\\np-two"
  puts ['q-one', ['q-two']], nil, 3
  puts "\\xff".b
  $stdout.puts "s-one\\ns-two"
  Logger.new('/tmp/x.log').info('to a file')
  file = StringIO.new
  Logger.new(file).info('elsewhere')
  file.string
end
"""
LIBRARIES = """
def handler(event:, context:)
  before = [URI, Net].map(&:name).size if event['late']
  [Time.parse('2018-12-17T22:10:50Z').iso8601, StringIO.new('x').read, URI('http://a:1/b').port,
   Net::HTTP::Get.new('/').method, URI.parse('http://c/d').host, defined?(Logger)]
end
"""
MARSHALLING = """
module AwsLambda
  class Marshaller
    class << self
      def marshall_request(request)
        [request['Content-Type'], request['content-type'], request.body]
      end

      alias plain marshall_response

      def marshall_response(result)
        case result[2]
        when '"typed"' then ['<p>', 'text/html']
        when '"plain"' then plain(result)
        else "[\\"own\\"]"
        end
      end
    end
  end
end

def handler(event:, context:)
  event
end
"""
STREAMS = """
def handler(event:, context:)
  case event
  when 'text' then StringIO.new('from memory')
  when 'bytes' then StringIO.new("\\x89PNG".b)
  when 'file' then File.open('/var/task/data.txt')
  end
end
"""


def deploy_code(lambda_client: Any, name: str, code: str, **options: Any) -> None:
    files = {"app.rb": code, "data.txt": "from a file"}
    deploy(lambda_client, name, files, Runtime="ruby3.3", **options)


def test_each_log_call_is_one_event(platform: Platform, lambda_client: Any) -> None:
    """For loggers, which log the request's id, and for `puts`; a stream's `puts` writes lines."""
    deploy_code(lambda_client, "ruby-log", LOGGING)
    payload, answer = invoke(lambda_client, "ruby-log", {})
    assert "FunctionError" not in answer, payload
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert payload.endswith(" INFO -- : elsewhere\n")
    logs = platform.client("logs")

    def messages() -> list[str]:
        found = logs.filter_log_events(logGroupName="/aws/lambda/ruby-log")["events"]
        all_of_them = [event["message"].removesuffix("\n") for event in found]
        of = [at for at, message in enumerate(all_of_them) if f"RequestId: {request_id}" in message]
        return all_of_them[of[0] + 1 : of[1]] if len(of) == 3 else []

    seen: list[str] = wait_for(messages, "the invocation's log")
    (info,) = [line for line in seen if line.startswith("I, [")]
    assert info.endswith(f"]  INFO {request_id} -- mine: one\ntwo")
    (error,) = [line for line in seen if line.startswith("E, [")]
    assert f"] ERROR {request_id} -- : on purpose (RuntimeError)" in error
    # The pipe of frames and that of lines are read one after the other.
    puts = ["p-one\np-two", "q-one\nq-two\n\n3", "\N{REPLACEMENT CHARACTER}"]
    expected = [info, error, "FATAL|own form", *puts, "s-one", "s-two"]
    assert sorted(seen) == sorted(expected)


def test_json_logs_have_levels(lambda_client: Any) -> None:
    """Events below the function's level are left out; an exception is logged with its parts."""
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}
    code = """
def handler(event:, context:)
  logger = Logger.new($stdout, progname: 'mine')
  logger.info('left out')
  logger.warn("one\\ntwo")
  begin
    raise ArgumentError, 'on purpose'
  rescue StandardError => e
    logger.fatal(e)
  end
  puts 'left out too'
end
"""
    deploy_code(lambda_client, "ruby-json", code, LoggingConfig=logging)
    _, answer = invoke(lambda_client, "ruby-json", {}, LogType="Tail")
    lines = [json.loads(line) for line in log_of(answer).splitlines()]
    records = [line for line in lines if "message" in line]
    assert [(record["level"], record["message"]) for record in records] == [
        ("WARN", "one\ntwo"),
        ("FATAL", "on purpose"),
    ]
    assert {record["requestId"] for record in records} == {answer["ResponseMetadata"]["RequestId"]}
    assert {record["logger"] for record in records} == {"mine"}
    assert records[1]["errorType"] == "ArgumentError"
    assert records[1]["location"].startswith("/var/task/app.rb:")
    assert records[1]["stackTrace"][0].startswith("/var/task/app.rb:7:in ")


def test_libraries_are_there_without_a_require(lambda_client: Any) -> None:
    """Libraries that AWS's client has loaded."""
    deploy_code(lambda_client, "ruby-libraries", LIBRARIES)
    expected = ["2018-12-17T22:10:50Z", "x", 1, "GET", "c", "constant"]
    for event in ({"late": True}, {}):
        payload, answer = invoke(lambda_client, "ruby-libraries", event)
        assert (payload, answer.get("FunctionError")) == (expected, None)


def test_marshalling_can_be_replaced(lambda_client: Any) -> None:
    """By a function that defines AwsLambda::Marshaller's methods."""
    deploy_code(lambda_client, "ruby-marshalling", MARSHALLING)
    assert invoke(lambda_client, "ruby-marshalling", 1)[0] == ["own"]
    assert invoke(lambda_client, "ruby-marshalling", "plain")[0] == [
        "application/json",
        "application/json",
        '"plain"',
    ]
    answer = lambda_client.invoke(FunctionName="ruby-marshalling", Payload=b'"typed"')
    assert answer["Payload"].read() == b"<p>"


def test_a_stream_as_a_result_is_what_it_holds(lambda_client: Any) -> None:
    """Of memory or a file, and not as JSON."""
    deploy_code(lambda_client, "ruby-streams", STREAMS)
    for body, expected in (
        ("text", b"from memory"),
        ("bytes", b"\x89PNG"),
        ("file", b"from a file"),
    ):
        answer = lambda_client.invoke(
            FunctionName="ruby-streams", Payload=json.dumps(body).encode()
        )
        assert answer["Payload"].read() == expected
