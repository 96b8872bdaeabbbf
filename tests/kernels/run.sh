#!/usr/bin/env bash
# Tries a static tcplapse on another kernel, in a virtual machine: the sources that are possible there
# report what happened, and the others are refused with the right sentence.
#
# Usage: tests/kernels/run.sh PROGRAM KERNEL.deb...
#
# PROGRAM is a static tcplapse:
#   RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --target x86_64-unknown-linux-gnu
# KERNEL.deb are the packages of one Debian kernel, which `apt-get download` fetches and which are not
# installed: linux-image-6.1.0-NN-cloud-amd64, or linux-binary-… and linux-modules-… of later ones.
#
# Needs qemu-system-x86, busybox-static and xz-utils. The machine is emulated, unless ACCEL=kvm is set.
# What is run in it, and expected, is in guest.sh. Exits with 1 where something else happened.
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")

die() {
    echo "run.sh: $*" >&2
    exit 2
}

[ $# -ge 2 ] || die "usage: tests/kernels/run.sh PROGRAM KERNEL.deb..."
program=$1
shift
for tool in qemu-system-x86_64 busybox dpkg-deb xz; do
    command -v "$tool" > /dev/null || die "no $tool; install qemu-system-x86, busybox-static and xz-utils"
done
for file in "$program" "$(command -v busybox)"; do
    ! ldd "$file" > /dev/null 2>&1 || [[ $(ldd "$file") == *"statically linked"* ]] || die "$file is not static"
done

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
for package; do
    dpkg-deb -x "$package" "$work/kernel"
done
kernel=$(find "$work/kernel" -name 'vmlinuz*' -type f | head -n 1)
[ -n "$kernel" ] || die "no vmlinuz in $*"

root=$work/root
mkdir -p "$root"/{bin,dev,etc,modules,proc,sys,tmp,www}
cp "$(command -v busybox)" "$root/bin/busybox"
cp "$program" "$root/bin/tcplapse"
install -m 755 "$here/guest.sh" "$root/init"
echo 'root:x:0:0::/:/bin/sh
nobody:x:65534:65534::/:/bin/sh' > "$root/etc/passwd"
for module in inet_diag tcp_diag; do
    file=$(find "$work/kernel" -name "$module.ko*" | head -n 1)
    case $file in
        *.ko) cp "$file" "$root/modules" ;;
        *.ko.xz) xz -dc "$file" > "$root/modules/$module.ko" ;;
        *) die "no module $module that can be unpacked in $*" ;;
    esac
done
(cd "$root" && find . | busybox cpio -o -H newc 2> /dev/null) > "$work/initramfs"

# boot NAME PARAMETER...: boots the kernel and prints what guest.sh printed on the second serial line.
failed=0
boot() {
    local name=$1 status=0
    shift
    echo "== $name"
    timeout 300 qemu-system-x86_64 -accel "${ACCEL:-tcg}" -cpu max -m 512M -nodefaults -no-reboot \
        -display none -kernel "$kernel" -initrd "$work/initramfs" \
        -append "console=ttyS0 panic=-1 $*" -serial "file:$work/console" -serial "file:$work/results" \
        < /dev/null || status=$?
    tr -d '\r' < "$work/results"
    if [ "$status" != 0 ] || ! grep -q '^done' "$work/results"; then
        echo "FAILED: the machine did not come to its end (qemu: $status); its console ended so:"
        tail -n 20 "$work/console"
        failed=1
    elif grep -q '^FAILED' "$work/results"; then
        failed=1
    fi
}

boot "plain" tcplapse.diag=1
boot "without tcp_diag" tcplapse.diag=0
boot "lockdown=confidentiality" tcplapse.diag=1 lockdown=confidentiality
exit $failed
