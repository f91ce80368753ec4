#!/bin/busybox sh
# The first process of the virtual machine in which weir is tested: brings the system up, and then runs what comes over the
# second serial port, one command at a time, until it is switched off.
#
# A command is a line "LIMIT SIZE" and SIZE bytes of a tar archive, which is unpacked in /work; its member .command is run
# by sh there, for LIMIT seconds at most. The answer is a line "STATUS EXPIRED OUTPUT ERRORS SHA256 SHA256" (two sizes and
# two checksums) and the bytes of both outputs. Nothing that a command started outlives it.

/bin/busybox --install -s /bin
export PATH=/bin HOME=/root XDG_CACHE_HOME=/work/.cache LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm /root /run /tmp /work
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
ip link set lo up

checksum() {
    sha256sum "$1" | cut -d ' ' -f 1
}

size() {
    stat -c %s "$1"
}

cd /work || exit
# Bytes are bytes: no echo, no translation of line ends, no signals from characters.
stty raw -echo <>/dev/ttyS1
exec <>/dev/ttyS1 3>&0
echo ready >&3
while read -r limit length; do
    head -c "$length" >/run/archive
    tar -x -f /run/archive
    rm -f /run/archive /run/expired
    sh .command >/run/output 2>/run/errors </dev/null 3>&- &
    command=$!
    (
        sleep "$limit"
        : >/run/expired
        kill -KILL "$command"
    ) >/dev/null 2>&1 </dev/null 3>&- &
    wait "$command"
    status=$?
    kill -KILL -1 # all but this process
    wait
    expired=0
    [ ! -e /run/expired ] || expired=1
    echo "$status $expired $(size /run/output) $(size /run/errors)" \
        "$(checksum /run/output) $(checksum /run/errors)" >&3
    cat /run/output /run/errors >&3
done
