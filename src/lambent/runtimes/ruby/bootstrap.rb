# frozen_string_literal: true

# Starts a Ruby function inside its sandbox: loads the handler and runs the invocation loop against
# the Runtime API. No gem is needed.

$stdout.sync = true
$stderr.sync = true

require_relative 'gems'
require_relative 'errors'
require_relative 'runtime_api'
require_relative 'context'
require_relative 'handler'

module Lambent
  # One event after another, each answered once.
  class Invocations
    def initialize(api, handler)
      @api = api
      @handler = handler
    end

    def run
      loop { answer(@api.next) }
    end

    private

    def answer(event)
      ENV['_X_AMZN_TRACE_ID'] = event.headers['lambda-runtime-trace-id']
      text = @handler.call(parse(event.body), Context.new(event.headers))
    rescue SystemExit, SignalException
      raise
    rescue StandardError, SystemStackError => e
      report(event, e, 'Error raised from handler method')
    rescue Exception => e
      # What is left is out of memory or code that does not load: not a state to go on in.
      report(event, e, 'Critical exception from handler')
      exit!(1)
    else
      @api.respond(event, text)
    end

    def parse(body)
      JSON.parse(body) unless body.empty?
    end

    def report(event, error, title)
      document = Errors.document(error, 'Function')
      Errors.log(document, title)
      @api.fail(event, document)
    end
  end

  def self.main
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
      api.fail_init(document)
      exit!(1)
    end
    Invocations.new(api, handler).run
  end
end

Lambent.main
