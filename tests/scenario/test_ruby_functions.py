"""Ruby functions on the host's Ruby, over the public API."""

import base64
import json
import shutil
from typing import Any

import pytest

from tests.scenario.conftest import ACCOUNT, Platform, deploy, invoke, log_of
from tests.scenario.large_answers import check_a_long_log_event, check_what_is_too_large

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="needs Ruby: apt install ruby")
CODE = """
require_relative 'lib/greeting'

$count = 0

def handler(event:, context:)
  event
end

def context(event:, context:)
  names = %i[function_name function_version invoked_function_arn memory_limit_in_mb aws_request_id
             log_group_name log_stream_name deadline_ms identity client_context]
  known = names.to_h { |name| [name, context.public_send(name)] }
  known.merge(remaining: context.get_remaining_time_in_millis, trace: ENV['_X_AMZN_TRACE_ID'],
              class: context.class.name,
              ruby: RUBY_VERSION, gems: ENV['GEM_PATH'], path: $LOAD_PATH, dir: Dir.pwd)
end

def act(event:, context:)
  case event['do']
  when 'raise' then raise ArgumentError, 'on purpose: ü'
  when 'name' then nothing_of_this_name
  when 'none.missing' then nil.missing
  when 'not json' then "\\xff"
  when 'deep' then act(event: event, context: context)
  when 'exit' then exit(3)
  when 'hang' then sleep
  when 'exit!' then exit!(3)
  when 'critical' then raise NoMemoryError, 'on purpose'
  when 'large' then 'x' * 10 * 1024 * 1024
  when 'long' then puts 'y' * 5 * 1024 * 1024
  when 'overflow' then raise 'x' * 7 * 1024 * 1024
  when 'count' then $count += 1
  when 'syntax' then eval('def (')
  when 'print'
    puts 'put: ü'
    $stdout.puts 'to stdout: ü'
    warn 'to stderr'
    print 'no newline'
  when 'fork'
    made = 0
    begin
      loop { Process.detach(spawn('sleep 100')) && made += 1 }
    rescue SystemCallError, ThreadError => e
      return [made, e.class.name]
    end
  when 'shadow' then File.read('/etc/shadow')
  when 'write' then File.write('/var/task/x', 'x')
  when 'forge'
    uri = URI('http://127.0.0.1:9001/2018-06-01/runtime/invocation/none/response')
    Net::HTTP.post(uri, '"forged"').code
  end
end

module Deep
  class Inside
    def self.handle(event:, context:) = { from: 'Deep::Inside', event: event, lib: Greeting::TEXT }
  end
end
"""
FILES = {
    "app.rb": CODE,
    "lib/greeting.rb": "module Greeting; TEXT = 'hello'; end",
    "broken.rb": "def (",
}


@pytest.fixture(scope="module")
def act(platform: Platform, lambda_client: Any) -> Any:
    """Makes the function do something; returns its result and the whole response."""
    deploy(lambda_client, "ruby-act", FILES, Runtime="ruby3.3", Handler="app.act", Timeout=5)

    def do(deed: str) -> tuple[Any, dict[str, Any]]:
        return invoke(lambda_client, "ruby-act", {"do": deed}, LogType="Tail")

    return do


def test_events_come_back_as_they_went(lambda_client: Any) -> None:
    """JSON of every kind, a megabyte too."""
    deploy(lambda_client, "ruby-echo", FILES, Runtime="ruby3.3")
    for event in (None, 1.5, "ü😀\u2028", [1, {"a": None}], {"x": "y" * 1024 * 1024}):
        assert invoke(lambda_client, "ruby-echo", event)[0] == event


def test_a_method_of_a_class_in_a_module(lambda_client: Any) -> None:
    """And files next to it are found."""
    options = {"Runtime": "ruby3.2", "Handler": "app.Deep::Inside.handle"}
    deploy(lambda_client, "ruby-class", FILES, **options)
    payload, _ = invoke(lambda_client, "ruby-class", {"a": 1})
    assert payload == {"from": "Deep::Inside", "event": {"a": 1}, "lib": "hello"}


def test_the_context_is_full(lambda_client: Any) -> None:
    """Names and values as AWS's."""
    deploy(lambda_client, "ruby-context", FILES, Runtime="ruby3.3", Handler="app.context")
    client = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    known, answer = invoke(lambda_client, "ruby-context", {}, ClientContext=client)
    assert "FunctionError" not in answer
    expected = {
        "function_name": "ruby-context",
        "function_version": "$LATEST",
        "invoked_function_arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:ruby-context",
        "memory_limit_in_mb": "512",
        "log_group_name": "/aws/lambda/ruby-context",
        "aws_request_id": answer["ResponseMetadata"]["RequestId"],
        "identity": None,
        "client_context": {"custom": {"k": "v"}},
        "dir": "/var/task",
        "class": "LambdaContext",
    }
    assert {name: known[name] for name in expected} == expected
    assert 15_000 < known["remaining"] <= 20_000
    assert "[$LATEST]" in known["log_stream_name"]
    assert known["trace"].startswith("Root=1-")
    assert known["path"][0] == "/var/task"
    own = "/var/task/vendor/bundle/ruby/3.3.0:/opt/ruby/gems/3.3.0"
    assert known["gems"].startswith(own)
    assert "/opt/ruby/lib" in known["path"]


