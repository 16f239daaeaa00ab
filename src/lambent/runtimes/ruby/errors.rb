# frozen_string_literal: true

require 'json'

module Lambent
  # Exceptions in the form of the Runtime API and the log.
  module Errors
    # A stack overflow has tens of thousands.
    FRAMES_MAX = 100
    # The types that the platform receives by name; it does not know others.
    KNOWN = %w[ArgumentError NoMethodError Exception StandardError NameError LoadError SystemExit
               SystemStackError].freeze

    module_function

    # The error that the caller receives. `phase` is `Init` or `Function`.
    def document(error, phase)
      {
        'errorMessage' => clean(error.message),
        'errorType' => "#{phase}<#{error.class}>",
        'stackTrace' => own_frames(error.backtrace || []).first(FRAMES_MAX).map { |frame| clean(frame) }
      }
    end

    # The type of the error for the platform.
    def header(error, phase)
      KNOWN.include?(error.class.to_s) ? "#{phase}<#{error.class}>" : 'Function<UserException>'
    end

    def log(document, title)
      if Logging.json?
        write(JSON.generate({ 'level' => 'ERROR', 'message' => title }.merge(document)))
      else
        write(title)
        write(JSON.pretty_generate(document))
      end
    end

    def write(text)
      Logging.sink ? Logging.sink.write("#{text}\n") : $stderr.write("#{text.tr("\n", "\r")}\n")
    end

    # Without the frames of this runtime, which are the outermost.
    def own_frames(backtrace)
      frames = backtrace.reject { |frame| frame.start_with?("#{__dir__}/gems.rb", "#{__dir__}/libraries.rb") }
      frames.take_while { |frame| !frame.start_with?(__dir__) }
    end

    def clean(text)
      text = text.to_s
      text = text.encode('UTF-8', invalid: :replace, undef: :replace) unless text.encoding == Encoding::UTF_8
      text.scrub
    end
  end
end
