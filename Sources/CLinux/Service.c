#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void clinux_unblock_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

int clinux_hide_memory(void) {
    struct rlimit cores;
    if (getrlimit(RLIMIT_CORE, &cores) == 0 && cores.rlim_cur > 1) {
        // 0 would not keep the kernel from calling a handler of core dumps; see core(5) and do_coredump().
        cores.rlim_cur = 1;
        setrlimit(RLIMIT_CORE, &cores);
    }
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

pid_t clinux_unix_peer(int number) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(number, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : -1;
}

static int is_place(const struct sockaddr_storage *at, const char *address, uint16_t port) {
    struct in6_addr wanted;
    if (at->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)at;
        return inet_pton(AF_INET, address, &wanted) == 1 && memcmp(&v4->sin_addr, &wanted, sizeof v4->sin_addr) == 0 &&
            (port == 0 || ntohs(v4->sin_port) == port);
    }
    if (at->ss_family != AF_INET6) return 0;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)at;
    return inet_pton(AF_INET6, address, &wanted) == 1 && memcmp(&v6->sin6_addr, &wanted, sizeof wanted) == 0 &&
        (port == 0 || ntohs(v6->sin6_port) == port);
}

int clinux_listens_at(int descriptor, const char *address, uint16_t port) {
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == -1 || !listens) return 0;
    struct sockaddr_storage at;
    size = sizeof at;
    if (getsockname(descriptor, (struct sockaddr *)&at, &size) == -1 || !is_place(&at, address, port)) return 0;
    return fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0;
}

int64_t clinux_suspended(void) {
    struct timespec boot, monotonic;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    return ((int64_t)boot.tv_sec - monotonic.tv_sec) * 1000000000 + (boot.tv_nsec - monotonic.tv_nsec);
}
