#!/usr/bin/env bash
# qemu-storage-daemon: a FUSE export takes writes of 64 KiB at most, where it took 512 before it stopped using libfuse.
#
# Versions: QEMU 11.1.2 (Debian forky).
# Seen:     A program writes 16 MiB in pieces of 1 MiB into an exported file, past the page cache. The daemon writes 256
#           times 64 KiB to its image. QEMU 10.0.13 (Debian trixie) writes 32 times 512 KiB for the same.
# Expected: pieces as large as the kernel's FUSE has them (FUSE_INIT, max_write: up to 1 MiB).
# Output:   pieces that the image was written in; bytes of the largest
# Means:    Pieces come one after the other. Where each has to cross a network and be acknowledged (RBD: 4 to 8 ms), a
#           volume takes 7 MB/s instead of 80. A loop device over such an export is no faster.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

debian forky qemu-utils strace fuse3 iproute2
version qemu-utils 11.1.2

inside <<'INSIDE'
mkdir -p /disk
truncate -s 64M /disk/image.raw
: >/disk/export
qemu-storage-daemon --blockdev driver=file,node-name=file,filename=/disk/image.raw \
    --blockdev driver=raw,node-name=disk,file=file \
    --export type=fuse,id=disk,node-name=disk,mountpoint=/disk/export,writable=on --daemonize --pidfile /run/daemon.id
eventually 20 mountpoint -q /disk/export
strace -f -e trace=pwrite64,pwritev,pwritev2 -o /run/writes -p "$(cat /run/daemon.id)" 2>/run/strace.out &
TRACE=$!
eventually 20 grep -q attached /run/strace.out
dd if=/dev/zero of=/disk/export bs=1M count=16 oflag=direct conv=notrunc 2>/dev/null
sleep 1
kill -INT "$TRACE"
wait "$TRACE" || true
sizes=$(grep -oE '= [0-9]+$' /run/writes | cut -c3-)
expect "pieces that 16 MiB were written in" 256 "$(wc -l <<<"$sizes")"
expect "bytes of the largest" 65536 "$(sort -n <<<"$sizes" | tail -n1)"
kill -TERM "$(cat /run/daemon.id)"
verdict
INSIDE
