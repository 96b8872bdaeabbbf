// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Writes a record for every state change of a TCP socket, and for every reset that one sends or
// receives, into a ring buffer. src/source/trace/record.rs reads the records; CONTRIBUTING.md says how
// to build this file.
//
// The kernel's types are declared here as far as they are used. Where a member really lies in the
// running kernel is found out when the program is loaded (CO-RE), so the order of members here does
// not matter, and other members may be missing.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

#define AF_INET6 10
#define IPPROTO_TCP 6
#define TCP_SYN_RECV 3
#define TCP_TIME_WAIT 6
#define TCP_LISTEN 10
#define TCP_NEW_SYN_RECV 12
#define PF_KTHREAD 0x00200000

#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_RINGBUF 27

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common { u32 inum; };
struct net { struct ns_common ns; };
struct possible_net { struct net *net; };
struct in6_addr { u8 bytes[16]; };
struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num, skc_family;
	u8 skc_state;
	int skc_bound_dev_if;
	struct possible_net skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};
struct uid { u32 val; };
struct inode { unsigned long i_ino; };
struct socket { int state; };
struct socket_alloc { struct socket socket; struct inode vfs_inode; };
struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	struct uid sk_uid;
	struct { int owned; } sk_lock;
	u16 sk_protocol;
	int sk_err;
};
struct inet_sock { struct sock sk; u16 inet_sport; };
struct tcp_sock { struct inet_sock inet; u32 segs_out; };
struct pid_namespace { struct ns_common ns; };
struct upid { int nr; struct pid_namespace *ns; };
struct pid { u32 level; struct upid numbers[1]; };
struct task_struct {
	int tgid;
	u32 flags;
	struct task_struct *real_parent, *group_leader;
	struct pid *thread_pid;
	char comm[16];
};
#pragma clang attribute pop

// The numbers of the helpers are part of the kernel's interface (enum bpf_func_id in linux/bpf.h).
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static u64 (*bpf_get_socket_cookie)(const void *sk) = (void *)46;
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static void *(*bpf_ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;

// bpf_probe_read_kernel is for programs whose licence is compatible with the GPL.
char _license[] SEC("license") = "Dual MIT/GPL";

// Set before the program is loaded: the network namespace whose sockets are followed, the reader's
// pid namespace, unless that is the initial one, and a process there whose descendants are marked; 0
// for none.
const volatile u32 netns = 0;
const volatile u32 pidns = 0;
const volatile u32 root = 0;

// The size is set before the program is loaded.
struct {
	int (*type)[BPF_MAP_TYPE_RINGBUF];
	int (*max_entries)[1 << 21];
} events SEC(".maps");

enum kind { STATE_CHANGE, RESET_SENT, RESET_RECEIVED };

// How many state changes, and how many resets, found no room in the ring; how many events the first
// program left to the second, and how many that has written.
enum counter { LOST_CHANGES, LOST_RESETS, LEFT_TO_SECOND, BY_SECOND };
struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[4];
	u32 *key;
	u64 *value;
} counters SEC(".maps");

// Events that the first program has written, until the second one comes across them. Those of a socket
// are in one of the sets of their kind.
#define SET_BITS 8
#define WAYS 4
struct written { u64 events[WAYS]; };
struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[3 << SET_BITS];
	u32 *key;
	struct written *value;
} written SEC(".maps");

// IN_CALL: a process has the socket, in a system call or at its end. An interrupt that finds it so leaves its work
// to that process.
enum flag { KERNEL_THREAD = 1, DESCENDANT = 2, IN_CALL = 4 };

// As record.rs reads it; without padding.
struct event {
	u64 time;       // ns since boot
	u64 socket;     // address of the socket in the kernel
	u64 cookie;     // 0 for a child that a listener has just made
	u64 inode;      // 0 for none
	u32 netns;
	u32 uid;
	u32 pid;        // of the current process, which may be any in an interrupt; 0 for none there
	u32 ifindex;
	u32 error;      // sk_err
	u32 segments;   // sent so far
	u16 port;       // the socket's port as of now, in host order; 0 for none
	u16 last_port;  // the last port that it had, in network order
	u16 remote_port; // in network order
	u8 kind;
	u8 family;
	u8 from;
	u8 to;
	u8 flags;
	u8 unused[5];
	u8 local[16];   // IPv4 addresses in the first four bytes
	u8 remote[16];
	char comm[16];  // its name
};

