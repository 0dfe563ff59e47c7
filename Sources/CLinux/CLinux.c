#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// glibc has P_PIDFD since 2.36 only; the number is the kernel's.
#define CLINUX_P_PIDFD ((idtype_t)3)

static int set_file_actions(posix_spawn_file_actions_t *actions, const struct clinux_spawn_request *request) {
    int error = posix_spawn_file_actions_addfchdir_np(actions, request->working_directory);
    if (error == 0) error = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0) error = posix_spawn_file_actions_adddup2(actions, request->output, 1);
    if (error == 0) error = posix_spawn_file_actions_adddup2(actions, request->output, 2);
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    return error;
}

static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    // sigfillset leaves out the two signals glibc keeps for itself, and those would stay ignored in the child.
    memset(&all, 0xff, sizeof all);
    int error = posix_spawnattr_setsigmask(attributes, &none);
    if (error == 0) error = posix_spawnattr_setsigdefault(attributes, &all);
    if (error == 0)
        error = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return error;
}

int clinux_spawn(const struct clinux_spawn_request *request, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = set_file_actions(&actions, request);
        if (error == 0) error = set_attributes(&attributes);
        if (error == 0)
            error = posix_spawn(
                pid, request->path, &actions, &attributes, request->arguments, request->environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

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

int clinux_hide_memory(void) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int clinux_connect_unix(const char *path, int timeout_seconds) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int number = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (number == -1) return -1;
    struct timeval timeout = {.tv_sec = timeout_seconds};
    setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(number, (struct sockaddr *)&address, sizeof address) == 0) return number;
    int saved = errno;
    close(number);
    errno = saved;
    return -1;
}

int64_t clinux_suspended(void) {
    struct timespec boot, monotonic;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    return ((int64_t)boot.tv_sec - monotonic.tv_sec) * 1000000000 + (boot.tv_nsec - monotonic.tv_nsec);
}
