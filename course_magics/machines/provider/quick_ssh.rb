require "timeout"

module CourseQemu
  # Fewer round trips over Vagrant's own ssh connection: in emulation each shell takes 0.2 to 0.4 s,
  # and Vagrant starts two more around every command that it runs. Both questions stay, asked for less.
  module QuickSsh
    # Whether the connection lives: asked of sshd itself; Vagrant runs an empty command for that.
    def connect(**opts, &block)
      @connection = nil unless @connection && answers?(@connection)
      return super unless @connection
      block&.call(@connection)
    end

    # Whether the machine can be worked with. That its shell works is proved once; `@inserted_key` is
    # what Vagrant sets right after that proof.
    def ready?
      return super unless @inserted_key
      connect
      true
    rescue Vagrant::Errors::VagrantError
      false
    end

    # Vagrant says that it waits after it has begun to: without a pause its lines come in either order.
    def wait_for_ready(timeout)
      sleep 0.2
      super
    end

    private

    def answers?(connection)
      return false if connection.closed?
      answered = false
      Timeout.timeout(5) do
        connection.send_global_request("keep-alive@openssh.com") { answered = true }
        connection.loop(0.1) { !answered }
      end
      answered
    rescue StandardError # whatever it is: a new connection tells what is wrong
      false
    end
  end
end