// At most so many generations between a process and the root.
#define GENERATIONS 32
// Pid namespaces may be nested so deep (MAX_PID_NS_LEVEL).
#define LEVELS 32

// The number of a process in the pid namespace of this level, if that is the reader's; else 0. A
// process has a number in its own namespace and in each above.
INLINE u32 number_at(struct pid *pid, u32 level)
{
	struct upid at = {};
	u32 ns = 0;

	bpf_probe_read_kernel(&at, sizeof(at), (char *)&pid->numbers + level * sizeof(at));
	bpf_probe_read_kernel(&ns, sizeof(ns), &at.ns->ns.inum);
	return ns == pidns ? at.nr : 0;
}

// The number of a process in the reader's pid namespace, and the level of that; 0 if it has none.
INLINE u32 number_of(struct task_struct *task, u32 *level)
{
	if (!pidns)
		return task->tgid;
	struct pid *pid = task->group_leader->thread_pid;
	if (!pid)
		return 0;
	for (u32 i = 0; i <= LEVELS && i <= pid->level; i++) {
		u32 number = number_at(pid, pid->level - i);

		if (number) {
			*level = pid->level - i;
			return number;
		}
	}
	return 0;
}

// The same of an ancestor of a process that has a number, by the level that was found.
INLINE u32 number_of_ancestor(struct task_struct *task, u32 level)
{
	if (!pidns)
		return task->tgid;
	struct pid *pid = task->group_leader->thread_pid;

	return pid && pid->level >= level ? number_at(pid, level) : 0;
}

INLINE int descends_from_root(struct task_struct *task, u32 level)
{
	for (int i = 0; i < GENERATIONS; i++) {
		task = task->real_parent;
		if (!task)
			return 0;
		u32 number = number_of_ancestor(task, level);
		if (number == root)
			return 1;
		// Its parent is outside of the namespace, or none.
		if (number <= 1)
			return 0;
	}
	return 0;
}

INLINE void count(u32 counter)
{
	u64 *count = bpf_map_lookup_elem(&counters, &counter);

	if (count)
		__sync_fetch_and_add(count, 1);
}

// A function of its own: the programs below share it.
static __attribute__((noinline)) void write_event(struct sock *sk, u8 kind, u8 from, u8 to)
{
	struct sock_common *common = &sk->__sk_common;
	u32 ns = common->skc_net.net->ns.inum;

	if (netns && ns != netns)
		return;
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(kind == STATE_CHANGE ? LOST_CHANGES : LOST_RESETS);
		return;
	}
	event->time = bpf_ktime_get_boot_ns();
	event->socket = (u64)sk;
	// The kernel gives a child the cookie of its request only after this state change.
	event->cookie = from == TCP_LISTEN && to == TCP_SYN_RECV ? 0 : bpf_get_socket_cookie(sk);
	event->inode = 0;
	struct socket *socket = sk->sk_socket;
	if (socket)
		bpf_probe_read_kernel(&event->inode, sizeof(event->inode),
				      &((struct socket_alloc *)socket)->vfs_inode.i_ino);
	event->netns = ns;
	event->uid = sk->sk_uid.val;
	event->ifindex = common->skc_bound_dev_if;
	event->error = sk->sk_err;
	bpf_probe_read_kernel(&event->segments, sizeof(event->segments),
			      &((struct tcp_sock *)sk)->segs_out);
	event->port = common->skc_num;
	bpf_probe_read_kernel(&event->last_port, sizeof(event->last_port),
			      &((struct inet_sock *)sk)->inet_sport);
	event->remote_port = common->skc_dport;
	event->kind = kind;
	event->family = common->skc_family;
	event->from = from;
	event->to = to;
	struct task_struct *task = bpf_get_current_task_btf();
	u32 level = 0;
	event->pid = number_of(task, &level);
	event->flags = task->flags & PF_KTHREAD ? KERNEL_THREAD : 0;
	if (sk->sk_lock.owned)
		event->flags |= IN_CALL;
	if (root && event->pid && descends_from_root(task, level))
		event->flags |= DESCENDANT;
	__builtin_memset(event->unused, 0, sizeof(event->unused));
	__builtin_memset(event->local, 0, sizeof(event->local));
	__builtin_memset(event->remote, 0, sizeof(event->remote));
	if (common->skc_family == AF_INET6) {
		bpf_probe_read_kernel(event->local, 16, &common->skc_v6_rcv_saddr);
		bpf_probe_read_kernel(event->remote, 16, &common->skc_v6_daddr);
	} else {
		*(u32 *)event->local = common->skc_rcv_saddr;
		*(u32 *)event->remote = common->skc_daddr;
	}
	// Threads have names of their own; this is the process's.
	bpf_probe_read_kernel(event->comm, sizeof(event->comm), &task->group_leader->comm);
	// The kernel wakes up the reader where that has read all before.
	bpf_ringbuf_submit(event, 0);
}

