#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
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
