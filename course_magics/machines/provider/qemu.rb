# Vagrant's provider `qemu`: machines from the box course/debian12, unprivileged, with or without
# hardware virtualization. A plain file for `require`, no gem: it comes with a Python package.
require "vagrant"

module CourseQemu
  # The faults a reader can meet, each with what to do. Vagrant fills only translated messages in.
  class Fault < Vagrant::Errors::VagrantError
    def initialize(facts = {})
      @facts = facts
      super
    end

    def error_message
      format(self.class::WORDS, @facts).strip
    end
  end

  class Missing < Fault
    WORDS = "The provider 'qemu' needs %{program}, which is not installed.\n" \
            "On Debian or Ubuntu: sudo apt-get install qemu-system-x86 qemu-utils".freeze
  end

  class NotACourseBox < Fault
    WORDS = "The box '%{box}' holds no guest that the provider 'qemu' can start\n" \
            "(guest.json is missing). Use config.vm.box = \"course/debian12\".".freeze
  end

  class TakesKnownKey < Fault
    WORDS = "The box course/debian12 was made by an older version: whoever has the key that Vagrant\n" \
            "publishes could log in to this machine. To get a new one: course-magics guest box, then\n" \
            "vagrant destroy and vagrant up.".freeze
  end

  class Broken < Fault
    WORDS = "%{what}\n%{words}".freeze
  end

  class Plugin < Vagrant.plugin("2")
    name "course QEMU provider"
    description "Runs course/debian12 in QEMU, as an ordinary user."

    # Every other provider that works here goes first: theirs is 5 or more.
    provider(:qemu, priority: 1) do
      require_relative "provider"
      Provider
    end

    config(:qemu, :provider) do
      require_relative "config"
      Config
    end

    provider_capability(:qemu, :forwarded_ports) do
      require_relative "capabilities"
      Capabilities
    end

    provider_capability(:qemu, :snapshot_list) do
      require_relative "capabilities"
      Capabilities
    end
  end
end
