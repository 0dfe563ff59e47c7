/* restore DESCRIPTOR PROGRAM ARGUMENT…: becomes the process whose memory the open file holds, as if it had been started
 * with these arguments. Where that cannot be it executes PROGRAM with them instead, and with the reason in the environment:
 * nothing has happened by then that an exec does not undo.
 *
 * It needs no rights: addresses are its own to map, and PR_SET_MM_MAP is everybody's. The layout of its own address
 * space is drawn by the kernel. Where it lies in the way of the file's, it executes itself for another one. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/prctl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "checkpoint.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum {
    MOST_LAYOUTS = 16,
    RSEQ_UNREGISTER = 1,
    RSEQ_SIGNATURE = 0x53053053,
    RSEQ_SMALLEST = 32,
    JUMP_SIZE = 12,
};

static const char NOT_RESTORED[] = "CROSSLOGIC_NOT_RESTORED";
static const char LAYOUT[] = "CROSSLOGIC_RESTORE_LAYOUT";

extern char **environ;
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static char **arguments; /* DESCRIPTOR PROGRAM ARGUMENT… */

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...) {
    char reason[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(reason, sizeof reason, format, values);
    va_end(values);
    unsetenv(LAYOUT);
    setenv(NOT_RESTORED, reason, 1);
    fcntl(atoi(arguments[0]), F_SETFD, FD_CLOEXEC);
    execv(arguments[1], arguments + 1);
    perror(arguments[1]);
    _exit(127);
}

/* For another layout of this process. */
__attribute__((noreturn)) static void draw_again(uint64_t address) {
    const char *before = getenv(LAYOUT);
    int layouts = before ? atoi(before) : 0;
    if (layouts >= MOST_LAYOUTS) give_up("address %" PRIx64 " is never free", address);
    char next[16];
    snprintf(next, sizeof next, "%d", layouts + 1);
    setenv(LAYOUT, next, 1);
    execv("/proc/self/exe", arguments - 1);
    give_up("it cannot execute itself: %s", strerror(errno));
}

struct image {
    int descriptor;
    const char *tables;
    const struct checkpoint_header *header;
    const struct checkpoint_file *files;
    const struct checkpoint_mapping *mappings;
    const struct checkpoint_piece *pieces;
};

static const void *table(const struct image *image, uint64_t offset, uint64_t entries, size_t size) {
    uint64_t whole = image->header->tables_size;
    if (offset > whole || entries > CHECKPOINT_MOST_ENTRIES || entries * size > whole - offset || offset % 8 != 0) {
        give_up("the checkpoint's tables are damaged");
    }
    return image->tables + offset;
}

static struct image open_image(int descriptor) {
    struct image image = {.descriptor = descriptor};
    struct checkpoint_header header;
    struct stat status;
    if (pread(image.descriptor, &header, sizeof header, 0) != sizeof header || fstat(image.descriptor, &status) != 0 ||
        memcmp(header.magic, CHECKPOINT_MAGIC, sizeof header.magic) != 0 || header.size != (uint64_t)status.st_size ||
        header.tables_size < sizeof header || header.tables_size > header.size) {
        give_up("the checkpoint is not whole");
    }
    image.tables = mmap(NULL, header.tables_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, image.descriptor, 0);
    if (image.tables == MAP_FAILED) give_up("the checkpoint cannot be mapped: %s", strerror(errno));
    image.header = (const struct checkpoint_header *)image.tables;
    image.files = table(&image, header.files_offset, header.files, sizeof *image.files);
    image.mappings = table(&image, header.mappings_offset, header.mappings, sizeof *image.mappings);
    image.pieces = table(&image, header.pieces_offset, header.pieces, sizeof *image.pieces);
    return image;
}

/* The file that was mapped, or one that is the same as far as its inode tells. */
static int open_file(const struct image *image, const struct checkpoint_file *file) {
    const char *path = table(image, file->path_offset, 1, 1);
    if (!memchr(path, 0, image->header->tables_size - file->path_offset)) give_up("the checkpoint's tables are damaged");
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0) give_up("%s: %s", path, strerror(errno));
    if ((uint64_t)status.st_size != file->size || status.st_ino != file->inode ||
        (uint64_t)status.st_mtim.tv_sec != file->seconds || (uint64_t)status.st_mtim.tv_nsec != file->nanoseconds) {
        give_up("%s is another file now", path);
    }
    return descriptor;
}

static void advise(const struct checkpoint_mapping *mapping) {
    if (!(mapping->advice & CHECKPOINT_WIPED_ON_FORK)) return;
    if (madvise((void *)mapping->start, mapping->end - mapping->start, MADV_WIPEONFORK) != 0) {
        give_up("memory at %" PRIx64 ": %s", mapping->start, strerror(errno));
    }
}

