# frozen_string_literal: true

# RubyGems, loaded on demand: it takes twice as long to load as everything else in a small
# function. It is loaded if the function or a layer has gems, if a file is not found without it,
# or if code names it.
module Lambent
  module Gems
    module_function

    def provide
      return if defined?(Gem)

      # The gems of the Ruby itself are found without it, or on demand.
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
      # RubyGems will replace these methods with its own, and call the first.
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
