module CourseQemu
  # config.vm.provider "qemu" do |q| ... end
  class Config < Vagrant.plugin("2", :config)
    # MiB and number of virtual CPUs; unset means the box's own, which its snapshot needs.
    attr_accessor :memory, :cpus
    # :snapshot starts from the box's pre-booted snapshot where possible, :cold always boots.
    attr_accessor :boot
    # More arguments for QEMU (a cold boot, since a snapshot knows its devices).
    attr_accessor :extra_args

    def initialize
      @memory = @cpus = @boot = @extra_args = UNSET_VALUE
    end

    def finalize!
      @memory = nil if @memory == UNSET_VALUE
      @cpus = nil if @cpus == UNSET_VALUE
      @boot = :snapshot if @boot == UNSET_VALUE
      @extra_args = [] if @extra_args == UNSET_VALUE
    end

    def validate(_machine)
      errors = _detected_errors
      errors << "memory takes MiB, at least 128" if @memory && @memory.to_i < 128
      errors << "cpus takes 1 to 64" if @cpus && !@cpus.to_i.between?(1, 64)
      errors << "boot takes :snapshot or :cold" unless %w[snapshot cold].include?(@boot.to_s)
      { "QEMU provider" => errors }
    end
  end
end
