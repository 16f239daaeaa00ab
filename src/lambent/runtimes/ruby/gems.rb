# frozen_string_literal: true

# RubyGems, loaded when it is wanted: it takes twice as long to load as all the rest of a small
# function. Wanted means that the function or a layer brings gems, that a file is not found without,
# or that somebody names it.
module Lambent
  module Gems
    module_function

    def provide
      return if defined?(Gem)

      # Those of the Ruby itself are found without, or on demand.
      brought = ENV.fetch('GEM_PATH', '').split(':').reject { |path| path.start_with?('/usr/') }
      if brought.any? { |path| Dir.exist?(path) }
        require 'rubygems'
      else
        wait
      end
    end

    def wait
      Object.autoload(:Gem, 'rubygems')
      plain = Kernel.instance_method(:require)
      # RubyGems will put methods of its own in the place of these, and call the first.
      Kernel.define_method(:require) do |path|
        plain.bind(self).call(path)
      rescue LoadError => e
        raise unless Gems.missing? && e.path == path.to_s

        require 'rubygems'
        require path
      end
      Kernel.define_method(:gem) do |*arguments|
        require 'rubygems'
        gem(*arguments)
      end
      Kernel.send(:private, :require, :gem)
    end

    def missing?
      !Object.autoload?(:Gem).nil?
    end
  end
end
