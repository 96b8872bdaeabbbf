#!/bin/busybox sh
# The first process of the virtual machine of run.sh: runs tcplapse and prints, a line for each run,
# whether its exit status and its words were the expected ones.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t securityfs securityfs /sys/kernel/security
exec > /dev/ttyS1 2>&1
stty raw
ip link set lo up
uname -r
parameters=$(cat /proc/cmdline)
case $parameters in
    *tcplapse.diag=1*) insmod /modules/inet_diag.ko && insmod /modules/tcp_diag.ko ;;
esac

# expect STATUS WORDS COMMAND...: runs a command, which has to exit with STATUS and print WORDS.
expect() {
    status=$1 words=$2
    shift 2
    # Not an applet of busybox's own timeout: the command is another program.
    timeout 60 "$@" > /tmp/out 2>&1 < /dev/null
    got=$?
    if [ $got = "$status" ] && grep -qF -e "$words" /tmp/out && ! grep -q panicked /tmp/out; then
        echo "ok: $* -> $got, $words"
    else
        echo "FAILED: $* -> $got; expected $status and: $words; it printed:"
        head -n 8 /tmp/out
    fi
}

# The port is in hexadecimal: 9000.
until_listening() {
    until grep -q ':2328 0*:0000 0A' /proc/net/tcp; do sleep 0.1; done
}

echo hello > /www/index.html
httpd -p 127.0.0.1:9000 -h /www
until_listening

# What this kernel should permit.
no_diag="load the kernel's module tcp_diag (modprobe tcp_diag)"
lockdown="BPF is not permitted: the kernel is locked down (lockdown=confidentiality)"
version=$(uname -r | awk -F. '{ print $1 * 1000 + $2 }')
refusal= diag=yes
case $parameters in *lockdown=confidentiality*) refusal=$lockdown ;; esac
[ "$version" -ge 5012 ] || refusal="BPF needs Linux 5.12"
case $parameters in *tcplapse.diag=0*) diag= ;; esac

expect 0 "LISTEN" tcplapse list httpd
expect 0 "LISTEN" tcplapse list --netns all
expect 0 "LISTEN (present)" tcplapse watch --for 100ms
expect 1 "1 socket in LISTEN" tcplapse check --stuck LISTEN:100ms
if [ -n "$diag" ]; then
    expect 0 "LISTEN" tcplapse list --source netlink
    expect 0 "LISTEN" tcplapse list --netns all --source netlink
else
    expect 2 "$no_diag" tcplapse list --source netlink
    expect 2 "$no_diag" tcplapse list --netns all --source netlink
    expect 0 "--tcp-info: nothing is measured" tcplapse list --tcp-info
    expect 0 "using --source proc: " tcplapse list --netns all --source auto
fi
case $refusal,$diag in
    ,yes)
        expect 0 "using --source trace" tcplapse watch --source auto --for 100ms
        expect 0 "-> 127.0.0.1:9000" tcplapse run -- wget -q -O /dev/null http://127.0.0.1:9000/
        expect 0 "LISTEN" tcplapse list --owners bpf
        ;;
    ,)
        expect 2 "$no_diag" tcplapse watch --source trace --for 100ms
        expect 0 "using --source proc: " tcplapse watch --source auto --for 100ms
        expect 0 "LISTEN" tcplapse list --owners bpf
        ;;
    *)
        expect 2 "$refusal" tcplapse watch --source trace --for 100ms
        expect 2 "$refusal" tcplapse list --owners bpf
        expect 0 "$refusal" tcplapse watch --source auto --for 100ms
        expect 0 "$refusal" tcplapse run -- true
        ;;
esac
expect 2 "lacks CAP_BPF and CAP_PERFMON" su nobody -c "tcplapse list --owners bpf"
expect 2 "lacks CAP_BPF and CAP_PERFMON" su nobody -c "tcplapse watch --source trace --for 100ms"
expect 0 "cannot inspect the owners" su nobody -c "tcplapse list"
expect 0 "" tcplapse watch --source auto --for 100ms --record /tmp/recording
expect 0 "LISTEN (present)" tcplapse replay /tmp/recording

# Every state change that the kernel's own tracepoint prints is reported, and no other. TIME_WAIT and
# the end of FIN_WAIT2 are mini-sockets, which have no such event.
if [ -z "$refusal" ] && [ -n "$diag" ]; then
    mount -t tracefs tracefs /sys/kernel/tracing
    cd /sys/kernel/tracing
    echo 8192 > buffer_size_kb
    echo 'sport == 9000 || dport == 9000' > events/sock/inet_sock_set_state/filter
    tcplapse watch --source trace --port 9000 -j --ready-fd 3 3> /tmp/ready > /tmp/events 2> /tmp/messages &
    until [ -s /tmp/ready ]; do sleep 0.1; done
    echo 1 > events/sock/inet_sock_set_state/enable
    for i in $(seq 200); do wget -q -O /dev/null http://127.0.0.1:9000/; done
    # Both ends of all of them; the machine's limit of time ends this, too.
    until [ "$(grep -c 'newstate=TCP_CLOSE$' trace)" -ge 400 ]; do sleep 0.1; done
    echo 0 > events/sock/inet_sock_set_state/enable
    grep -h '^recursion_misses' /proc/$!/fdinfo/* | sort | uniq -c
    kill -INT $!
    wait $!
    # However often the kernel left out the first program for an event, the second has written it, or it
    # is reported as lost.
    lost=$(grep '"event":"lost"' /tmp/events | sed 's/.*"count":\([0-9]*\).*/\1/' | awk '{ sum += $1 } END { print sum + 0 }')
    missing=0
    for state in SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE_WAIT LAST_ACK; do
        # A close() after a shutdown() is an event, and no change.
        traced=$(grep -v "oldstate=TCP_$state " trace | grep -c "newstate=TCP_$state\$")
        # By a record of its own: nothing is concluded.
        reported=$(grep '"via":\[\],"maybe":\[\]' /tmp/events | grep -c "\"to\":\"$state\"")
        missing=$((missing + traced - reported))
        echo "entered $state: $reported of $traced"
    done
    if [ "$missing" -ge 0 ] && [ "$missing" -le "$lost" ]; then
        echo "ok: $missing changes are missing, $lost events reported as lost"
    else
        echo "FAILED: $missing changes are missing, $lost events reported as lost; $(tail -n 1 /tmp/messages)"
    fi
fi
echo "done"
poweroff -f
