module CourseQemu
  # Runs out when nothing has moved for a while: a slow computer is not a fault. As patience.py.
  class Patience
    # What one gap between two looks counts at most: a longer one means that this process stood still.
    GAP = 10.0

    # COURSE_PATIENCE: the setting `patience` of the notebook that runs vagrant.
    def self.usual
      seconds = ENV["COURSE_PATIENCE"].to_i
      seconds.positive? ? seconds : 60
    end

    # Ask the block until it gives something true, which comes back; nil when patience runs out.
    # sign: a proc whose value changes when the thing waited for gets on.
    def self.until(sign = -> {}, seconds: usual, pause: 0.05)
      patience = new(seconds)
      until (found = yield)
        patience.saw(sign.call)
        return nil if patience.over?
        sleep pause
      end
      found
    end

    def initialize(seconds = Patience.usual)
      @seconds, @still, @sign, @last = seconds, 0.0, nil, now
    end

    def saw(sign = nil)
      @still += [now - @last, GAP].min
      @last = now
      return if sign == @sign
      @sign, @still = sign, 0.0
    end

    def over?
      @still >= @seconds
    end

    private

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
