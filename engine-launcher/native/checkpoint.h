/* The file of a checkpoint, as keeper.py's image.py writes it and restore.c maps it. All of it little-endian; all offsets
 * are from the file's beginning, and those of pages are multiples of a page. */
#ifndef CROSSLOGIC_CHECKPOINT_H
#define CROSSLOGIC_CHECKPOINT_H

#include <stdint.h>

#define CHECKPOINT_MAGIC "CLCKPT01"

enum {
    CHECKPOINT_PAGE = 4096,
    /* More than twice of what the process of a vLLM for GPUs has. */
    CHECKPOINT_MOST_ENTRIES = 1 << 17,
};

/* What a mapping is made from, before its own pages are laid over it. */
enum checkpoint_kind {
    CHECKPOINT_ANONYMOUS = 0,
    CHECKPOINT_FILE = 1,
    CHECKPOINT_SHARED_FILE = 2,
    /* Anonymous, and its pages are copied: the kernel shows a command line from nothing else. */
    CHECKPOINT_STACK = 3,
};

/* What has been asked of the kernel for a mapping, beside its kind. */
enum checkpoint_advice {
    /* A forked child finds it empty: that is how libraries notice that they are in one. */
    CHECKPOINT_WIPED_ON_FORK = 1,
};

struct checkpoint_header {
    char magic[8];
    uint64_t size;
    /* Header and tables: what is read before anything is mapped. */
    uint64_t tables_size;
    uint64_t facts_offset, facts_size;
    uint64_t files_offset, files;
    uint64_t mappings_offset, mappings;
    uint64_t pieces_offset, pieces;
    uint64_t vdso_offset, vdso_address, vdso_size;
    /* Of checkpoint.so in the process: where to go when all is mapped. */
    uint64_t resume;
    /* As in prctl_mm_map. */
    uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
    uint64_t arg_start, arg_end, env_start, env_end;
};

/* A file that is mapped, and by what it is known to be the same. */
struct checkpoint_file {
    uint64_t path_offset;
    uint64_t size, inode, seconds, nanoseconds;
};

struct checkpoint_mapping {
    uint64_t start, end;
    uint64_t offset;
    uint32_t protection;
    uint16_t kind, advice;
    /* Index; of no meaning without a file. */
    uint64_t file;
};

/* Pages of the process's own. */
struct checkpoint_piece {
    uint64_t start, size;
    uint64_t offset;
    /* Index. */
    uint64_t mapping;
};

/* What the new process was started with: strings of C, arguments first. */
struct checkpoint_handover {
    uint64_t strings, size;
    uint64_t arguments, variables;
};

#endif
