# frozen_string_literal: true

require 'json'

module Lambent
  # Exceptions as the Runtime API and the log show them.
  module Errors
    # As many as a JVM keeps: a stack that ran over has tens of thousands.
    FRAMES_MAX = 1024

    module_function

    # What the caller is told. `phase` is `Init` or `Function`.
    def document(error, phase)
      {
        'errorMessage' => clean(error.message),
        'errorType' => "#{phase}<#{error.class}>",
        'stackTrace' => own_frames(error.backtrace || []).first(FRAMES_MAX).map { |frame| clean(frame) }
      }
    end

    def log(document, title)
      if ENV['AWS_LAMBDA_LOG_FORMAT'] == 'JSON'
        warn(JSON.generate({ 'level' => 'ERROR', 'message' => title }.merge(document)))
      else
        # Carriage returns keep it one log event.
        warn("#{title}\r#{JSON.pretty_generate(document).tr("\n", "\r")}")
      end
    end

    # Without the frames of this runtime, which are the outermost.
    def own_frames(backtrace)
      frames = backtrace.reject { |frame| frame.start_with?("#{__dir__}/gems.rb") }
      frames.take_while { |frame| !frame.start_with?(__dir__) }
    end

    def clean(text)
      text = text.to_s
      text = text.encode('UTF-8', invalid: :replace, undef: :replace) unless text.encoding == Encoding::UTF_8
      text.scrub
    end
  end
end