// A request or a TIME_WAIT is no full socket: it has the common part alone. A reset for a request
// is sent in the name of the listener.
INLINE int is_connection(struct sock *sk)
{
	u8 state = sk->__sk_common.skc_state;

	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV && state != TCP_LISTEN &&
	       sk->sk_protocol == IPPROTO_TCP;
}

INLINE void write_change(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];

	if (sk->sk_protocol == IPPROTO_TCP)
		write_event(sk, STATE_CHANGE, arguments[1], arguments[2]);
}

INLINE int is_reset_of_connection(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];

	return sk && is_connection(sk);
}

INLINE void write_reset_sent(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];

	if (sk && is_connection(sk))
		write_event(sk, RESET_SENT, sk->__sk_common.skc_state, 0);
}

INLINE void write_reset_received(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];

	if (is_connection(sk))
		write_event(sk, RESET_RECEIVED, sk->__sk_common.skc_state, 0);
}

// The address of an event's socket as a number: verifiers allow no arithmetic with a pointer that may be 0.
INLINE u64 socket_of(u64 *arguments)
{
	u64 socket = 0;

	bpf_probe_read_kernel(&socket, sizeof(socket), arguments);
	return socket;
}

INLINE struct written *set_of(u64 socket, u8 kind)
{
	// Sockets are aligned to a cache line.
	u32 key = kind << SET_BITS | ((socket >> 6) * 0x9e3779b97f4a7c15) >> (64 - SET_BITS);

	return bpf_map_lookup_elem(&written, &key);
}

// While a processor is within a program, newer kernels (commit 05b24ff9b2cf) do not run that one again
// there: not for an event in an interrupt, nor, where programs can be preempted, for one of another
// process. So there are two for each kind of event, and the second, which is attached behind the first,
// writes what that one has not. A socket has one event at a time, since its lock is held, so that this
// is exact on whichever processor the second is run. A mark that the second was not run for stays, and
// serves the next event that is the same. What is not of a connection holds no lock, so that two processors
// may be at the same event, and is not written: it is 0, and leaves no mark.
#define PROGRAMS(first, second, tracepoint, kind, event, write)             \
	SEC("tp_btf/" tracepoint) int first(u64 *arguments)                 \
	{                                                                   \
		u64 socket = socket_of(arguments);                          \
		u64 id = event(socket, arguments);                          \
		struct written *set = set_of(socket, kind);                 \
                                                                            \
		if (!id)                                                    \
			return 0;                                           \
		for (int i = 0; set && i < WAYS; i++) {                     \
			u64 mark = __sync_val_compare_and_swap(&set->events[i], 0, id); \
                                                                            \
			if (!mark || mark == id) {                          \
				write(arguments);                           \
				return 0;                                   \
			}                                                   \
		}                                                           \
		count(LEFT_TO_SECOND);                                      \
		return 0;                                                   \
	}                                                                   \
                                                                            \
	SEC("tp_btf/" tracepoint) int second(u64 *arguments)                \
	{                                                                   \
		u64 socket = socket_of(arguments);                          \
		u64 id = event(socket, arguments);                          \
		struct written *set = set_of(socket, kind);                 \
                                                                            \
		if (!id)                                                    \
			return 0;                                           \
		for (int i = 0; set && i < WAYS; i++)                       \
			if (__sync_val_compare_and_swap(&set->events[i], id, 0) == id) \
				return 0;                                   \
		write(arguments);                                           \
		count(BY_SECOND);                                           \
		return 0;                                                   \
	}

// No two sockets have addresses that differ in the upper byte alone.
#define CHANGE(socket, arguments) (socket << 8 | arguments[1] << 4 | arguments[2])
#define RESET(socket, arguments) (is_reset_of_connection(arguments) ? socket << 8 | 1 : 0)

PROGRAMS(set_state, set_state_2, "inet_sock_set_state", STATE_CHANGE, CHANGE, write_change)
PROGRAMS(send_reset, send_reset_2, "tcp_send_reset", RESET_SENT, RESET, write_reset_sent)
PROGRAMS(receive_reset, receive_reset_2, "tcp_receive_reset", RESET_RECEIVED, RESET, write_reset_received)
