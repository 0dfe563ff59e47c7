#define _GNU_SOURCE
#include "CLinux.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

// linux/ioprio.h is younger than the oldest system this is built on.
#define CLINUX_IOPRIO_WHO_PROCESS 1
#define CLINUX_IOPRIO_IDLE (3 << 13)

void clinux_idle_thread(void) {
    struct sched_param parameter = {0};
    // Policy and priority are a thread's own on Linux, whatever POSIX says.
    sched_setscheduler((pid_t)syscall(SYS_gettid), SCHED_IDLE, &parameter);
    syscall(SYS_ioprio_set, CLINUX_IOPRIO_WHO_PROCESS, 0, CLINUX_IOPRIO_IDLE);
}

int clinux_read_ahead(int file, int64_t offset, size_t count) { return (int)readahead(file, offset, count); }
