require "socket"

module CourseQemu
  # Ports of this computer.
  module Ports
    # Whether something has the port, by trying to take it, as QEMU will. Vagrant tries to connect: a
    # port whose owner does not answer (a program that is stopped, a full queue) would pass for free.
    def self.taken?(address, port)
      TCPServer.new(address.to_s.empty? ? "127.0.0.1" : address, port).close
      false
    rescue Errno::EADDRINUSE
      true
    rescue SystemCallError # no such address, no right to it: QEMU says so
      false
    end
  end
end
