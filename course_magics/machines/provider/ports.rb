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

    # The port that QEMU did not get, by its own words; nil where they are about something else.
    # Somebody else may take one between Vagrant's look and QEMU's start.
    def self.lost(words)
      found = words[/host forwarding rule '\w+:[^:']*:(\d+)-/, 1]
      found && found.to_i
    end

    # Give the guest's port another one of this computer's in place of `port`, as Vagrant does where it
    # sees that it is taken. False where the Vagrantfile wants this one or there is no other.
    def self.moved(env, port)
      forwards = env[:machine].config.vm.networks.select { |type, _| type == :forwarded_port }.map(&:last)
      options = forwards.find { |o| o[:host] == port && o[:auto_correct] && !o[:disabled] }
      return false unless options
      used = forwards.map { |o| o[:host] }
      free = env[:machine].config.vm.usable_port_range.find { |n| !used.include?(n) && !taken?(options[:host_ip], n) }
      return false unless free
      env[:ui].info(I18n.t("vagrant.actions.vm.forward_ports.fixed_collision",
                           host_port: port.to_s, guest_port: options[:guest].to_s, new_port: free.to_s))
      options[:host] = free
      true
    end
  end
end
