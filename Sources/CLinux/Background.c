#define _GNU_SOURCE
#include "CLinux.h"
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// linux/ioprio.h is younger than the oldest system this is built on.
#define CLINUX_IOPRIO_WHO_PROCESS 1
#define CLINUX_IOPRIO_IDLE (3 << 13)

void clinux_background_thread(void) {
    // Not SCHED_IDLE: beside an engine that starts on all cores, such a thread gets a few milliseconds in a minute.
    // A thread's own on Linux, whatever POSIX says.
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
    syscall(SYS_ioprio_set, CLINUX_IOPRIO_WHO_PROCESS, 0, CLINUX_IOPRIO_IDLE);
}
