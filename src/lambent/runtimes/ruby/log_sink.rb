# frozen_string_literal: true

module Lambent
  # The framed log pipe, which keeps an event of several lines whole. A frame is type, length, time
  # in microseconds and the message. For loggers it is a file that is always open.
  class LogSink
    VARIABLE = '_LAMBDA_TELEMETRY_LOG_FD'
    FRAME_TYPE = 0xa55a0003
    # The platform accepts no longer frame; it splits longer events.
    MESSAGE_MAX = 4 * 1024 * 1024

    # Nil if there is no pipe. Programs that a handler starts do not inherit it.
    def self.open
      number = ENV.delete(VARIABLE) or return
      file = IO.for_fd(Integer(number), 'wb')
      file.sync = true
      file.close_on_exec = true
      new(file)
    end

    def initialize(file)
      @file = file
    end

    # One event.
    def write(message)
      message = message.to_s.b
      at = 0
      loop do
        frame(message.byteslice(at, MESSAGE_MAX))
        at += MESSAGE_MAX
        return message.bytesize if at >= message.bytesize
      end
    end

    def reopen(*)
      self
    end

    def flush
      self
    end

    def close; end

    private

    # With one write, so that other threads cannot write in between.
    def frame(message)
      micros = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)
      @file.write([FRAME_TYPE, message.bytesize, micros].pack('L>L>Q>') << message)
    end
  end
end
