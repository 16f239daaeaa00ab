# frozen_string_literal: true

# The name is AWS's, because functions may replace these methods.
module AwsLambda
  # Converts between the bytes of events and results and a handler's objects.
  class Marshaller
    class << self
      # `request` has a `body`, and headers by `[]`.
      def marshall_request(request)
        return request.body unless request['Content-Type'] == 'application/json'

        JSON.parse(request.body) unless request.body.empty?
      end

      # The body and its content type, which is JSON's if only a body is returned.
      def marshall_response(result)
        case result
        when StringIO, IO then [result, 'application/unknown']
        else result.to_json
        end
      end
    end
  end
end