static void map_new(const struct checkpoint_mapping *mapping, int flags, int descriptor) {
    void *wanted = (void *)mapping->start;
    void *got = mmap(wanted, mapping->end - mapping->start, (int)mapping->protection, flags | MAP_FIXED_NOREPLACE,
                     descriptor, (off_t)mapping->offset);
    if (got == wanted) {
        advise(mapping);
        return;
    }
    if (got != MAP_FAILED || errno == EEXIST) draw_again(mapping->start);
    give_up("memory at %" PRIx64 ": %s", mapping->start, strerror(errno));
}

static void map_all(const struct image *image) {
    uint64_t count = image->header->files;
    int *descriptors = calloc(count + 1, sizeof *descriptors);
    if (!descriptors) give_up("no memory");
    for (uint64_t index = 0; index < count; index++) descriptors[index] = open_file(image, &image->files[index]);
    for (uint64_t index = 0; index < image->header->mappings; index++) {
        const struct checkpoint_mapping *mapping = &image->mappings[index];
        if (mapping->kind == CHECKPOINT_ANONYMOUS || mapping->kind == CHECKPOINT_STACK) {
            map_new(mapping, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
        } else if (mapping->file < count) {
            int sharing = mapping->kind == CHECKPOINT_SHARED_FILE ? MAP_SHARED : MAP_PRIVATE;
            map_new(mapping, sharing, descriptors[mapping->file]);
        } else {
            give_up("the checkpoint's tables are damaged");
        }
    }
    for (uint64_t index = 0; index < count; index++) close(descriptors[index]);
    free(descriptors);
}

static void copy_pages(const struct image *image, const struct checkpoint_piece *piece) {
    for (uint64_t done = 0; done < piece->size;) {
        ssize_t got = pread(image->descriptor, (char *)piece->start + done, piece->size - done,
                            (off_t)(piece->offset + done));
        if (got <= 0) give_up("the checkpoint cannot be read");
        done += (uint64_t)got;
    }
}

static void lay_pages(const struct image *image) {
    for (uint64_t index = 0; index < image->header->pieces; index++) {
        const struct checkpoint_piece *piece = &image->pieces[index];
        if (piece->mapping >= image->header->mappings) give_up("the checkpoint's tables are damaged");
        const struct checkpoint_mapping *mapping = &image->mappings[piece->mapping];
        if (piece->start < mapping->start || piece->start > mapping->end ||
            piece->size > mapping->end - piece->start || piece->offset > image->header->size ||
            piece->size > image->header->size - piece->offset) {
            give_up("the checkpoint's tables are damaged");
        }
        if (mapping->kind == CHECKPOINT_STACK) {
            copy_pages(image, piece);
        } else if (mmap((void *)piece->start, piece->size, (int)mapping->protection, MAP_PRIVATE | MAP_FIXED,
                        image->descriptor, (off_t)piece->offset) == MAP_FAILED) {
            give_up("memory at %" PRIx64 ": %s", piece->start, strerror(errno));
        }
    }
}

static const void *section(const char *vdso, const Elf64_Dyn *dynamic, Elf64_Sxword tag) {
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == tag) return vdso + dynamic->d_un.d_ptr;
    }
    give_up("the kernel's vDSO has no dynamic section %ld", (long)tag);
}

/* movabs rax, target; jmp rax */
static void write_jump(char *at, const char *target) {
    uint64_t address = (uint64_t)target;
    memcpy(at, "\x48\xb8", 2);
    memcpy(at + 2, &address, sizeof address);
    memcpy(at + 10, "\xff\xe0", 2);
}

/* The C library keeps pointers to the kernel's functions (vDSO), which are elsewhere now: where they were, they jump. */
static void divert_vdso(const struct image *image) {
    const struct checkpoint_header *header = image->header;
    if (header->vdso_size == 0) return;
    const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
    const char *before = table(image, header->vdso_offset, 1, header->vdso_size);
    if (!vdso || memcmp(vdso, before, header->vdso_size) != 0) give_up("the kernel's vDSO is another one");
    char *copy = (char *)header->vdso_address;
    struct checkpoint_mapping mapping = {.start = header->vdso_address, .end = header->vdso_address + header->vdso_size,
                                         .protection = PROT_READ | PROT_WRITE};
    map_new(&mapping, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memcpy(copy, before, header->vdso_size);
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)vdso;
    const Elf64_Phdr *segment = (const Elf64_Phdr *)(vdso + elf->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    for (int index = 0; index < elf->e_phnum; index++) {
        if (segment[index].p_type == PT_DYNAMIC) dynamic = (const Elf64_Dyn *)(vdso + segment[index].p_offset);
    }
    if (!dynamic) give_up("the kernel's vDSO has no dynamic section");
    const Elf64_Sym *symbols = section(vdso, dynamic, DT_SYMTAB);
    /* The string table follows the symbols, as linkers lay them out. */
    const Elf64_Sym *end = section(vdso, dynamic, DT_STRTAB);
    if (end < symbols || (const char *)end > vdso + header->vdso_size) give_up("the kernel's vDSO has another order");
    for (const Elf64_Sym *symbol = symbols; symbol < end; symbol++) {
        if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF) continue;
        if (symbol->st_size < JUMP_SIZE || symbol->st_value > header->vdso_size - JUMP_SIZE) {
            give_up("a function of the kernel's vDSO has no room");
        }
        write_jump(copy + symbol->st_value, vdso + symbol->st_value);
    }
    if (mprotect(copy, header->vdso_size, PROT_READ | PROT_EXEC) != 0) give_up("vDSO: %s", strerror(errno));
}

