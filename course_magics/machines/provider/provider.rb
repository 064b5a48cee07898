require_relative "driver"
require_relative "folders"

module CourseQemu
  # Vagrant's view of the provider: which actions there are, how to log in, which state it is in.
  class Provider < Vagrant.plugin("2", :provider)
    PROGRAMS = %w[qemu-system-x86_64 qemu-img].freeze

    def self.usable?(raise_error = false)
      missing = PROGRAMS.find { |program| !Vagrant::Util::Which.which(program) }
      raise Missing, program: missing if missing && raise_error
      missing.nil?
    end

    def initialize(machine)
      @machine = machine
      @driver = Driver.new(machine)
      Folders.adapt(machine.config.vm.synced_folders)
    end

    attr_reader :driver

    def action(name)
      require_relative "actions"
      Actions.respond_to?(name) ? Actions.public_send(name) : nil
    end

    def ssh_info
      return nil unless @driver.state == :running && @driver.ssh_port
      way = { host: "127.0.0.1", port: @driver.ssh_port }
      # The machine takes its own key; those of the Vagrantfile may have been put in since.
      own = @machine.config.ssh.private_key_path
      way[:private_key_path] = [@driver.key.to_s, *own] if own && @driver.key.file?
      way
    end

    LONG = {
      not_created: "The machine has not been made yet. Run `vagrant up` to make it.",
      running: "The machine is running. `vagrant halt` shuts it down, `vagrant suspend` saves its\n" \
               "memory, `vagrant destroy` removes it.",
      poweroff: "The machine is powered off. `vagrant up` starts it.",
      aborted: "The machine's QEMU was killed, so the machine is off as after pulling its plug.\n" \
               "`vagrant up` boots it again.",
      saved: "The machine is suspended. `vagrant resume` or `vagrant up` goes on with it."
    }.freeze

    def state
      id = @driver.state
      Vagrant::MachineState.new(id, id.to_s.tr("_", " "), LONG.fetch(id))
    end

    def to_s
      "QEMU"
    end
  end
end
