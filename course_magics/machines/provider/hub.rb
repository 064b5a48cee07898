# The private network of one Vagrantfile's machines: a switch on unix sockets, which only their owner
# can reach. A process of its own (`ruby hub.rb FOLDER`), because machines come and go in any order;
# it ends when the last one has gone. In the folder: `hub`, and a socket for each machine.
require "fileutils"
require "rbconfig"
require "socket"

require_relative "patience"

module CourseQemu
  module Hub
    # How often it looks whether anybody is left (seconds).
    LOOK = 2
    FRAME = 65_536

    # What QEMU is told, for the machine `name`; the hub runs while the block starts QEMU.
    def self.joined(folder, name)
      Dir.mkdir(folder, 0o700) unless File.directory?(folder)
      File.open(File.join(folder, "lock"), "w", 0o600) do |lock|
        lock.flock(File::LOCK_EX) # it does not end meanwhile
        hub, own = File.join(folder, "hub"), File.join(folder, name)
        begin_in(folder) unless there?(hub)
        FileUtils.rm_f(own)
        yield "dgram,id=net1,local.type=unix,local.path=#{own},remote.type=unix,remote.path=#{hub}"
      end
    end

    def self.begin_in(folder)
      number = Process.spawn(RbConfig.ruby, "--disable-gems", __FILE__, folder, in: File::NULL, out: File::NULL,
                             err: File.join(folder, "hub.log"), pgroup: true, chdir: "/", close_others: true)
      watcher = Process.detach(number)
      begun = Patience.until(-> { watcher.alive? }) { !watcher.alive? || there?(File.join(folder, "hub")) }
      return if begun && watcher.alive?
      raise Broken, what: "The private network could not be made.", words: File.read(File.join(folder, "hub.log"))
    end

    # Whether somebody listens on the socket; a file alone proves nothing.
    def self.there?(path)
      probe = Socket.new(:UNIX, :DGRAM)
      probe.connect(Socket.sockaddr_un(path))
      true
    rescue SystemCallError
      false
    ensure
      probe&.close
    end

    # The switch itself: a frame goes to the machine that its address belongs to, else to all others.
    class Switch
      def initialize(folder)
        @folder, @own = folder, File.join(folder, "hub")
        FileUtils.rm_f(@own)
        @socket = Socket.new(:UNIX, :DGRAM)
        @socket.bind(Socket.sockaddr_un(@own))
        @known = {} # hardware address => socket
      end

      def run
        loop do
          if @socket.wait_readable(LOOK)
            pass_on
            next if (@frames = @frames.to_i + 1) % 10_000 != 0
          end
          return if left.empty? && ended?
        end
      end

      private

      # The machines that are there; the sockets of others are taken away.
      def left
        others = Dir.children(@folder) - %w[hub hub.log lock]
        there, gone = others.map { |name| File.join(@folder, name) }.partition { |path| Hub.there?(path) }
        @known.delete_if { |_, path| gone.include?(path) }
        there
      end

      # Nobody must be about to join: whoever starts a machine holds the lock.
      def ended?
        File.open(File.join(@folder, "lock"), "w", 0o600) do |lock|
          return false unless lock.flock(File::LOCK_EX | File::LOCK_NB) && left.empty?
          FileUtils.rm_f([@own, File.join(@folder, "hub.log")])
        end
        true
      end

      def pass_on
        frame, from = @socket.recvfrom(FRAME)
        from = path_of(from)
        return if frame.bytesize < 12 || File.dirname(from) != @folder
        @known[frame.byteslice(6, 6)] = from
        goal = @known[frame.byteslice(0, 6)]
        (goal ? [goal] : others(from)).each { |path| deliver(frame, path) }
      end

      # Empty for a socket without a name.
      def path_of(address)
        address.unix_path
      rescue SocketError
        ""
      end

      def others(from)
        (Dir.children(@folder) - %w[hub hub.log lock]).map { |name| File.join(@folder, name) } - [from]
      end

      # As on a wire: what a machine does not take at once is lost.
      def deliver(frame, path)
        @socket.send(frame, Socket::MSG_DONTWAIT, Socket.sockaddr_un(path))
      rescue SystemCallError, IO::WaitWritable
        @known.delete_if { |_, known| known == path } unless Hub.there?(path)
      end
    end
  end
end

if $PROGRAM_NAME == __FILE__
  require "io/wait"
  CourseQemu::Hub::Switch.new(ARGV.fetch(0)).run
end
