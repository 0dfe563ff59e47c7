// First command of each start and reload of the engine's two units: takes over the environment that the agent has written.
// take-environment FILE: its name in /run/crosslogic, and that of the copy in /run/crosslogic-environment.
//
// PID 1 reads what EnvironmentFile= names, whatever it is. In a folder of the agent's that could be a link to a file of
// root's, whose lines would then reach the engine, or a FIFO, at which PID 1 would wait, and with it the machine. So
// EnvironmentFile= names the copy, in a folder of root's, of a file that has been looked at here.
//
// A start without the copy fails: PID 1 would take the environment of an earlier one, or none. Linked statically, as
// record-exit is: on a reload it runs in the environment of the start.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static const char source[] = "/run/crosslogic";
static const char target[] = "/run/crosslogic-environment";

// In bytes. Beyond it the kernel would not execute a program with it anyway.
enum { limit = 1 << 20 };
static char content[limit + 1];

// To the journal, and to standard error, which is the engine's log. Always false.
__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    openlog("take-environment", LOG_PERROR, LOG_DAEMON);
    vsyslog(LOG_ERR, format, arguments);
    va_end(arguments);
    return 0;
}

// Only root can make entries in /run: what is there is root's, and the agent's folder, whoever the agent is.
static int open_folder(const char *path) { return open(path, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC); }

static int is_fit(int file, int folder, const char *name) {
    struct stat found, owner;
    if (fstat(file, &found) != 0 || fstat(folder, &owner) != 0) {
        return complain("%s/%s: %s", source, name, strerror(errno));
    }
    if (!S_ISREG(found.st_mode)) return complain("%s/%s is no file: remove it", source, name);
    if (found.st_uid != owner.st_uid || found.st_nlink != 1) {
        return complain("%s/%s is not the agent's alone (uid %u, %u links): remove it", source, name,
                        (unsigned)found.st_uid, (unsigned)found.st_nlink);
    }
    if (found.st_size > limit) return complain("%s/%s has more than %d bytes", source, name, limit);
    return 1;
}

// The number of bytes, or -1.
static ssize_t take(int folder, const char *name) {
    // O_NONBLOCK: a FIFO opens at once.
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0) {
        complain("%s/%s: %s", source, name, errno == ELOOP ? "is a link: remove it" : strerror(errno));
        return -1;
    }
    if (!is_fit(file, folder, name)) return -1;
    ssize_t size = 0, got;
    while ((got = read(file, content + size, sizeof content - (size_t)size)) > 0) size += got;
    if (got < 0 || size > limit) {
        // The agent may write on while it is read.
        complain("%s/%s: %s", source, name, got < 0 ? strerror(errno) : "grows while it is read");
        return -1;
    }
    return size;
}

static int put(int folder, const char *name, size_t size) {
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t written = 0;
    while (file >= 0 && written < size) {
        ssize_t more = write(file, content + written, size - written);
        if (more < 0) break;
        written += (size_t)more;
    }
    if (file >= 0 && written == size && close(file) == 0) return 1;
    complain("%s/%s: %s", target, name, strerror(errno));
    unlinkat(folder, name, 0);
    return 0;
}

int main(int count, char **arguments) {
    if (count != 2 || strchr(arguments[1], '/') != NULL) {
        fprintf(stderr, "usage: take-environment FILE\n");
        return 64;
    }
    const char *name = arguments[1];
    umask(077);
    if (mkdir(target, 0700) != 0 && errno != EEXIST) return !complain("%s: %s", target, strerror(errno));
    int to = open_folder(target);
    if (to < 0) return !complain("%s: %s", target, strerror(errno));
    // Whatever comes of this, the environment of an earlier start is used by none.
    if (unlinkat(to, name, 0) != 0 && errno != ENOENT) return !complain("%s/%s: %s", target, name, strerror(errno));
    int from = open_folder(source);
    if (from < 0) return !complain("%s: %s", source, strerror(errno));
    ssize_t size = take(from, name);
    return size >= 0 && put(to, name, (size_t)size) ? 0 : 1;
}
