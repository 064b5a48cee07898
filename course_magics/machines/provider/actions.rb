require "digest"
require "securerandom"
require "shellwords"

require_relative "folders"
require_relative "ports"
require_relative "quick_ssh"
require_relative "sizes"

module CourseQemu
  # What each vagrant command does, as stacks of Vagrant's own middlewares and the few below.
  module Actions
    include Vagrant::Action::Builtin

    def self.stack(&block)
      Vagrant::Action::Builder.new.tap(&block)
    end

    # `made` runs for a machine that exists; without one the reader is told so.
    def self.for_existing
      stack do |b|
        b.use Call, IsState, :not_created do |env, inner|
          env[:result] ? inner.use(Message, "The machine has not been made yet.") : yield(inner)
        end
      end
    end

    def self.up
      stack do |b|
        b.use ConfigValidate
        b.use Call, IsState, :not_created do |env, inner|
          if env[:result]
            inner.use HandleBox
            inner.use Create
          end
        end
        b.use start
      end
    end

    def self.start
      stack do |b|
        b.use Call, IsState, :running do |env, inner|
          if env[:result]
            inner.use running
          else
            inner.use Call, IsState, :saved do |saved, rest|
              rest.use saved[:result] ? go_on : boot
            end
          end
        end
      end
    end

    # A machine whose `up` was interrupted runs, but has no name, network or folders yet.
    def self.running
      stack do |b|
        b.use Call, IsSettled do |env, inner|
          if env[:result]
            inner.use Message, "The machine is running already."
            inner.use Quick
            inner.use Provision if env[:provision_enabled]
          else
            inner.use Message, "The machine runs, but its start was interrupted: doing the rest."
            inner.use LetIn
            inner.use furnish
            inner.use WaitForCommunicator, [:running]
          end
        end
      end
    end

    # What a started machine gets; the part behind it starts it.
    def self.furnish
      stack do |b|
        b.use Quick
        b.use Provision
        b.use Foreign
        b.use SyncedFolderCleanup
        b.use SyncedFolders
        b.use Settled
        b.use Hostname
        b.use Networks
      end
    end

    def self.boot
      stack do |b|
        b.use EnvSet, port_collision_repair: true, port_collision_port_check: Ports.method(:taken?)
        b.use HandleForwardedPortCollisions
        b.use furnish
        b.use Start
        b.use WaitForCommunicator, [:running]
      end
    end

    # A suspended machine has its name, network and folders still.
    def self.go_on
      stack do |b|
        b.use EnvSet, port_collision_repair: true, port_collision_port_check: Ports.method(:taken?)
        b.use HandleForwardedPortCollisions
        b.use Quick
        b.use Provision
        b.use Settled
        b.use Start
        b.use WaitForCommunicator, [:running]
      end
    end

    def self.halt
      for_existing do |b|
        b.use Quick
        b.use Call, IsState, :saved do |env, inner|
          inner.use Do, "Discarding saved state of VM...", :discard_suspension if env[:result]
        end
        b.use Call, IsState, :running do |env, inner|
          if env[:result]
            inner.use GoingOff
            inner.use Call, GracefulHalt, :poweroff, :running do |graceful, forced|
              forced.use Do, "Forcing shutdown of the machine...", :stop unless graceful[:result]
            end
          end
        end
      end
    end

    def self.reload
      for_existing do |b|
        b.use ConfigValidate
        b.use halt
        b.use start
      end
    end

    def self.suspend
      for_existing do |b|
        b.use Call, IsState, :running do |env, inner|
          inner.use Do, "Saving the machine's memory and stopping it...", :suspend if env[:result]
        end
      end
    end

    def self.resume
      for_existing do |b|
        b.use Call, IsState, :saved do |env, inner|
          env[:result] ? inner.use(go_on) : inner.use(Message, "The machine is not suspended.")
        end
      end
    end

    def self.destroy
      stack do |b|
        b.use Call, IsStarted do |begun, outer|
          unless begun[:result]
            outer.use Message, "The machine has not been made yet."
            next
          end
          outer.use Call, DestroyConfirm do |env, inner|
            if env[:result]
              inner.use ConfigValidate
              inner.use ProvisionerCleanup, :before
              inner.use Destroy
            else
              inner.use Message, "The machine stays, because the question was not answered with yes."
            end
          end
        end
      end
    end

    def self.provision
      for_existing do |b|
        b.use ConfigValidate
        b.use OnlyRunning
        b.use Quick
        b.use Provision
      end
    end

    def self.ssh
      stack do |b|
        b.use OnlyRunning
        b.use SSHExec
      end
    end

    def self.ssh_run
      stack do |b|
        b.use OnlyRunning
        b.use SSHRun
      end
    end

    def self.snapshot_save
      for_existing { |b| b.use SnapshotSave }
    end

    def self.snapshot_delete
      for_existing { |b| b.use SnapshotDelete }
    end

    def self.snapshot_restore
      for_existing do |b|
        b.use SnapshotRestore
        b.use Call, IsEnvSet, :snapshot_delete do |env, inner|
          inner.use SnapshotDelete if env[:result]
        end
      end
    end

    # ---------------------------------------------------------------------------- middlewares

    # What the middlewares share: the machine, its driver, and a word to the reader.
    class Middleware
      def initialize(app, _env)
        @app = app
      end

      def driver(env)
        env[:machine].provider.driver
      end
    end

    # Says a sentence.
    class Message < Middleware
      def initialize(app, env, words)
        super(app, env)
        @words = words
      end

      def call(env)
        env[:ui].info(@words)
        @app.call(env)
      end
    end

    # Says a sentence and calls one of the driver's methods.
    class Do < Middleware
      def initialize(app, env, words, what)
        super(app, env)
        @words, @what = words, what
      end

      def call(env)
        env[:ui].info(@words)
        driver(env).public_send(@what)
        @app.call(env)
      end
    end

    # A machine whose QEMU is killed while it shuts down is off, too: Vagrant would wait for a better end.
    class GoingOff < Middleware
      def call(env)
        driver(env).going_off { @app.call(env) }
      end
    end

    # For Call: whether `up` got to the end of its work since the last start.
    class IsSettled < Middleware
      def call(env)
        env[:result] = driver(env).settled?
        @app.call(env)
      end
    end

    # For Call: whether there is anything to remove, even half a machine without a disk.
    class IsStarted < Middleware
      def call(env)
        env[:result] = !env[:machine].id.nil?
        @app.call(env)
      end
    end

    class Settled < Middleware
      def call(env)
        @app.call(env)
        driver(env).settled!
      end
    end

    # The interruption may have come before the machine was told its key.
    class LetIn < Middleware
      def call(env)
        driver(env).let_in
        @app.call(env)
      end
    end

    class Quick < Middleware
      def call(env)
        ssh = env[:machine].communicate
        ssh.extend(QuickSsh) if ssh.is_a?(VagrantPlugins::CommunicatorSSH::Communicator)
        @app.call(env)
      end
    end

    # Fails as Vagrant does where a running machine is needed.
    class OnlyRunning < Middleware
      def call(env)
        state = env[:machine].state.id
        raise Vagrant::Errors::VMNotCreatedError if state == :not_created
        raise Vagrant::Errors::VMNotRunningError unless state == :running
        @app.call(env)
      end
    end

    # Gives the machine an id first, so that `destroy` finds whatever comes after.
    class Create < Middleware
      def call(env)
        machine = env[:machine]
        folder = machine.box.directory
        unless folder.join("guest.json").file?
          raise NotACourseBox, box: machine.box.name
        end
        env[:ui].info("Making a machine from the box '#{machine.box.name}'...")
        machine.id = SecureRandom.uuid
        driver(env).create(folder)
        @app.call(env)
      end
    end

    # Says what a Vagrantfile for another provider gets otherwise than it asks.
    class Foreign < Middleware
      def call(env)
        vm = env[:machine].config.vm
        Folders.adapted(vm.synced_folders).each do |place, type|
          env[:ui].warn("#{place}: copied from the host by rsync, as this provider has no '#{type}' folders.")
        end
        if vm.networks.any? { |type, _| type == :public_network }
          env[:ui].warn("public_network is left out: joining the host's network would need root.")
        end
        @app.call(env)
      end
    end

    # Starts QEMU: from the suspended state, from the box's snapshot, or by a boot.
    class Start < Middleware
      def call(env)
        machine = env[:machine]
        config = machine.provider_config
        from = config.boot.to_s == "snapshot" ? :snapshot : nil
        from = driver(env).suspension if driver(env).suspended?
        from = env[:start_from] if env[:start_from]
        env[:ui].info(words(from))
        report(env, forwarded(env))
        sizes = Sizes.of(machine)
        tries = 0
        begin
          driver(env).start(ports: forwarded(env), memory: sizes.memory, cpus: sizes.cpus,
                            extra: config.extra_args, from: from, network: Networks.common(machine))
        rescue Broken => error
          lost = Ports.lost(error.message)
          raise unless lost && (tries += 1) < 20 && Ports.moved(env, lost)
          retry
        end
        driver(env).delete(Driver::SUSPENDED) if from == Driver::SUSPENDED
        driver(env).await_ssh(machine.config.vm.boot_timeout) { env[:interrupted] }
        @app.call(env)
      end

      def words(from)
        return "Going on with the suspended machine..." if from == Driver::SUSPENDED
        return "Restoring the snapshot '#{from}'..." if from.is_a?(String)
        "Booting VM..."
      end

      def forwarded(env)
        env[:machine].config.vm.networks.select { |type, _| type == :forwarded_port }
                     .map(&:last).reject { |o| o[:disabled] }.map do |o|
          { "id" => o[:id], "guest" => o[:guest], "host" => o[:host],
            "protocol" => (o[:protocol] || "tcp").to_s, "host_ip" => o[:host_ip].to_s.empty? ? "127.0.0.1" : o[:host_ip] }
        end
      end

      def report(env, ports)
        env[:ui].output("Forwarding ports...") if ports.any?
        ports.each { |p| env[:ui].detail("#{p["guest"]} (guest) => #{p["host"]} (host)") }
      end
    end

    # The host name in one command. Vagrant's own way asks what manages the network and restarts the
    # interfaces: right for any Linux, but 10 s and more in emulation, and our guest is known.
    class Hostname < Middleware
      def call(env)
        @app.call(env)
        name = env[:machine].config.vm.hostname
        return if name.nil?
        env[:ui].info("Setting hostname...")
        short = name.split(".").first
        line = Shellwords.escape("127.0.1.1 #{[name, short].uniq.join(" ")}")
        short = Shellwords.escape(short)
        env[:machine].communicate.sudo(<<~SCRIPT)
          [ "$(cat /etc/hostname)" = #{short} ] && [ "$(hostname)" = #{short} ] && exit 0
          sed -i '/^127.0.1.1[[:space:]]/d' /etc/hosts
          echo #{line} >> /etc/hosts
          echo #{short} > /etc/hostname
          hostname #{short}
        SCRIPT
      end
    end

    # private_network: a second card of all machines of one Vagrantfile, joined by a switch on unix
    # sockets (hub.rb), which needs no root and lets no other user listen.
    class Networks < Middleware
      def self.private(machine)
        machine.config.vm.networks.select { |type, _| type == :private_network }.map(&:last)
      end

      # What the machines of one Vagrantfile have in common; nil for one without a private network.
      def self.common(machine)
        return nil if private(machine).empty?
        "net-#{Digest::SHA256.hexdigest(machine.env.root_path.to_s)[0, 12]}"
      end

      def call(env)
        @app.call(env)
        machine = env[:machine]
        wanted = Networks.private(machine)
        return if wanted.empty?
        env[:ui].info("Configuring the private network...")
        env[:ui].warn("This provider has one private network; the first is taken.") if wanted.size > 1
        # In one command, as the host name: Vagrant's own way takes 9 s and more here.
        machine.communicate.sudo(<<~SCRIPT)
          ifdown --force eth1 2>/dev/null
          sed -i '/^#VAGRANT-BEGIN/,/^#VAGRANT-END/d' /etc/network/interfaces
          cat >> /etc/network/interfaces <<'END'
          #VAGRANT-BEGIN
          auto eth1
          iface eth1 inet static
            address #{plain(address(machine, wanted.first))}
            netmask #{plain(wanted.first[:netmask] || "255.255.255.0")}
            hwaddress #{driver(env).mac}
          #VAGRANT-END
          END
          ifup eth1
        SCRIPT
      end

      # It stands in a file of the guest's, where a line break would begin another setting.
      def plain(text)
        return text if text.to_s.match?(/\A[0-9a-fA-F.:\/]+\z/)
        raise Broken, what: "The private network has no such address: #{text}", words: ""
      end

      # type: "dhcp": nobody gives out addresses there, so each machine has a fixed one from the
      # range that VirtualBox's DHCP server uses.
      def address(machine, network)
        network[:ip] || "192.168.56.#{101 + machine.env.machine_names.index(machine.name).to_i}"
      end
    end

    class Destroy < Middleware
      def call(env)
        env[:ui].info("Removing the machine and its disk...")
        driver(env).remove
        env[:machine].id = nil
        @app.call(env)
      end
    end

    class SnapshotSave < Middleware
      def call(env)
        name = env[:snapshot_name]
        unless name.match?(/\A[A-Za-z0-9][\w.-]*\z/)
          raise Broken, what: "A snapshot's name has letters, digits, _ . and -, not '#{name}'.", words: ""
        end
        env[:ui].info("Saving the snapshot '#{name}'...")
        driver(env).save(name)
        env[:ui].success("Snapshot saved.")
        @app.call(env)
      end
    end

    class SnapshotDelete < Middleware
      def call(env)
        env[:ui].info("Deleting the snapshot '#{env[:snapshot_name]}'...")
        driver(env).delete(env[:snapshot_name])
        @app.call(env)
      end
    end

    # A snapshot of a running machine goes on where it was saved; one of a machine that was off
    # brings back the disk, and the machine boots.
    class SnapshotRestore < Middleware
      def call(env)
        name = env[:snapshot_name]
        driver(env).stop
        driver(env).discard_suspension if driver(env).suspended?
        if driver(env).live?(name)
          env[:start_from] = name
        else
          env[:ui].info("Restoring the snapshot '#{name}'...")
          driver(env).revert_disk(name)
        end
        if !env[:snapshot_start]
          # As Vagrant's other providers have it: the machine waits for `up` or `resume`.
          driver(env).suspended_as(name) if env.delete(:start_from)
        else
          env[:machine].action_raw(:start_again, Actions.boot, env.slice(:start_from, :provision_ignore_sentinel, :provision_enabled))
        end
        @app.call(env)
      end
    end
  end
end