@pytest.mark.parametrize(
    ("deed", "error_type", "message"),
    [
        ("raise", "Function<ArgumentError>", "on purpose: ü"),
        ("not json", "Function<JSON::GeneratorError>", "source"),
        ("deep", "Function<SystemStackError>", "stack level too deep"),
        ("shadow", "Function<Errno::ENOENT>", "/etc/shadow"),
        ("write", "Function<Errno::EROFS>", "/var/task/x"),
    ],
)
def test_errors_are_in_awss_words(act: Any, deed: str, error_type: str, message: str) -> None:
    """With the function's own frames, and in the log."""
    payload, answer = act(deed)
    assert answer["FunctionError"] == "Unhandled"
    assert (payload["errorType"], message in payload["errorMessage"]) == (error_type, True), payload
    assert not [frame for frame in payload["stackTrace"] if "/var/runtime" in frame]
    assert len(payload["stackTrace"]) <= 100
    if deed == "raise":
        (frame,) = payload["stackTrace"]
        assert frame.startswith("/var/task/app.rb:21:in ")
    if deed != "deep":
        assert 'Error raised from handler method\n{\n  "errorMessage"' in log_of(answer)
        assert error_type in log_of(answer)


@pytest.mark.parametrize(
    ("deed", "error_type", "message"),
    [
        ("syntax", "SyntaxError", "syntax error"),
        ("name", "NameError", "nothing_of_this_name"),
        ("none.missing", "NoMethodError", "missing"),
        ("critical", "NoMemoryError", "on purpose"),
        ("exit", "SystemExit", "exit"),
    ],
)
def test_a_critical_error_ends_the_process_after_it_is_reported(
    act: Any, deed: str, error_type: str, message: str
) -> None:
    """The next invocation has a new process."""
    act("count")
    payload, answer = act(deed)
    assert payload["errorType"] == f"Function<{error_type}>"
    assert message in payload["errorMessage"]
    assert "Critical exception from handler\n" in log_of(answer)
    assert act("count")[0] == 1


@pytest.mark.parametrize(
    ("handler", "error_type"),
    [
        ("missing.handler", "Init<LoadError>"),
        ("broken.handler", "Init<SyntaxError>"),
        ("app.gone", "Function<NoMethodError>"),
        ("app.Gone.handler", "Function<NameError>"),
        ("app", "Init<ArgumentError>"),
    ],
)
def test_a_handler_that_cannot_be_loaded(lambda_client: Any, handler: str, error_type: str) -> None:
    """A missing file is an error of the start, a missing method one of each invocation."""
    name = f"ruby-broken-{handler.replace('.', '-')}"
    deploy(lambda_client, name, FILES, Runtime="ruby3.3", Handler=handler)
    payload, answer = invoke(lambda_client, name, {})
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == error_type, payload


def test_a_process_that_ends_or_hangs_is_replaced(act: Any) -> None:
    """As any runtime's is."""
    payload, _ = act("exit!")
    assert payload["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in payload["errorMessage"]
    assert "timed out after 5.00 seconds" in act("hang")[0]["errorMessage"]
    assert act("none")[0] is None


def test_what_is_too_large_is_an_error_and_the_process_goes_on(act: Any) -> None:
    """A result as well as an error."""
    check_what_is_too_large(act)


def test_a_log_event_of_any_size_arrives(platform: Platform, act: Any) -> None:
    """A log event that is too large is split."""
    act("long")
    check_a_long_log_event(platform, "ruby-act")


def test_what_is_printed_is_logged_at_once(act: Any) -> None:
    """From both streams."""
    _, answer = act("print")
    for line in ("put: ü", "to stdout: ü", "to stderr"):
        assert f"{line}\n" in log_of(answer)


def test_gems_are_found(lambda_client: Any) -> None:
    """The package's gems come before the standard library; the Ruby's own are found if a file is
    missing otherwise; also if the function has its own options."""
    gem = "vendor/bundle/ruby/3.3.0"
    specification = """
Gem::Specification.new do |s|
  s.name, s.version, s.summary, s.authors, s.files = 'own', '1.2.3', 'x', ['x'], ['lib/own.rb']
end
"""
    files = {
        f"{gem}/specifications/own-1.2.3.gemspec": specification,
        f"{gem}/gems/own-1.2.3/lib/own.rb": "module Own; VALUE = 'of a gem'; end",
        "app.rb": """
require 'own'
def handler(event:, context:)
  [Own::VALUE, Gem.loaded_specs['own'].version.to_s]
end
""",
    }
    deploy(lambda_client, "ruby-gems", files, Runtime="ruby3.3")
    assert invoke(lambda_client, "ruby-gems", {})[0] == ["of a gem", "1.2.3"]
    late = """
def handler(event:, context:)
  before = $LOADED_FEATURES.any? { |name| name.end_with?('/rubygems.rb') }
  require 'minitest'
  gem 'minitest'
  [before, defined?(Minitest), Gem::Version.new('1.10') > Gem::Version.new('1.9')]
end
"""
    deploy(lambda_client, "ruby-late", {"app.rb": late}, Runtime="ruby3.3")
    got = invoke(lambda_client, "ruby-late", {})[0]
    assert got == [False, "constant", True]
    variables = {"RUBYOPT": "-W0"}
    options = {"Runtime": "ruby3.3", "Environment": {"Variables": variables}}
    deploy(lambda_client, "ruby-options", {"app.rb": late}, **options)
    assert invoke(lambda_client, "ruby-options", {})[0] == [True, "constant", True]


def test_it_is_confined_like_others(act: Any, lambda_client: Any) -> None:
    """Processes are limited, and responses to other invocations are not possible."""
    assert act("forge")[0] in ("400", "403")
    deploy(lambda_client, "ruby-forks", FILES, Runtime="ruby3.3", Handler="app.act")
    (made, error), _ = invoke(lambda_client, "ruby-forks", {"do": "fork"})
    assert 100 < made < 1024
    assert error in ("Errno::EAGAIN", "Errno::ENOMEM", "ThreadError")
