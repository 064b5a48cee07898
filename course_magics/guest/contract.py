"""The guest folder and its ``guest.json``: what whoever starts a machine from it may rely on.

A guest folder (cache ``guest/<hash>/``, and the unpacked Vagrant box ``course/debian12``) holds

=============== ==================================================================================
``guest.json``  the keys below
``vmlinuz``     kernel, given to QEMU by ``-kernel``
``initrd.img``  initial RAM disk, given by ``-initrd``
``disk.qcow2``  clean root file system (ext4 on the bare disk ``/dev/vda``); base of a **cold** boot
``ready.qcow2`` overlay on the disk above (backing file by relative name): the disk at the moment
                of the snapshot
``ready.state`` memory and devices at that moment (a QEMU migration stream)
=============== ==================================================================================

The Vagrant box has these files under the same names, and ``metadata.json`` and ``Vagrantfile``.
None of the files is ever written to. Each machine gets an overlay of its own, made in 20 ms::

    qemu-img create -q -f qcow2 -F qcow2 -b BASE/ready.qcow2 MACHINE.qcow2    # snapshot start
    qemu-img create -q -f qcow2 -F qcow2 -b BASE/disk.qcow2  MACHINE.qcow2    # cold boot

The keys of ``guest.json``:

``format``        2; a guest of format 1, made by an older version, takes Vagrant's published key
``name``          ``course/debian12``
``hash``          hash of everything the guest was made from; the folder's name in the cache
``files``         names in the folder: ``kernel initrd disk ready_disk ready_state``
``machine``       versioned machine type, for ``-machine``
``machine_args``  list: devices and switches **without** accelerator, CPU, memory, kernel, back ends
``accel``         for ``-accel`` with the snapshot (software emulation)
``cpu_model``     for ``-cpu`` with the snapshot
``memory_mb``     MiB, for ``-m``
``cpus``          for ``-smp``
``append``        kernel command line
``snapshot``      ``"ready"``, or null where the guest has no snapshot
``qemu_version``  QEMU that made the snapshot, e.g. ``"7.2.22"``
``ssh_user``      ``vagrant`` (password-less sudo); nobody may log in, see below
``ssh_host_keys`` public host keys, as lines for ``known_hosts`` without the host name
``nics``          guest names of the two network cards: ``{"net0": "eth0", "net1": "eth1"}``
``disk_gb``       virtual size of the disk, GiB
``packages``      ``{name: version}`` of the guest's Debian packages
``sizes``         bytes of each file
``boot``          seconds of the cold boot it was saved from, and its memory on the host, MiB
``seconds``       what each part of the build took
``built_by``      version of ``course_magics``

Starting a machine: the launcher adds the back ends, under exactly these ids::

    qemu-system-x86_64 -machine MACHINE -accel ACCEL -cpu CPU_MODEL -m MEMORY_MB -smp CPUS
      *MACHINE_ARGS
      -kernel F/vmlinuz -initrd F/initrd.img -append 'APPEND course.key=TYPE,KEY'
      -drive  if=none,id=disk0,file=MACHINE.qcow2,format=qcow2,discard=unmap
      -netdev user,id=net0,hostfwd=tcp:127.0.0.1:PORT-:22
      -netdev hubport,id=net1,hubid=1           (or dgram: a private network)
      -chardev file,id=serial0,path=console.log (or socket, null: the serial console ttyS0)
      -chardev socket,id=agent0,path=agent.sock,server=on,wait=off   (qemu-guest-agent)
      -qmp unix:qmp.sock,server=on,wait=off
      -incoming 'exec:cat F/ready.state'        (snapshot start only)

* **Who may log in**: nobody, in the image and in the snapshot. Whoever starts a machine makes a key
  for it. On a boot the initial RAM disk adds the public half that ``course.key=`` names to
  ``/home/vagrant/.ssh/authorized_keys``; after a snapshot start the launcher has the guest agent
  write it there, through ``agent.sock``, which lies in a folder of mode 0700. So no key that others
  know opens a machine at any moment, and the forwarded port can be there from the start.
* **Keep the base**: a new version of the box replaces the files under their names, and an overlay
  on other contents is garbage. So make hard links to ``disk.qcow2`` and ``ready.qcow2`` in the
  machine's own folder (copies where the file system differs) and put the overlay on those;
  ``ready.qcow2`` finds ``disk.qcow2`` beside itself.
* **Snapshot start** needs ``-machine -accel -cpu -m -smp`` and ``machine_args`` exactly as in the
  file, the same kernel and initrd, and a QEMU not older than ``qemu_version``. Back ends may be
  of any kind. QMP's ``query-status`` says ``inmigrate`` until loaded, then ``running``; QEMU exits
  with a message on stderr when the snapshot does not fit: boot cold then.
* **Waiting for ssh**: after a snapshot start wait for ``running`` before the first connection
  (1.0-1.4 s in all), and on a cold boot try with short time-outs (connect, read the banner
  ``SSH-`` within 1 s, else close and try again): what a connection sends before the guest can
  answer is repeated by QEMU with growing pauses, and costs 5 s and more.
* ``net0`` has to be of type ``user`` (its state is in the snapshot); ``net1`` may be of any kind
  but ``user``. QEMU's warning that a hub is not connected means nothing.
* **Cold boot**: no ``-incoming``, the other base; memory, CPUs, accelerator (``kvm`` with
  ``-cpu host``) are free.
* **After a snapshot start**, ``-loadvm`` or a resume the guest's clock stands at the moment of the
  save. The guest's own service ``course-clock`` sees that within half a second, sets the clock
  from the hardware clock, which QEMU keeps at the host's time, and reseeds the kernel's random
  generator. Whoever needs it right at once: ``sudo date -s @EPOCH`` over ssh.
* **Power off**: ``sudo shutdown -h now`` over ssh, QMP ``system_powerdown``, or the guest agent's
  ``guest-shutdown``; QEMU ends by itself.
* **Network**: ``eth0`` takes its address by DHCP from QEMU's user network (10.0.2.15). 10.0.2.2 is
  the host: its services on 127.0.0.1 are reached there. ``eth1`` is down and unconfigured; every
  machine has the same MAC on it, so before
  joining machines give each its own: ``ip link set eth1 address 52:54:00:XX:XX:XX``.
* ``savevm NAME`` / ``-loadvm NAME`` work on the machine's own overlay (Vagrant's snapshots,
  suspend and resume); a machine started by ``-incoming`` is later resumed by ``-loadvm`` alone.
* Docker is in the guest, socket-activated: nothing of it runs until ``docker`` is called.
"""
