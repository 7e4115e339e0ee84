#!/.reprise/busybox sh
# The first program of a test's guest: makes a root, runs the command there with its output on the second serial port, tells
# how it ended, and switches the machine off. What it is to do stands in /.reprise/task (verdict/guest_task.h).
b=/.reprise/busybox
port=/dev/ttyS1
. /.reprise/task

# A word for the host, between the bytes of the output.
say() { $b printf '\036%s %s\n' "$token" "$*" >&3; }
finish() {
  $b sync
  # Waits until the port has sent everything.
  $b stty -F $port raw -echo 2>/dev/null
  $b poweroff -f
  while :; do $b sleep 3600; done
}
refuse() {
  say refused "$@"
  finish
}

$b mkdir -p /dev /proc /sys
$b mount -t devtmpfs dev /dev 2>/dev/null
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
# As udev has them; kselftest writes to /dev/stdout.
$b ln -s /proc/self/fd /dev/fd 2>/dev/null
$b ln -s fd/0 /dev/stdin 2>/dev/null
$b ln -s fd/1 /dev/stdout 2>/dev/null
$b ln -s fd/2 /dev/stderr 2>/dev/null
exec 3>/dev/console
$b stty -F $port 115200 raw -echo 2>/dev/null \
  || refuse "the kernel has no second serial port: it needs CONFIG_SERIAL_8250, and 8250.nr_uarts of 2 or more"
exec 3<>$port
$b stty -F $port raw -echo

for module in $modules; do
  $b insmod /.reprise/modules/$module || refuse "the kernel does not take its module $module"
done

r=
share() { $b mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144,$3" "$1" "$2" 2>/dev/null; }
no_9p="it has no CONFIG_9P_FS with CONFIG_NET_9P_VIRTIO, or has them as modules (--modules)"
case $root in
memory) ;;
disk)
  r=/.reprise/root
  $b mkdir -p $r
  [ -b /dev/vda ] || refuse "the kernel finds no disk for the root: it has no CONFIG_VIRTIO_BLK, or has it as a module (--modules)"
  for disk in /dev/vda /dev/vda[0-9]*; do
    $b mount $disk $r 2>/dev/null || continue
    [ -e $r/bin/sh ] || [ -L $r/bin/sh ] && break
    $b umount $r
  done
  [ -e $r/bin/sh ] || [ -L $r/bin/sh ] || refuse "no file system of the root's disk that the kernel can mount has a /bin/sh"
  ;;
share)
  r=/.reprise/root
  $b mkdir -p $r /.reprise/below /.reprise/above
  share root /.reprise/below ro || refuse "the kernel cannot mount the root that is shared: $no_9p"
  $b mount -t tmpfs above /.reprise/above
  $b mkdir /.reprise/above/upper /.reprise/above/work
  $b mount -t overlay -o lowerdir=/.reprise/below,upperdir=/.reprise/above/upper,workdir=/.reprise/above/work root $r \
    2>/dev/null || $b mount --bind /.reprise/below $r
  ;;
esac

if [ -n "$r" ]; then
  for folder in dev proc sys; do
    $b mkdir -p $r/$folder 2>/dev/null
    $b mount --bind /$folder $r/$folder
  done
fi
try() { $b mkdir -p "$3" 2>/dev/null && $b mount -t "$1" "$2" "$3" 2>/dev/null; }
try devpts pts $r/dev/pts
try tmpfs shm $r/dev/shm
try tmpfs run $r/run
try tmpfs tmp $r/tmp
$b chmod 1777 $r/tmp 2>/dev/null
try debugfs debug $r/sys/kernel/debug
try tracefs tracing $r/sys/kernel/tracing
try cgroup2 cgroup $r/sys/fs/cgroup
$b ifconfig lo up 2>/dev/null
if [ -n "$applets" ]; then
  $b --install -s
  # kselftest gives it an option of coreutils'.
  $b rm -f /usr/bin/timeout
  $b printf '#!/bin/sh\n[ "$1" != --foreground ] || shift\nexec %s timeout "$@"\n' $b >/usr/bin/timeout
  $b chmod 755 /usr/bin/timeout
fi
if [ -n "$work" ]; then
  $b mkdir -p $r/mnt 2>/dev/null
  share "$work" $r/mnt "$work_options" || refuse "the kernel cannot mount the folder that is shared: $no_9p"
fi

# From a saved state the command comes by the port: lines of the shell's, up to the token.
if [ -n "$waits" ]; then
  say ready
  while IFS= read -r line <&3 && [ "$line" != "$token" ]; do $b printf '%s\n' "$line"; done >/.reprise/sent
  . /.reprise/sent
fi
into=
[ -z "$r" ] || into="$b chroot $r"
say begins
# The command's children get no way to speak in its name.
run_command 3>&- </dev/null >$port 2>&1
say exit $?
[ -z "$work" ] || $b umount $r/mnt 2>/dev/null
finish