static size_t size_of(char *const *strings, uint64_t *count) {
    size_t size = 0;
    for (*count = 0; strings[*count]; ++*count) size += strlen(strings[*count]) + 1;
    return size;
}

static char *append(char *to, char *const *strings) {
    for (; *strings; strings++) to = stpcpy(to, *strings) + 1;
    return to;
}

/* In memory of its own, and nowhere else any more: variables may be secrets, and a process may be forked before it
 * takes them. */
static struct checkpoint_handover hand_over(void) {
    struct checkpoint_handover handover = {0};
    unsetenv(LAYOUT);
    char **given = arguments + 2;
    size_t size = size_of(given, &handover.arguments) + size_of(environ, &handover.variables);
    char *strings = mmap(NULL, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (strings == MAP_FAILED) give_up("no memory");
    append(append(strings, given), environ);
    handover.strings = (uint64_t)strings;
    handover.size = size;
    return handover;
}

/* What `ps` shows, where programs that set their title expect it. */
static void set_command_line(const struct image *image, struct prctl_mm_map *memory) {
    uint64_t start = image->header->arg_start, limit = image->header->env_end;
    for (uint64_t index = 0; index < image->header->mappings; index++) {
        const struct checkpoint_mapping *mapping = &image->mappings[index];
        if (mapping->kind != CHECKPOINT_STACK || start < mapping->start || limit > mapping->end || start >= limit) continue;
        char *to = (char *)start, *end = (char *)limit;
        memset(to, 0, (size_t)(end - to));
        for (char **word = arguments + 1; *word && to + strlen(*word) + 1 < end; word++) to = stpcpy(to, *word) + 1;
        memory->arg_start = start;
        memory->arg_end = memory->env_start = memory->env_end = (uint64_t)to;
        return;
    }
    give_up("the checkpoint has no stack");
}

static void set_memory(const struct image *image) {
    const struct checkpoint_header *header = image->header;
    struct prctl_mm_map memory = {
        .start_code = header->start_code, .end_code = header->end_code, .start_data = header->start_data,
        .end_data = header->end_data, .start_brk = header->start_brk, .brk = header->brk,
        .start_stack = header->start_stack, .exe_fd = (uint32_t)-1,
    };
    set_command_line(image, &memory);
    if (prctl(PR_SET_MM, PR_SET_MM_MAP, &memory, sizeof memory, 0) != 0) {
        give_up("the kernel does not let a process say where its heap is: %s", strerror(errno));
    }
}

static void set_name(void) {
    const char *slash = strrchr(arguments[1], '/');
    prctl(PR_SET_NAME, slash ? slash + 1 : arguments[1]);
}

static void unregister_rseq(void) {
    if (&__rseq_offset == NULL || &__rseq_size == NULL || __rseq_size == 0) return;
    unsigned int size = __rseq_size < RSEQ_SMALLEST ? RSEQ_SMALLEST : __rseq_size;
    size = (size + RSEQ_SMALLEST - 1) / RSEQ_SMALLEST * RSEQ_SMALLEST;
    syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, size, RSEQ_UNREGISTER, RSEQ_SIGNATURE);
}

int main(int count, char **given) {
    if (count < 3) {
        fprintf(stderr, "usage: restore DESCRIPTOR PROGRAM [ARGUMENT ...]\n");
        return 2;
    }
    arguments = given + 1;
    struct image image = open_image(atoi(arguments[0]));
    map_all(&image);
    lay_pages(&image);
    divert_vdso(&image);
    struct checkpoint_handover handover = hand_over();
    set_memory(&image);
    set_name();
    /* Nothing fails from here on. */
    for (char **variable = environ; *variable; variable++) memset(*variable, 0, strlen(*variable));
    for (char **argument = arguments; *argument; argument++) memset(*argument, 0, strlen(*argument));
    void (*resume)(const struct checkpoint_handover *) =
        (void (*)(const struct checkpoint_handover *))image.header->resume;
    unregister_rseq();
    close(image.descriptor);
    resume(&handover);
    return 125;
}
