require "json"
require "securerandom"
require "socket"

require_relative "patience"

module CourseQemu
  # The guest agent, through the unix socket that QEMU makes for it in a folder of the user's own.
  # https://www.qemu.org/docs/master/interop/qemu-ga-ref.html
  class Agent
    # sign: a proc that tells how far the machine is, asked while an answer is waited for.
    def self.open(path, sign)
      io = UNIXSocket.new(path)
      yield new(io, sign)
    rescue SystemCallError, EOFError => error
      raise Broken, what: "The machine's guest agent cannot be reached.", words: error.message
    ensure
      io&.close
    end

    def initialize(io, sign)
      @io, @sign, @rest = io, sign, +""
      # What an earlier connection has left unread comes before the answer to this.
      number = SecureRandom.random_number(1 << 31)
      send_it("guest-sync", id: number)
      nil until read["return"] == number
    end

    # Have sshd take this public key for `user`, and no other; proved by asking for it again.
    def let_in(user, key)
      key = key.split.first(2).join(" ")
      # Not guest-ssh-add-authorized-keys: its last line has no end, and takes in the next one.
      file = ask("guest-file-open", path: "/home/#{user}/.ssh/authorized_keys", mode: "w")
      ask("guest-file-write", handle: file, "buf-b64": ["#{key}\n"].pack("m0"))
      ask("guest-file-close", handle: file)
      found = ask("guest-ssh-get-authorized-keys", username: user)["keys"].reject(&:empty?)
      raise Broken, what: "The machine did not take its key.", words: found.join("\n") if found != [key]
    end

    private

    def ask(name, **arguments)
      send_it(name, **arguments)
      answer = read
      return answer["return"] unless answer["error"]
      raise Broken, what: "The machine's guest agent refused #{name}.", words: answer["error"]["desc"].to_s
    end

    def send_it(name, **arguments)
      @io.write(JSON.generate(execute: name, arguments: arguments) << "\n")
    end

    def read
      patience = Patience.new
      until @rest.include?("\n")
        data = @io.read_nonblock(65_536, exception: false)
        raise EOFError, "QEMU has ended" if data.nil?
        if data == :wait_readable
          patience.saw(@sign.call) unless @io.wait_readable(0.5)
          raise Broken, what: "The machine's guest agent does not answer.", words: "" if patience.over?
        else
          @rest << data
        end
      end
      line, _, @rest = @rest.partition("\n")
      answer = JSON.parse(line.delete("\xFF".b))
      answer.is_a?(Hash) ? answer : {}
    rescue JSON::ParserError, EncodingError
      {} # the end of an answer that nobody has read
    end
  end
end
