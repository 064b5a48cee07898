module CourseQemu
  # Synced folders of a Vagrantfile that was written for another provider. Here rsync brings them.
  module Folders
    # What needs another provider, or a server on the host that only root can set up. Any other name
    # stays: it is some plugin's, or a slip of the pen that Vagrant complains about.
    FOREIGN = %i[virtualbox vmware parallels hyperv docker lxc utm nfs smb 9p virtiofs].freeze

    # Has to come before Vagrant validates the Vagrantfile: without libvirt's plugin it refuses 9p and
    # virtiofs. Folders without a type too, since Vagrant might take NFS or SMB where the host has it.
    def self.adapt(folders)
      folders.each do |id, options|
        type = options[:type].to_s.to_sym
        folders[id] = options.merge(type: :rsync, course_meant: type) if FOREIGN.include?(type)
        folders[id] = options.merge(type: :rsync) if type.empty?
      end
    end

    # The folders that were meant to come another way: [where in the guest, the type it was].
    def self.adapted(folders)
      folders.values.select { |o| o[:course_meant] && !o[:disabled] }
             .map { |o| o.values_at(:guestpath, :course_meant) }
    end
  end
end
