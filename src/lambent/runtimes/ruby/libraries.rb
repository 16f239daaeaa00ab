# frozen_string_literal: true

# Parts of the standard library that are already loaded in AWS. The small ones are loaded; `Net`
# and `URI`, which take longer than everything else in a small function, when code names them.

%w[json logger stringio time].each do |name|
  require name
rescue LoadError
  # Newer versions of Ruby have it as a gem.
  require 'rubygems'
  require name
end

autoload :Net, 'net/http'
autoload :URI, 'uri'

module Kernel
  private

  # Replaced by the library's own.
  def URI(uri)
    Kernel.send(:remove_method, :URI) if Kernel.private_method_defined?(:URI, false)
    require 'uri'
    URI(uri)
  end
end
