require_relative "driver"

module CourseQemu
  # What `vagrant port` and `vagrant snapshot list` ask for.
  module Capabilities
    def self.forwarded_ports(machine)
      Driver.new(machine).ports.to_h { |port| [port["host"], port["guest"]] }
    end

    def self.snapshot_list(machine)
      Driver.new(machine).snapshots
    end
  end
end
