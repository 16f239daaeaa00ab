# frozen_string_literal: true

require 'json'
require 'socket'

module Lambent
  # An event as received; `[]` returns a header, whatever the case of its name.
  Event = Struct.new(:headers, :body) do
    def [](name)
      headers[name.to_s.downcase]
    end
  end

  # Client of the Lambda Runtime API: one persistent connection, one request at a time. A connection
  # that the other side is about to close, as after a body that is too large, is replaced. Net::HTTP
  # would take longer to load than everything else here.
  class RuntimeApi
    ROOT = '/2018-06-01/runtime'
    USER_AGENT = "aws-lambda-ruby/#{RUBY_VERSION}"

    def initialize(address)
      @address = address
      connect
    end

    # Waits for an event. Header names are in lower case.
    def next
      request('GET', '/invocation/next')
    end

    def respond(event, body, type)
      request('POST', "#{path(event)}/response", body, attempt(event).merge('Content-Type' => type))
    end

    # Reports a failed invocation; `type` is the type of the error for the platform.
    def fail(event, document, type)
      report("#{path(event)}/error", document, attempt(event), type)
    end

    # Reports that the function could not be loaded.
    def fail_init(document, type)
      report('/init/error', document, {}, type)
    end

    private

    def connect
      host, _, port = @address.rpartition(':')
      @socket = TCPSocket.new(host, port.to_i)
      @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      # Programs that a handler starts do not inherit it.
      @socket.close_on_exec = true
    end

    def report(where, document, headers, type)
      request('POST', where, JSON.generate(document), headers.merge('Lambda-Runtime-Function-Error-Type' => type))
    end

    def path(event)
      "/invocation/#{event['Lambda-Runtime-Aws-Request-Id']}"
    end

    def attempt(event)
      id = event['Lambda-Runtime-Invocation-Id']
      id ? { 'Lambda-Runtime-Invocation-Id' => id } : {}
    end

    def request(method, where, body = nil, headers = {})
      lines = ["#{method} #{ROOT}#{where} HTTP/1.1", "Host: #{@address}", "User-Agent: #{USER_AGENT}"]
      headers = { 'Content-Type' => 'application/json', 'Content-Length' => body.bytesize, **headers } if body
      headers.each { |name, value| lines << "#{name}: #{value}" }
      @socket.write("#{lines.join("\r\n")}\r\n\r\n", body.to_s)
      status, event = answer
      if event['Connection'].to_s.casecmp?('close')
        @socket.close
        connect
      end
      # The platform has already reported a response that is too large to the caller.
      return event if [200, 202, 413].include?(status)

      raise "#{method} #{where} was answered #{status}: #{event.body}"
    end

    def answer
      status = line.split(' ', 3)[1].to_i
      headers = {}
      while (header = line) != ''
        name, value = header.split(':', 2)
        headers[name.downcase] = value.strip
      end
      body = @socket.read(headers.fetch('content-length', 0).to_i)
      [status, Event.new(headers, body.force_encoding('UTF-8'))]
    end

    def line
      text = @socket.gets("\r\n") or raise 'the Runtime API closed the connection'
      text.force_encoding('UTF-8').chomp("\r\n")
    end
  end
end
