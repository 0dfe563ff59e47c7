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
#include <string.h>
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
    GET_TID_ADDRESS = 40,  /* PR_GET_TID_ADDRESS */
    GET_STATES = 0x1022,   /* ARCH_GET_XCOMP_PERM */
    ASK_FOR_STATE = 0x1023, /* ARCH_REQ_XCOMP_PERM */
    NOT_RESTORABLE = 125,
};

extern char **environ;

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
    /* Of the processor, such as AMX's tiles: a process asks for the large ones. */
    uint64_t states;
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
    if (syscall(SYS_arch_prctl, GET_STATES, &kept.states) != 0) kept.states = 0;
    return sigaltstack(NULL, &kept.signal_stack);
}

/* Away from where the kernel has put it: there a restored process shows its own command line. */
static int move_environment(void) {
    for (char **variable = environ; variable && *variable; variable++) {
        *variable = strdup(*variable);
        if (*variable == NULL) return -1;
    }
    return 0;
}

/* Says one byte to whoever keeps the memory, and ends with them. Returns in a restored process alone, with what that was
 * started with; NULL, and errno, where the kernel does not tell what has to be kept. */
EXPORTED const struct checkpoint_handover *checkpoint_wait(int keeper) {
    if (move_environment() != 0 || collect() != 0) return NULL;
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

static void ask_for_states(void) {
    uint64_t there = 0;
    if (kept.states == 0 || syscall(SYS_arch_prctl, GET_STATES, &there) != 0) return;
    for (int state = 0; state < 64; state++) {
        int is_missing = (kept.states & ~there) >> state & 1;
        if (is_missing && syscall(SYS_arch_prctl, ASK_FOR_STATE, state) != 0) _exit(NOT_RESTORABLE);
    }
}

/* Called by restore.c, on its stack and with its thread's pointer, when all memory is there. */
EXPORTED void checkpoint_resume(const struct checkpoint_handover *handover) {
    kept.handover = *handover;
    if (syscall(SYS_arch_prctl, ARCH_SET_FS, kept.thread_pointer) != 0) _exit(NOT_RESTORABLE);
    *kept.tid = (int)syscall(SYS_set_tid_address, kept.tid);
    syscall(SYS_set_robust_list, kept.robust_list, kept.robust_size);
    register_rseq();
    ask_for_states();
    for (int number = 1; number <= SIGNALS; number++) {
        if (number == SIGKILL || number == SIGSTOP) continue;
        syscall(SYS_rt_sigaction, number, &kept.actions[number], NULL, sizeof(uint64_t));
    }
    sigaltstack(&kept.signal_stack, NULL);
    kept.is_restored = 1;
    setcontext(&kept.context);
    _exit(NOT_RESTORABLE);
}
