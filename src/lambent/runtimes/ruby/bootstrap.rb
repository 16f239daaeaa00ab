# frozen_string_literal: true

# Starts a Ruby function inside its sandbox: loads the handler and runs the invocation loop against
# the Runtime API. No gem is needed.

$stdout.sync = true
$stderr.sync = true

require_relative 'gems'
require_relative 'libraries'
require_relative 'log_sink'
require_relative 'logging'
require_relative 'marshaller'
require_relative 'errors'
require_relative 'runtime_api'
require_relative 'context'
require_relative 'handler'

module Lambent
  # One event after another, with one response each.
  class Invocations
    # As AWS's client, it ends after an error from which it cannot continue.
    CRITICAL_STATUS = 255

    def initialize(api, handler)
      @api = api
      @handler = handler
    end

    def run
      loop { answer(@api.next) }
    end

    private

    def answer(event)
      $_global_aws_request_id = event['Lambda-Runtime-Aws-Request-Id']
      ENV['_X_AMZN_TRACE_ID'] = event['Lambda-Runtime-Trace-Id']
      body, type = @handler.call(AwsLambda::Marshaller.marshall_request(event), LambdaContext.new(event))
    rescue NameError => e
      end_after(event, e)
    rescue StandardError => e
      report(event, e, 'Error raised from handler method')
    rescue Exception => e
      end_after(event, e)
    else
      @api.respond(event, body, type)
    end

    # Out of memory, an exit, code that does not load or uses unknown names: it cannot continue.
    def end_after(event, error)
      report(event, error, 'Critical exception from handler')
      exit(CRITICAL_STATUS)
    end

    def report(event, error, title)
      document = Errors.document(error, 'Function')
      Errors.log(document, title)
      @api.fail(event, document, Errors.header(error, 'Function'))
    end
  end

  def self.main
    Logging.begin
    api = RuntimeApi.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
    name = ENV.fetch('_HANDLER', '')
    begin
      Gems.provide
      $LOAD_PATH.unshift(ENV.fetch('LAMBDA_TASK_ROOT', '/var/task'))
      handler = Handler.load(name)
    rescue SystemExit, SignalException
      raise
    rescue Exception => e
      document = Errors.document(e, 'Init')
      Errors.log(document, "Init error when loading handler #{name}")
      api.fail_init(document, Errors.header(e, 'Init'))
      exit!(1)
    end
    Invocations.new(api, handler).run
  end
end

Lambent.main
