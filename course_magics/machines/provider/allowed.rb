module CourseQemu
  # What a box's guest.json may say: it reaches QEMU's command line, and boxes come from anywhere.
  # The same list is in guest/allowed.py; a test compares what both let through.
  module Allowed
    PROPERTY = /[a-z][a-z0-9_-]*=[A-Za-z0-9_.:+-]*/
    DEVICE = /(virtio-(blk|net|balloon|rng|serial|scsi)-pci|virtserialport|isa-serial)(,#{PROPERTY})*/
    # Each switch of machine_args, and what may follow it.
    SWITCHES = {
      "-nodefaults" => nil,
      "-no-user-config" => nil,
      "-no-reboot" => nil,
      "-display" => /none/,
      "-rtc" => /base=(utc|localtime)(,clock=(host|rt|vm))?/,
      "-device" => DEVICE,
      "-object" => %r{rng-random,id=[a-z0-9]+,filename=/dev/u?random}
    }.freeze
    FIELDS = {
      "machine" => /(pc|q35|pc-(i440fx|q35)-[0-9.]+)(,(usb|vmport|hpet|acpi)=(on|off))*/,
      "accel" => /(tcg|kvm)(,(thread=(multi|single)|tb-size=[0-9]+))*/,
      "cpu_model" => /[A-Za-z0-9][A-Za-z0-9_.-]*(,[+-]?[a-z0-9_.-]+(=[a-z0-9]+)?)*/,
      "append" => %r{[A-Za-z0-9_.,=:/@ -]*},
      "ssh_user" => /[a-z_][a-z0-9_-]*/
    }.freeze
    NAME = /[A-Za-z0-9][A-Za-z0-9_.-]*/
    NUMBERS = { "memory_mb" => 64..(1 << 20), "cpus" => 1..64 }.freeze

    # The first thing in `data` that no guest needs, as words; nil where there is none.
    def self.odd(data)
      FIELDS.each { |what, pattern| return "#{what} #{data[what]}" unless data[what].to_s.empty? || fits?(pattern, data[what]) }
      NUMBERS.each { |what, range| return "#{what} #{data[what]}" unless range.cover?(data.fetch(what, range.begin)) }
      return "files" unless data["files"].is_a?(Hash)
      data["files"].each_value { |name| return "files #{name}" unless fits?(NAME, name) }
      words = Array(data["machine_args"]).dup
      until words.empty?
        word = words.shift
        return word.to_s unless SWITCHES.key?(word)
        pattern = SWITCHES[word]
        return "#{word} #{words.first}" if pattern && !fits?(pattern, words.shift)
      end
      nil
    end

    def self.fits?(pattern, value)
      value.is_a?(String) && value.match?(/\A(?:#{pattern})\z/)
    end
  end
end
