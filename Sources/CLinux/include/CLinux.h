#pragma once
// Kernel and libc things Swift's Glibc module map does not show. Prefixed, no policy.
#include <stdint.h>
#include <sys/types.h>

/// What to execute. Descriptors must be 3 or higher.
struct clinux_spawn_request {
    const char *path;
    char *const *arguments;
    char *const *environment;
    /// An open directory.
    int working_directory;
    /// Becomes standard output and standard error.
    int output;
};

/// A child that stands before its execve.
struct clinux_child {
    pid_t pid;
    /// Its owner's to close. Where that happens first, be it by this process's end, the child ends and executes nothing.
    int channel;
};

/// Forks the leader of a new session, with standard input from /dev/null and no other descriptor but 1 and 2, which waits
/// for `clinux_execute`. Returns 0, or the errno of what failed; then there is no child.
int clinux_fork_held(const struct clinux_spawn_request *request, struct clinux_child *child);

/// Lets it execute its program, with an empty signal mask and every signal at its default. Returns after execve: 0, or the
/// errno of what failed; then the child has ended and is to be reaped.
int clinux_execute(const struct clinux_child *child);

/// A close-on-exec descriptor of the process, or -1 and errno.
int clinux_pidfd_open(pid_t pid);

/// 0, or -1 and errno.
int clinux_pidfd_send_signal(int pidfd, int signal);

/// How a child ended.
struct clinux_exit {
    int exited;
    int core_dumped;
    /// Exit code when `exited`, else the signal.
    int status;
};

/// 1 when the child has ended (and is reaped when `reap`), 0 when it still runs, -1 and errno.
int clinux_wait(int pidfd, int reap, struct clinux_exit *result);

/// From now on orphans among the descendants become children of this process. 0, or -1 and errno.
int clinux_become_subreaper(void);

/// Catches a signal (1...63) from now on. 0, or -1 and errno. The first call opens the wake-up descriptor.
int clinux_catch_signal(int signal);

/// Readable when a caught signal came; -1 when nothing is caught yet.
int clinux_signal_wakeup(void);

/// The signals caught since the last call, as a bit set; clears them.
uint64_t clinux_take_signals(void);

/// Ignores a signal. 0, or -1 and errno.
int clinux_ignore_signal(int signal);

/// 1 when nobody listens on the TCP port, over IPv4 or IPv6; 0 when somebody does or it cannot be told (a port below
/// 1024 without privilege, no IPv6). Binds to the port for a moment.
int clinux_tcp_port_is_free(uint16_t port);

/// A pipe, close-on-exec and non-blocking: read end, write end. 0, or -1 and errno.
int clinux_pipe(int ends[2]);

/// One TCP connection of this network namespace.
struct clinux_connection {
    /// The same for as long as the socket lives, and never given to another one.
    uint64_t cookie;
    /// Of the socket's maker: the inode number of a cgroup2 folder; 0 where the kernel does not tell.
    uint64_t cgroup;
    uint64_t inode;
    /// Payload received since it was opened.
    uint64_t received;
    uint32_t owner;
    uint16_t local_port;
    uint16_t remote_port;
    int is_loopback;
};

/// Asks the kernel for the established connections of IPv4 or IPv6 and calls `each` for every one. 0, or -1 and errno.
int clinux_each_connection(int is_ipv6, void (*each)(const struct clinux_connection *, void *), void *context);

/// The cgroup ids (inode numbers of cgroup2 folders) in which the sockets that listen on the TCP port were made; 0 where
/// the kernel does not tell. Their number, at most `capacity`, or -1 and errno.
int clinux_listener_cgroups(uint16_t port, uint64_t *ids, int capacity);

/// Keeps the memory of this process out of core dumps and from other processes of its user. Ends with execve, but for the
/// limit on core dumps, which an engine that is our child inherits; it may raise it again.
int clinux_hide_memory(void);

/// No signal is blocked in this thread from now on, nor in what it executes.
void clinux_unblock_signals(void);

/// Connects a close-on-exec stream to a Unix socket. The descriptor, or -1 and errno.
int clinux_connect_unix(const char *path, int timeout_seconds);

/// The process that listened at the other end of a connected Unix socket, or -1 and errno.
pid_t clinux_unix_peer(int number);

/// 1 when the descriptor is a TCP socket that listens at this address and port (0: any port), else 0. From then on it
/// does not block.
int clinux_listens_at(int descriptor, const char *address, uint16_t port);

/// CLOCK_BOOTTIME minus CLOCK_MONOTONIC: the nanoseconds this machine has been suspended.
int64_t clinux_suspended(void);

/// From now on the calling thread gets the disk only when nobody else wants it, and the least share of the processors.
/// What the kernel refuses is left as it is.
void clinux_background_thread(void);

/// Unmaps the code of this program and of its libraries. What is executed again comes back, page by page, from the page
/// cache or else from its file.
void clinux_release_code(void);
