/* In the process whose memory is kept: what of it is the kernel's is written down here, and set up again in the process
 * that its memory is restored in. That one goes on where the first one waits.
 *
 * One thread, no descriptors but the first three: keeper.py sees to that. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "checkpoint.h"

#define EXPORTED __attribute__((visibility("default")))

enum {
    SIGNALS = 64,
    RSEQ_SIGNATURE = 0x53053053,
    RSEQ_FAILED = -2,
    RSEQ_SMALLEST = 32,
    GET_TID_ADDRESS = 40, /* PR_GET_TID_ADDRESS */
};

/* The C library's names since 2.35; older ones register nothing. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* As the kernel has it, with the C library's own way back from a handler: a pointer into memory that will be there. */
struct action {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

static struct {
    ucontext_t context;
    uint64_t thread_pointer;
    int *tid;
    void *robust_list;
    size_t robust_size;
    struct action actions[SIGNALS + 1];
    stack_t signal_stack;
    volatile int is_restored;
    struct checkpoint_handover handover;
} kept;

static int collect(void) {
    if (syscall(SYS_arch_prctl, ARCH_GET_FS, &kept.thread_pointer) != 0) return -1;
    if (prctl(GET_TID_ADDRESS, &kept.tid) != 0 || kept.tid == NULL) return -1;
    if (syscall(SYS_get_robust_list, 0, &kept.robust_list, &kept.robust_size) != 0) return -1;
    for (int number = 1; number <= SIGNALS; number++) {
        if (syscall(SYS_rt_sigaction, number, NULL, &kept.actions[number], sizeof(uint64_t)) != 0) return -1;
    }
    return sigaltstack(NULL, &kept.signal_stack);
}

/* Says one byte to whoever keeps the memory, and ends with them. Returns in a restored process alone, with what that was
 * started with; NULL, and errno, where the kernel does not tell what has to be kept. */
EXPORTED const struct checkpoint_handover *checkpoint_wait(int keeper) {
    if (collect() != 0) return NULL;
    if (getcontext(&kept.context) != 0) return NULL;
    if (kept.is_restored) return &kept.handover;
    char byte = 'r';
    if (write(keeper, &byte, 1) == 1) {
        while (read(keeper, &byte, 1) < 0 && errno == EINTR) {
        }
    }
    _exit(0);
}

/* Where the kernel says which processor runs the thread. */
static void register_rseq(void) {
    if (&__rseq_offset == NULL || &__rseq_size == NULL || __rseq_size == 0) return;
    char *area = (char *)kept.thread_pointer + __rseq_offset;
    unsigned int size = __rseq_size < RSEQ_SMALLEST ? RSEQ_SMALLEST : __rseq_size;
    size = (size + RSEQ_SMALLEST - 1) / RSEQ_SMALLEST * RSEQ_SMALLEST;
    if (syscall(SYS_rseq, area, size, 0, RSEQ_SIGNATURE) != 0) {
        /* As the C library leaves it where the kernel has none: it asks by a system call then. */
        ((volatile int32_t *)area)[1] = RSEQ_FAILED;
    }
}

/* Called by restore.c, on its stack and with its thread's pointer, when all memory is there. */
EXPORTED void checkpoint_resume(const struct checkpoint_handover *handover) {
    kept.handover = *handover;
    if (syscall(SYS_arch_prctl, ARCH_SET_FS, kept.thread_pointer) != 0) _exit(125);
    *kept.tid = (int)syscall(SYS_set_tid_address, kept.tid);
    syscall(SYS_set_robust_list, kept.robust_list, kept.robust_size);
    register_rseq();
    for (int number = 1; number <= SIGNALS; number++) {
        if (number == SIGKILL || number == SIGSTOP) continue;
        syscall(SYS_rt_sigaction, number, &kept.actions[number], NULL, sizeof(uint64_t));
    }
    sigaltstack(&kept.signal_stack, NULL);
    kept.is_restored = 1;
    setcontext(&kept.context);
    _exit(125);
}
