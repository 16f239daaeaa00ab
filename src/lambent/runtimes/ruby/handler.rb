# frozen_string_literal: true

module Lambent
  # The method that a handler string names: `file.method` at the top level of a file, or
  # `file.Module::Class.method` of a class or module. The file is loaded at once; each invocation
  # looks up the rest, as in AWS.
  class Handler
    JSON_TYPE = 'application/json'
    UNKNOWN_TYPE = 'application/unknown'

    def self.load(name)
      file, *names = name.split('.')
      unless [1, 2].include?(names.size)
        raise ArgumentError, "Invalid handler #{name}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD"
      end

      require file
      new(*names)
    end

    def initialize(owner = nil, method)
      @owner = owner
      # A method at the top level of a file is a private one of every object.
      @object = Object.new
      @method = method
    end

    # The body of the response, and its content type.
    def call(event, context)
      owner = @owner ? Object.const_get(@owner) : @object
      result = owner.send(@method, event: event, context: context)
      body, type = AwsLambda::Marshaller.marshall_response(result)
      [(type == UNKNOWN_TYPE ? body.read : body).to_s, type || JSON_TYPE]
    end
  end
end
