#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// glibc has P_PIDFD since 2.36 only; the number is the kernel's.
#define CLINUX_P_PIDFD ((idtype_t)3)
// Linux 5.8; older headers do not have it.
#define CLINUX_INET_DIAG_CGROUP_ID 21
// netinet/tcp.h has the name, but its tcp_info is too short, and it cannot stand beside linux/tcp.h.
#define CLINUX_TCP_ESTABLISHED 1

int clinux_pidfd_open(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int clinux_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int clinux_wait(int pidfd, int reap, struct clinux_exit *result) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int options = WEXITED | WNOHANG | (reap ? 0 : WNOWAIT);
    int outcome;
    do {
        outcome = waitid(CLINUX_P_PIDFD, (id_t)pidfd, &info, options);
    } while (outcome == -1 && errno == EINTR);
    if (outcome == -1) return -1;
    if (info.si_pid == 0) return 0;
    result->exited = info.si_code == CLD_EXITED;
    result->core_dumped = info.si_code == CLD_DUMPED;
    result->status = info.si_status;
    return 1;
}

int clinux_become_subreaper(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

// A handler and not signalfd: signalfd wants the signal blocked in every thread, and libdispatch parks the main
// thread in sigsuspend with an empty mask, where a blocked SIGTERM would still kill the process.
static _Atomic uint64_t pending_signals;
static _Atomic int wakeup_descriptor = -1;

static void note_signal(int signal) {
    int saved = errno;
    atomic_fetch_or(&pending_signals, UINT64_C(1) << signal);
    uint64_t one = 1;
    // A full eventfd counter is readable all the same.
    ssize_t ignored = write(atomic_load(&wakeup_descriptor), &one, sizeof one);
    (void)ignored;
    errno = saved;
}

int clinux_catch_signal(int signal) {
    if (signal < 1 || signal > 63) {
        errno = EINVAL;
        return -1;
    }
    if (atomic_load(&wakeup_descriptor) == -1) {
        int opened = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (opened == -1) return -1;
        int none = -1;
        if (!atomic_compare_exchange_strong(&wakeup_descriptor, &none, opened)) close(opened);
    }
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = note_signal;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    if (sigaction(signal, &action, NULL) == -1) return -1;
    // A parent may have left it blocked; threads made from here on inherit the mask.
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    errno = pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    return errno == 0 ? 0 : -1;
}

int clinux_signal_wakeup(void) {
    return atomic_load(&wakeup_descriptor);
}

uint64_t clinux_take_signals(void) {
    return atomic_exchange(&pending_signals, 0);
}

int clinux_ignore_signal(int signal) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_IGN;
    sigemptyset(&action.sa_mask);
    return sigaction(signal, &action, NULL);
}

int clinux_tcp_port_is_free(uint16_t port) {
    int number = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (number == -1) return 0;
    int yes = 1, no = 0;
    // An IPv6 socket that takes IPv4 too meets the listeners of both.
    setsockopt(number, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    // With this, connections that are merely closing do not count, as they do not for a server; listeners do.
    setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int bound = bind(number, (struct sockaddr *)&address, sizeof address);
    close(number);
    return bound == 0;
}

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC | O_NONBLOCK); }

static int is_loopback(const struct inet_diag_msg *message) {
    const uint32_t *to = message->id.idiag_dst;
    const uint32_t mapped = htonl(0xffff);
    if (message->idiag_family == AF_INET) return (ntohl(to[0]) >> 24) == 127;
    if (to[0] != 0 || to[1] != 0) return 0;
    if (to[2] == mapped) return (ntohl(to[3]) >> 24) == 127;
    return to[2] == 0 && to[3] == htonl(1);
}

static uint64_t bytes_received(const struct nlmsghdr *header, const struct inet_diag_msg *message) {
    int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof *message));
    const char *next = (const char *)(message + 1);
    while (left >= (int)sizeof(struct rtattr)) {
        const struct rtattr *attribute = (const struct rtattr *)next;
        if (attribute->rta_len < sizeof *attribute || attribute->rta_len > left) break;
        if (attribute->rta_type == INET_DIAG_INFO) {
            // Older kernels send a shorter one; what they leave out reads as zero.
            struct tcp_info info = {0};
            size_t size = attribute->rta_len - sizeof *attribute;
            memcpy(&info, attribute + 1, size < sizeof info ? size : sizeof info);
            return info.tcpi_bytes_received;
        }
        left -= RTA_ALIGN(attribute->rta_len);
        next += RTA_ALIGN(attribute->rta_len);
    }
    return 0;
}

static uint64_t maker_of(const struct nlmsghdr *header, const struct inet_diag_msg *message) {
    uint64_t id = 0;
    int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof *message));
    const struct rtattr *attribute = (const struct rtattr *)(message + 1);
    for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
        if (attribute->rta_type == CLINUX_INET_DIAG_CGROUP_ID && RTA_PAYLOAD(attribute) >= sizeof id)
            memcpy(&id, RTA_DATA(attribute), sizeof id);
    return id;
}

static int request_connections(int fd, int family) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 body;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = (uint8_t)family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_ext = 1 << (INET_DIAG_INFO - 1),
                 .idiag_states = 1 << CLINUX_TCP_ESTABLISHED},
    };
    return send(fd, &request, sizeof request, 0) == (ssize_t)sizeof request ? 0 : -1;
}

static void tell(
    const struct nlmsghdr *header, void (*each)(const struct clinux_connection *, void *), void *context) {
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) return;
    const struct inet_diag_msg *message = (const struct inet_diag_msg *)NLMSG_DATA(header);
    struct clinux_connection connection = {
        .cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0],
        .inode = message->idiag_inode,
        .cgroup = maker_of(header, message),
        .received = bytes_received(header, message),
        .owner = message->idiag_uid,
        .local_port = ntohs(message->id.idiag_sport),
        .remote_port = ntohs(message->id.idiag_dport),
        .is_loopback = is_loopback(message),
    };
    each(&connection, context);
}

int clinux_each_connection(int is_ipv6, void (*each)(const struct clinux_connection *, void *), void *context) {
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0) return -1;
    // The kernel answers a dump at once; the limit is for one that does not.
    struct timeval patience = {.tv_sec = 1};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int result = request_connections(fd, is_ipv6 ? AF_INET6 : AF_INET);
    _Alignas(struct nlmsghdr) char buffer[1 << 15];
    for (int done = result != 0; !done;) {
        ssize_t size = recv(fd, buffer, sizeof buffer, 0);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) {
            result = -1;
            break;
        }
        unsigned left = (unsigned)size;
        for (const struct nlmsghdr *header = (const struct nlmsghdr *)buffer; NLMSG_OK(header, left);
             header = NLMSG_NEXT(header, left)) {
            if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
                result = header->nlmsg_type == NLMSG_DONE ? 0 : -1;
                done = 1;
                break;
            }
            tell(header, each, context);
        }
    }
    int error = errno;
    close(fd);
    errno = error;
    return result;
}
