# frozen_string_literal: true

require 'json'

module Lambent
  # The method a handler string names: `file.method` at the top level of a file, or
  # `file.Module::Class.method` of a class or module.
  class Handler
    def self.load(name)
      file, *names = name.split('.')
      unless [1, 2].include?(names.size)
        raise ArgumentError, "Invalid handler #{name}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD"
      end

      require file
      owner = names.size == 2 ? Object.const_get(names.first) : Object.new
      method = names.last
      # A method at the top level of a file is a private one of every object.
      raise NameError, "undefined method `#{method}' in #{file}" unless owner.respond_to?(method, true)

      new(owner, method)
    end

    def initialize(owner, method)
      @owner = owner
      @method = method
    end

    # The result as JSON.
    def call(event, context)
      @owner.send(@method, event: event, context: context).to_json
    end
  end
end
