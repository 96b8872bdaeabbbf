// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Writes a record for every descriptor of a TCP socket, and of an io_uring, which may hold sockets
// without descriptors. src/owner/scan/record.rs reads the records; CONTRIBUTING.md says how
// to build this file.
//
// The kernel's types are declared here as far as they are used; see events.bpf.c.

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; };
struct pid_namespace;
struct upid { int nr; struct pid_namespace *ns; };
struct pid { u32 level; struct upid numbers[1]; };
struct files_struct;
struct task_struct {
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct files_struct *files;
	u64 start_boottime;
	char comm[16];
};
struct inode { unsigned long i_ino; };
struct qstr { const unsigned char *name; };
struct dentry { struct qstr d_name; };
struct path { struct dentry *dentry; };
struct file { struct inode *f_inode; struct path f_path; };
struct sock_common { u16 skc_family; };
struct sock { struct sock_common __sk_common; u16 sk_protocol; };
struct socket { struct sock *sk; };
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};
#pragma clang attribute pop

// The numbers of the helpers are part of the kernel's interface (enum bpf_func_id in linux/bpf.h).
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*bpf_seq_write)(struct seq_file *seq, const void *data, u32 len) = (void *)127;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;
static struct socket *(*bpf_sock_from_file)(struct file *file) = (void *)162;

// bpf_seq_write and bpf_probe_read_kernel are for programs whose licence is compatible with the GPL.
char _license[] SEC("license") = "Dual MIT/GPL";

enum kind { SOCKET, IO_URING, END };

// As record.rs reads it; without padding.
struct record {
	u64 inode;      // of the socket
	u64 table;      // address of the descriptor table: threads may share one
	u64 start;      // of the process, in ns since boot
	u32 pid;        // of the process, in the reader's pid namespace
	u32 tid;        // of the thread whose table it is
	u32 fd;
	u32 kind;
	u32 level;      // of the reader's pid namespace; 0 for the initial one, which has all processes
	u32 unused;
	char comm[16];  // the process's name
};

// The level of the reader's pid namespace.
INLINE u32 reader_level(void)
{
	struct pid *pid = bpf_get_current_task_btf()->thread_pid;

	return pid ? pid->level : 0;
}

// The number of a task in the pid namespace of this level, whose processes alone are walked through.
INLINE u32 number_of(struct task_struct *task, u32 level)
{
	struct pid *pid = task->thread_pid;
	struct upid at = {};

	if (!pid || pid->level < level)
		return 0;
	bpf_probe_read_kernel(&at, sizeof(at), (char *)&pid->numbers + level * sizeof(at));
	return at.nr;
}

INLINE int is_io_uring(struct file *file)
{
	static const char name[] = "[io_uring]";
	char found[sizeof(name)] = {};

	bpf_probe_read_kernel(found, sizeof(found), file->f_path.dentry->d_name.name);
	for (u32 i = 0; i < sizeof(name); i++)
		if (found[i] != name[i])
			return 0;
	return 1;
}

SEC("iter/task_file") int holders(struct bpf_iter__task_file *context)
{
	struct seq_file *seq = context->meta->seq;
	struct task_struct *task = context->task;
	struct file *file = context->file;
	struct record record = { .level = reader_level() };

	// The walk is over.
	if (!task || !file) {
		record.kind = END;
		bpf_seq_write(seq, &record, sizeof(record));
		return 0;
	}
	struct socket *socket = bpf_sock_from_file(file);
	if (socket) {
		struct sock *sk = socket->sk;

		// The TCP sockets of one of MPTCP have its inode.
		if (!sk || (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_MPTCP))
			return 0;
		if (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6)
			return 0;
		record.kind = SOCKET;
		record.inode = file->f_inode->i_ino;
	} else if (is_io_uring(file)) {
		record.kind = IO_URING;
	} else {
		return 0;
	}
	record.table = (u64)task->files;
	record.pid = number_of(task->group_leader, record.level);
	record.tid = number_of(task, record.level);
	record.fd = context->fd;
	record.start = task->group_leader->start_boottime;
	bpf_probe_read_kernel(record.comm, sizeof(record.comm), &task->group_leader->comm);
	bpf_seq_write(seq, &record, sizeof(record));
	return 0;
}
