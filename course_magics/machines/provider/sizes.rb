module CourseQemu
  # Memory and CPUs that a Vagrantfile names: for this provider, or else for another one, because
  # most Vagrantfiles were written for VirtualBox or libvirt.
  class Sizes
    attr_reader :memory, :cpus

    def self.of(machine)
      own = machine.provider_config
      memory, cpus = own.memory, own.cpus
      vm = machine.config.vm
      blocks = vm.instance_variable_get(:@__providers) || {} # as Vagrant's own merge reads them
      (vm.__providers - [:qemu]).each do |name|
        blocks[name].to_a.each do |block|
          found = Recorder.new
          # Some blocks talk to programs that are not here: then they say nothing about sizes.
          found.instance_exec { block.call(*[self, Ignored.new].first(block.arity.abs)) } rescue next
          memory ||= found.memory_mb
          cpus ||= found.cpu_count
        end
      end
      new(memory&.to_i, cpus&.to_i)
    end

    def initialize(memory, cpus)
      @memory, @cpus = memory, cpus
    end

    # Takes every setting and forgets it.
    class Ignored < BasicObject
      def method_missing(*) = self
      def respond_to_missing?(*) = true
    end

    # Stands in for another provider's settings.
    class Recorder
      # VirtualBox, libvirt, Parallels: memory; VMware: memory, or its own file's words.
      attr_accessor :memory, :cpus
      attr_writer :memsize

      def vmx
        @vmx ||= {}
      end

      # VirtualBox: v.customize ["modifyvm", :id, "--memory", "1024"]
      def customize(*words)
        words.flatten.each_cons(2) do |name, value|
          @memory = value if name == "--memory"
          @cpus = value if name == "--cpus"
        end
      end

      def memory_mb = number(@memory || @memsize || vmx["memsize"])
      def cpu_count = number(@cpus || vmx["numvcpus"])

      def method_missing(*) = Ignored.new
      def respond_to_missing?(*) = true

      private

      # Hyper-V and others also take what is no plain number; that is theirs.
      def number(value)
        value.to_s.match?(/\A[1-9]\d*\z/) ? value.to_i : nil
      end
    end
  end
end
