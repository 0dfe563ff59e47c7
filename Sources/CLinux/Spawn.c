#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The child says when it stands, is told to go on, and says why it cannot: an errno each, over a pair of sockets that
// end with either side. posix_spawn has no such halt between fork and execve.

static int receive(int channel, int *value) {
    ssize_t count;
    do {
        count = recv(channel, value, sizeof *value, MSG_WAITALL);
    } while (count == -1 && errno == EINTR);
    return count == (ssize_t)sizeof *value;
}

static int tell(int channel, int value) {
    ssize_t count;
    do {
        count = send(channel, &value, sizeof value, MSG_NOSIGNAL);
    } while (count == -1 && errno == EINTR);
    return count == (ssize_t)sizeof value;
}

// Handlers are gone with the execve; what is ignored stays so. Past glibc, which refuses the two signals that it keeps
// for itself: posix_spawn, by which we may have been started ourselves, leaves those ignored.
static void reset_signals(void) {
    // The kernel's own structure, in which all zeros is SIG_DFL; it is shorter on every architecture.
    static const uint64_t by_default[8];
    const size_t set_bytes = 64 / 8;
    for (int signal = 1; signal <= 64; signal++) syscall(SYS_rt_sigaction, signal, by_default, NULL, set_bytes);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int prepare(const struct clinux_spawn_request *request) {
    if (setsid() == -1 || fchdir(request->working_directory) == -1) return errno;
    int null = open("/dev/null", O_RDONLY);
    if (null == -1 || dup2(null, 0) == -1) return errno;
    if (dup2(request->output, 1) == -1 || dup2(request->output, 2) == -1) return errno;
    return 0;
}

// Only what is async-signal-safe: other threads may have held any lock at the time of the fork.
static _Noreturn void stand_and_execute(const struct clinux_spawn_request *request, int channel) {
    channel = fcntl(channel, F_DUPFD, 3);
    int error = channel == -1 ? errno : prepare(request);
    // Behind the last use of the request's descriptors, of which one may be the 3.
    if (error == 0 && channel != 3 && dup2(channel, 3) == -1) error = errno;
    if (error == 0) {
        channel = 3;
        closefrom(4);
        fcntl(channel, F_SETFD, FD_CLOEXEC);
    }
    int go;
    if (tell(channel, error) && error == 0 && receive(channel, &go)) {
        reset_signals();
        execve(request->path, request->arguments, request->environment);
        tell(channel, errno);
    }
    _exit(127);
}

static void reap(pid_t pid) {
    while (waitpid(pid, NULL, 0) == -1 && errno == EINTR) {}
}

// No handler of ours may run in the child.
static pid_t fork_undisturbed(void) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int error = errno;
    if (pid != 0) pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

int clinux_fork_held(const struct clinux_spawn_request *request, struct clinux_child *child) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1) return errno;
    pid_t pid = fork_undisturbed();
    int error = pid == -1 ? errno : 0;
    if (pid == 0) {
        close(ends[0]);
        stand_and_execute(request, ends[1]);
    }
    close(ends[1]);
    if (error == 0 && !receive(ends[0], &error)) error = ESRCH;
    if (error != 0) {
        close(ends[0]);
        if (pid > 0) reap(pid);
        return error;
    }
    child->pid = pid;
    child->channel = ends[0];
    return 0;
}

int clinux_execute(const struct clinux_child *child) {
    if (!tell(child->channel, 0)) return errno;
    int error = 0;
    // The execve closes the other end.
    return receive(child->channel, &error) ? error : 0;
}
