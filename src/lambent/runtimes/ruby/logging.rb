# frozen_string_literal: true

module Lambent
  # Log output goes to the log pipe: by `Logger`, which writes events with the request ID, and
  # by `puts`, which writes one event, however many lines it has.
  module Logging
    class << self
      # Nil if there is no log pipe.
      attr_reader :sink

      def begin
        @sink = LogSink.open or return
        Logger.prepend(LoggerPatch)
        Kernel.define_method(:puts) { |*arguments| Logging.print(arguments) }
        Kernel.send(:private, :puts)
      end

      def json?
        ENV['AWS_LAMBDA_LOG_FORMAT'].to_s.casecmp?('JSON')
      end

      def print(arguments)
        text = arguments.flatten.map { |one| Errors.clean(one) }.join("\n")
        @sink.write(text.end_with?("\n") ? text : "#{text}\n")
        nil
      end
    end

    # A logger of the standard streams, or of none, writes to the log pipe.
    module LoggerPatch
      def initialize(logdev = nil, *arguments, datetime_format: nil, **options)
        is_ours = logdev.nil? || logdev == $stdout || logdev == $stderr
        device = is_ours ? Logging.sink : logdev
        super(device, *arguments, datetime_format: datetime_format, **options)
        return unless is_ours

        @default_formatter = Logging.json? ? JsonFormatter.new : TextFormatter.new
        self.datetime_format = datetime_format
      end
    end

    # The standard library's format, with the request ID after the level.
    class TextFormatter < Logger::Formatter
      def call(severity, time, progname, message)
        format("%s, [%s #%d] %5s %s -- %s: %s\n", severity[0], format_datetime(time), Process.pid, severity,
               $_global_aws_request_id, progname, Errors.clean(msg2str(message)))
      end
    end

    # A JSON object; an exception with its parts.
    class JsonFormatter < Logger::Formatter
      TIME = '%Y-%m-%dT%H:%M:%S.%6NZ'

      def call(severity, time, progname, message)
        record = { timestamp: time.getutc.strftime(TIME), level: severity, message: text(message),
                   requestId: $_global_aws_request_id }
        record[:logger] = Errors.clean(progname) unless progname.to_s.empty?
        record.merge!(described(message)) if message.is_a?(Exception)
        "#{JSON.generate(record.compact)}\n"
      end

      private

      def text(message)
        Errors.clean(message.is_a?(Exception) ? message.message : msg2str(message))
      end

      def described(error)
        frames = (error.backtrace || []).map { |frame| Errors.clean(frame) }
        first = frames.first&.match(/\A(?<file>.+):(?<line>\d+):in [`'](?<method>.+)'\z/)
        { errorType: error.class.to_s, errorMessage: Errors.clean(error.message), stackTrace: frames,
          location: first ? "#{first[:file]}:#{first[:method]}:#{first[:line]}" : frames.first }
      end
    end
  end
end
