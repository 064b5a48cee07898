require "etc"
require "fileutils"
require "io/wait"
require "json"
require "open3"
require "shellwords"
require "socket"
require "tmpdir"

require_relative "agent"
require_relative "allowed"
require_relative "hub"
require_relative "patience"
require_relative "ports"

module CourseQemu
  # One machine's files and its QEMU process. Knows nothing of Vagrant's actions.
  #
  # In the machine's folder: hard links to the box's files (an overlay needs its base unchanged, and
  # a new version of the box replaces it), machine.qcow2 (the machine's own disk), machine.json (what
  # it was made with), ports.json, pid, console.log, qemu.log, private_key and public_key.
  class Driver
    SUSPENDED = "vagrant-suspended".freeze

    def initialize(machine)
      @machine = machine
      @folder = machine.data_dir
    end

    # --- what it is -------------------------------------------------------------------------

    def state
      return :not_created unless @machine.id && disk.file?
      return :running if pid
      return :saved if suspended?
      # QEMU takes its pid file away when it ends by itself; only a killed one leaves it.
      path("pid").file? && !@going_off ? :aborted : :poweroff
    end

    # While the block runs, a machine that ends is off, however it ends.
    def going_off
      @going_off = true
      yield
      FileUtils.rm_f(path("pid")) unless pid
    ensure
      @going_off = false
    end

    def suspended?
      path("suspended").file?
    end

    # The pid of our QEMU, or nil. A pid file alone proves nothing: pids are used again.
    def pid
      number = path("pid").read.to_i
      number.positive? && ours?(number) ? number : nil
    rescue Errno::ENOENT
      nil
    end

    def ports
      JSON.parse(path("ports.json").read)
    rescue Errno::ENOENT
      []
    end

    # The hardware address of the private network's card: one per machine, though all come from one
    # image and have the same until this is set.
    def mac
      format("52:54:01:%02x:%02x:%02x", *@machine.id.delete("-").scan(/../).first(3).map(&:hex))
    end

    def ssh_port
      found = ports.find { |port| port["id"] == "ssh" } || ports.find { |port| port["guest"] == 22 }
      found && found["host"]
    end

    # --- making and removing it -------------------------------------------------------------

    def create(box_folder)
      guest = JSON.parse(box_folder.join("guest.json").read)
      odd = Allowed.odd(guest)
      raise Broken, what: "The box asks for something that no guest needs: #{odd}", words: "" if odd
      raise TakesKnownKey unless keyless?(guest)
      FileUtils.mkdir_p(@folder)
      File.chmod(0o700, @folder)
      ["guest.json", *guest["files"].values].each { |name| link(box_folder.join(name), path(name)) }
      keep({})
    end

    def guest
      @guest ||= JSON.parse(path("guest.json").read)
    end

    # Whether the guest lets nobody in before it is told whom. One of format 1 takes the key that
    # Vagrant has published, until `up` has given it another.
    def keyless?(data = guest)
      data["format"].to_i >= 2
    end

    # The machine's own key, where Vagrant looks for the one that it puts into other boxes.
    def key
      path("private_key")
    end

    def remove
      stop
      names = ["guest.json", *(path("guest.json").file? ? guest["files"].values : [])]
      names += %w[machine.qcow2 machine.json ports.json pid suspended settled console.log qemu.log
                  private_key public_key let_in]
      names.each { |name| FileUtils.rm_f(path(name)) }
      FileUtils.rm_f([socket, agent_socket])
    end

    # --- running it -------------------------------------------------------------------------

    # Start QEMU and wait until the machine runs. from: :snapshot (the box's pre-booted one), nil
    # (boot), or the name of one of the machine's own snapshots.
    def start(ports:, memory:, cpus:, extra:, from: nil, network: nil)
      File.chmod(0o700, @folder)
      make_key
      write("ports.json", JSON.generate(ports))
      fresh = !disk.file?
      from = nil if from == :snapshot && !(fresh && snapshot_fits?(memory, cpus, extra))
      overlay(from == :snapshot ? guest["files"]["ready_disk"] : guest["files"]["disk"]) if fresh
      settings = { "memory" => memory, "cpus" => cpus, "extra" => extra, "kvm" => kvm? }
      # A snapshot goes on only in the hardware it was saved in.
      settings = known["snapshots"].fetch(from, {}) if from.is_a?(String)
      keep(known.merge("now" => settings))
      FileUtils.rm_f(path("settled"))
      FileUtils.rm_f(path("let_in")) if from == :snapshot
      begin
        launch(settings, ports, from, network)
      rescue Broken => error
        if Ports.lost(error.message)
          FileUtils.rm_f(disk) if fresh # the next try is the first one again
          raise
        end
        # Another version of QEMU may refuse the box's snapshot: then it boots.
        raise unless from == :snapshot
        FileUtils.rm_f(disk)
        overlay(guest["files"]["disk"])
        launch(settings, ports, from = nil, network)
      end
      # A boot reads the key on the kernel's command line; one's own snapshots have it already.
      path("let_in").write("") unless from == :snapshot
      let_in
      FileUtils.rm_f(path("suspended"))
    end

    # Tell a machine from the box's snapshot, which lets nobody in, the machine's own key.
    def let_in
      return if path("let_in").file? || !keyless?
      Agent.open(agent_socket, method(:moved)) do |agent|
        agent.let_in(guest["ssh_user"], path("public_key").read)
      end
      path("let_in").write("")
    end

    # Wait until sshd greets, as long as the machine gets on. Vagrant's own first connection would
    # come too early, and what it sends before the guest can answer is repeated by QEMU with growing
    # pauses: 5 s and more. The block says whether the reader has interrupted.
    def await_ssh(seconds)
      Patience.until(method(:moved), seconds: [seconds, Patience.usual].min) { !pid || yield || greeted? }
    end

    # Whether everything that `up` does before provisioning has been done since the last start.
    def settled?
      path("settled").file?
    end

    def settled!
      path("settled").write("")
    end

    # Kill it now, if it runs.
    def stop
      number = pid || stray
      begin
        Process.kill("KILL", number) if number
        Patience.until { !ours?(number) } if number
      rescue Errno::ESRCH
        nil
      end
      FileUtils.rm_f(path("pid"))
    end

    def suspend
      save(SUSPENDED)
      suspended_as(SUSPENDED)
      stop
    end

    # The snapshot that a suspended machine goes on from.
    def suspended_as(name)
      path("suspended").write(name)
    end

    def suspension
      path("suspended").read
    end

    # Forget the saved memory: the machine is off then, as after pulling its plug.
    def discard_suspension
      delete(SUSPENDED) if suspension == SUSPENDED
      FileUtils.rm_f(path("suspended"))
    end

    # --- snapshots --------------------------------------------------------------------------

    def snapshots
      return [] unless disk.file?
      images["snapshots"].to_a.map { |s| s["name"] }.reject { |name| name == SUSPENDED }
    end

    # With the memory of a running machine, of the disk alone otherwise.
    def save(name)
      return qemu_img("snapshot", "-c", name, disk.to_s) unless pid
      monitor("savevm #{name}")
      keep(known.merge("snapshots" => known["snapshots"].merge(name => known["now"])))
    end

    def delete(name)
      return monitor("delvm #{name}") if pid
      qemu_img("snapshot", "-d", name, disk.to_s)
    end

    # Whether a snapshot holds the memory of a running machine.
    def live?(name)
      found = images["snapshots"].to_a.find { |s| s["name"] == name }
      found && found["vm-state-size"].to_i.positive?
    end

    def revert_disk(name)
      qemu_img("snapshot", "-a", name, disk.to_s)
    end

    private

    def path(name)
      @folder.join(name)
    end

    def disk
      path("machine.qcow2")
    end

    # A unix socket's path has at most 107 characters, and a project may lie deep.
    def socket
      # Not XDG_RUNTIME_DIR: it differs between a terminal and a notebook server, and goes at logout.
      # Anybody may have made a folder of that name: then it is another one, which is written down.
      usual = "/tmp/course-magics-#{Process.uid}"
      record = path("sockets")
      folder = ([record.file? ? record.read.strip : nil, usual].compact).find { |f| private?(f) }
      unless folder
        folder = Dir.mktmpdir("#{File.basename(usual)}-", "/tmp")
        record.write(folder)
      end
      File.join(folder, "#{name}.qmp")
    end

    def private?(folder)
      Dir.mkdir(folder, 0o700) unless File.symlink?(folder) || File.exist?(folder)
      about = File.lstat(folder)
      about.directory? && about.owned? && (about.mode & 0o077).zero?
    rescue SystemCallError
      false
    end

    def agent_socket
      socket.sub(/\.qmp\z/, ".agent")
    end

    # A key for this machine alone, before it runs: no key that others know ever opens it.
    def make_key
      raise TakesKnownKey unless keyless? || key.file?
      return if key.file?
      _public, private_half, line = Vagrant::Util::Keypair.create
      write("public_key", line)
      write("private_key", private_half)
    end

    # All or nothing, and for this user alone.
    def write(name, text)
      draft = path(".#{name}.#{Process.pid}")
      File.open(draft, File::WRONLY | File::CREAT | File::TRUNC, 0o600) do |file|
        file.write(text)
        file.fsync
      end
      File.rename(draft, path(name))
    end

    # Changes while the machine gets on: it prints, writes or computes. At rest it takes hardly any
    # processor time.
    def moved
      [path("console.log"), disk].map { |file| file.size? } << spent / 5
    end

    # Processor time that QEMU has used so far, seconds.
    def spent
      number = path("pid").read.to_i
      if File.directory?("/proc/self")
        File.read("/proc/#{number}/stat").rpartition(")").last.split[11, 2].sum(&:to_i) / Etc.sysconf(Etc::SC_CLK_TCK)
      else
        `ps -p #{number} -o time=`.scan(/\d+/).first(3).inject(0) { |sum, part| sum * 60 + part.to_i }
      end
    rescue SystemCallError
      0
    end

    def name
      "course-#{@machine.id.delete("-")[0, 12]}"
    end

    # Whether process `number` is this machine's QEMU.
    def ours?(number)
      words = if File.directory?("/proc/self")
                File.read("/proc/#{number}/cmdline").split("\0")
              else
                `ps -p #{number} -o args=`.split
              end
      words.first.to_s.include?("qemu") && words.include?(name)
    rescue Errno::ENOENT, Errno::ESRCH
      false
    end

    # Our QEMU without its pid file: an interrupt may come between its start and the writing.
    def stray
      Dir.glob("/proc/[0-9]*").map { |p| File.basename(p).to_i }.find { |n| ours?(n) }
    end

    def link(source, target)
      FileUtils.rm_f(target)
      FileUtils.ln(source, target)
    rescue SystemCallError # another file system
      FileUtils.cp(source, target)
    end

    def overlay(base)
      qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, disk.to_s)
    end

    # The hardware of the last start and of each snapshot with memory.
    def known
      { "now" => {}, "snapshots" => {} }.merge(JSON.parse(path("machine.json").read))
    end

    def keep(known)
      write("machine.json", JSON.generate(known))
    end

    def kvm?
      ENV["COURSE_KVM"] == "1"
    end

    def snapshot_fits?(memory, cpus, extra)
      guest["snapshot"] && !kvm? && extra.empty? &&
        [nil, guest["memory_mb"]].include?(memory) && [nil, guest["cpus"]].include?(cpus)
    end

    # network: the name of the private network, nil without one.
    def launch(settings, ports, from, network)
      return run_qemu(settings, ports, from, "hubport,id=net1,hubid=1") unless network
      Hub.joined(File.join(File.dirname(socket), network), name) { |way| run_qemu(settings, ports, from, way) }
    end

    def run_qemu(settings, ports, from, network)
      FileUtils.rm_f([socket, agent_socket])
      # close_others: Vagrant's own locks and pipes must not live on in QEMU.
      number = Process.spawn(*command(settings, ports, from, network), in: File::NULL,
                             out: path("qemu.log").to_s, err: %i[child out], pgroup: true,
                             chdir: @folder.to_s, close_others: true)
      path("pid").write(number.to_s)
      watcher = Process.detach(number)
      ready = Patience.until(method(:moved)) { !watcher.alive? || running? }
      return if ready && watcher.alive?
      words = path("qemu.log").read.strip
      stop
      raise Broken, what: "QEMU could not start the machine.", words: words
    end

    def command(settings, ports, from, network)
      data = guest
      append = data["append"]
      if keyless? # read at a boot, and at each reboot from inside
        append += " course.key=#{path("public_key").read.split.first(2).join(",")}"
      end
      forwards = ports.map do |p|
        "hostfwd=#{p["protocol"]}:#{p["host_ip"]}:#{p["host"]}-:#{p["guest"]}"
      end
      words = ["qemu-system-x86_64", "-name", name, "-pidfile", "pid", "-machine", data["machine"],
               "-accel", settings["kvm"] ? "kvm" : data["accel"],
               "-cpu", settings["kvm"] ? "host" : data["cpu_model"],
               "-m", (settings["memory"] || data["memory_mb"]).to_s,
               "-smp", (settings["cpus"] || data["cpus"]).to_s,
               *data["machine_args"],
               "-kernel", data["files"]["kernel"], "-initrd", data["files"]["initrd"],
               "-append", append,
               "-drive", "if=none,id=disk0,file=machine.qcow2,format=qcow2,discard=unmap",
               "-netdev", ["user,id=net0", *forwards].join(","),
               "-netdev", network,
               "-chardev", "file,id=serial0,path=console.log",
               "-chardev", "socket,id=agent0,path=#{agent_socket},server=on,wait=off",
               "-qmp", "unix:#{socket},server=on,wait=off", *settings["extra"].to_a]
      words += ["-incoming", "exec:cat #{Shellwords.escape(data["files"]["ready_state"])}"] if from == :snapshot
      words += ["-loadvm", from] if from.is_a?(String)
      words
    end

    def greeted?
      socket = Socket.tcp("127.0.0.1", ssh_port, connect_timeout: 1)
      socket.wait_readable(1) && socket.readpartial(4) == "SSH-"
    rescue SystemCallError, EOFError
      sleep 0.1
      false
    ensure
      socket&.close
    end

    def running?
      answer = qmp("query-status")
      answer && answer["status"] == "running"
    rescue SystemCallError, EOFError, IOError
      false
    end

    # One command on QEMU's own control socket.
    def qmp(execute, arguments = {})
      UNIXSocket.open(socket) do |io|
        io.gets
        [{ execute: "qmp_capabilities" }, { execute: execute, arguments: arguments }].map do |call|
          io.puts(JSON.generate(call))
          answer = JSON.parse(io.readline) until answer && (answer["return"] || answer["error"])
          raise Broken, what: "QEMU refused #{execute}.", words: answer["error"]["desc"] if answer["error"]
          answer["return"]
        end.last
      end
    end

    def monitor(line)
      words = qmp("human-monitor-command", "command-line" => line).to_s.strip
      raise Broken, what: "QEMU refused #{line}.", words: words unless words.empty?
    end

    def qemu_img(*words)
      out, status = Open3.capture2e("qemu-img", *words, chdir: @folder.to_s)
      raise Broken, what: "qemu-img #{words.first} failed.", words: out unless status.success?
      out
    end

    def images
      JSON.parse(qemu_img("info", "-U", "--output=json", disk.to_s))
    end
  end
end
