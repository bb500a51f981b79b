/* Stands between a process and the C library (LD_PRELOAD): counts every change of a file below one folder, and interferes with one
 * of them. Python, numpy, torch, safetensors (Rust) and FFmpeg all change files through these functions. What is stored through a
 * mapping is not seen; tests/faults/lines.py stops between the lines that do so. It also sets a process's clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { COUNT, KILL, TORN, FULL, READ_ONLY };

static char prefix[PATH_MAX];
static size_t prefix_length;
static long count, stop_at;
static int mode, armed, journal = -1;

#define REAL(name) \
    static typeof(name) *real; \
    if (!real) real = (typeof(name) *)dlsym(RTLD_NEXT, #name)

static void note(const char *kind, const char *one, const char *other, long at, long length)
{
    char line[2 * PATH_MAX + 64];
    if (journal < 0) return;
    int n = snprintf(line, sizeof line, "%s\t%s\t%s\t%ld\t%ld\n", kind, one, other ? other : "", at, length);
    syscall(SYS_write, journal, line, n);
}

static int below(const char *path) { return armed && !strncmp(path, prefix, prefix_length); }

static int of_descriptor(int fd, char *path)
{
    char link[64];
    if (!armed) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlink, link, path, PATH_MAX - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return below(path);
}

static int absolute(int folder, const char *name, char *path)
{
    if (!armed || !name) return 0;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
    } else if (folder == AT_FDCWD) {
        if (syscall(SYS_getcwd, path, PATH_MAX) < 0) return 0;
        strncat(path, "/", PATH_MAX - strlen(path) - 1);
        strncat(path, name, PATH_MAX - strlen(path) - 1);
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t n = syscall(SYS_readlink, link, path, PATH_MAX - 1);
        if (n <= 0) return 0;
        path[n] = 0;
        strncat(path, "/", PATH_MAX - strlen(path) - 1);
        strncat(path, name, PATH_MAX - strlen(path) - 1);
    }
    return below(path);
}

static void die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* One more point. 0: go on; else the error to give. `torn` is set where half of a write is to be done before the end. */
static int point(int *torn)
{
    long here = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (torn) *torn = 0;
    if (!stop_at || here < stop_at) return 0;
    if (mode == KILL && here == stop_at) die();
    if (mode == TORN && here == stop_at) {
        if (!torn) die();
        *torn = 1;
    }
    if (mode == FULL) return ENOSPC;
    if (mode == READ_ONLY) return EROFS;
    return 0;
}

void faults_arm(const char *folder, long stop, int how, const char *log)
{
    snprintf(prefix, sizeof prefix, "%s", folder);
    prefix_length = strlen(prefix);
    count = 0;
    stop_at = stop;
    mode = how;
    journal = log && *log ? (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    armed = 1;
}

long faults_count(void) { return count; }

void faults_disarm(void) { armed = 0; }

/* Writing: what needs room fails on a full disk; a read-only one refuses to open, so that what is open goes on. */
static long writing(int fd, long length, long at, int *torn, int *error)
{
    char path[PATH_MAX];
    *torn = *error = 0;
    if (!of_descriptor(fd, path)) return length;
    if (at < 0) {
        struct stat about;
        int flags = (int)syscall(SYS_fcntl, fd, F_GETFL);
        at = (flags & O_APPEND) && !fstat(fd, &about) ? about.st_size : syscall(SYS_lseek, fd, 0, SEEK_CUR);
    }
    *error = point(torn);
    if (*error == EROFS) *error = 0;
    note("write", path, 0, at, *torn ? length / 2 : length);
    return *torn ? length / 2 : length;
}

ssize_t write(int fd, const void *data, size_t length)
{
    REAL(write);
    int torn, error;
    long n = writing(fd, length, -1, &torn, &error);
    if (error) return errno = error, -1;
    ssize_t done = real(fd, data, n);
    if (torn) die();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at)
{
    REAL(pwrite);
    int torn, error;
    long n = writing(fd, length, at, &torn, &error);
    if (error) return errno = error, -1;
    ssize_t done = real(fd, data, n, at);
    if (torn) die();
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t at) { return pwrite(fd, data, length, at); }

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    REAL(writev);
    int torn, error;
    long length = 0;
    for (int i = 0; i < n; i++) length += parts[i].iov_len;
    writing(fd, length, -1, &torn, &error);
    if (error) return errno = error, -1;
    ssize_t done = real(fd, parts, torn ? n / 2 : n);
    if (torn) die();
    return done;
}

size_t fwrite(const void *data, size_t size, size_t n, FILE *file)
{
    REAL(fwrite);
    char path[PATH_MAX];
    int torn, error;
    if (!of_descriptor(fileno(file), path)) return real(data, size, n, file);
    fflush(file);
    long at = ftell(file);
    writing(fileno(file), size * n, at, &torn, &error);
    if (error) return errno = error, 0;
    size_t done = real(data, size, torn ? n / 2 : n, file);
    fflush(file);
    if (torn) die();
    return done;
}

#define CHANGE(kind, path, other) \
    do { \
        int error = point(0); \
        if (error) return errno = error, -1; \
        note(kind, path, other, 0, 0); \
    } while (0)

static int may_make(const char *path, int flags)
{
    struct stat about;
    int there = !syscall(SYS_newfstatat, AT_FDCWD, path, &about, 0);
    if (there && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return 0;
    if (!there && !(flags & O_CREAT)) return 0;
    if (mode == READ_ONLY && stop_at && count >= stop_at && (flags & O_ACCMODE) != O_RDONLY) return errno = EROFS, -1;
    if (there && !(flags & O_TRUNC)) return 0;
    CHANGE("make", path, 0);
    return 0;
}

#define OPENING(name, folder, given, passed) \
    int name given \
    { \
        REAL(name); \
        char full[PATH_MAX]; \
        va_list more; \
        va_start(more, flags); \
        mode_t permissions = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        if (absolute(folder, path, full) && may_make(full, flags)) return -1; \
        return real passed; \
    }
OPENING(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, permissions))
OPENING(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, permissions))
OPENING(openat, at, (int at, const char *path, int flags, ...), (at, path, flags, permissions))
OPENING(openat64, at, (int at, const char *path, int flags, ...), (at, path, flags, permissions))

#define FOPENING(name) \
    FILE *name(const char *path, const char *how) \
    { \
        REAL(name); \
        char full[PATH_MAX]; \
        if (how[0] != 'r' && absolute(AT_FDCWD, path, full)) { \
            int error = point(0); \
            if (error) return errno = error, NULL; \
            note("make", full, 0, 0, 0); \
        } \
        return real(path, how); \
    }
FOPENING(fopen)
FOPENING(fopen64)

int rename(const char *one, const char *other)
{
    REAL(rename);
    char from[PATH_MAX], to[PATH_MAX];
    if (absolute(AT_FDCWD, other, to) && absolute(AT_FDCWD, one, from)) CHANGE("rename", from, to);
    return real(one, other);
}

int renameat(int a, const char *one, int b, const char *other)
{
    REAL(renameat);
    char from[PATH_MAX], to[PATH_MAX];
    if (absolute(b, other, to) && absolute(a, one, from)) CHANGE("rename", from, to);
    return real(a, one, b, other);
}

int link(const char *one, const char *other)
{
    REAL(link);
    char to[PATH_MAX];
    if (absolute(AT_FDCWD, other, to)) CHANGE("link", one, to);
    return real(one, other);
}

int linkat(int a, const char *one, int b, const char *other, int flags)
{
    REAL(linkat);
    char to[PATH_MAX];
    if (absolute(b, other, to)) CHANGE("link", one, to);
    return real(a, one, b, other, flags);
}

int symlink(const char *one, const char *other)
{
    REAL(symlink);
    char to[PATH_MAX];
    if (absolute(AT_FDCWD, other, to)) CHANGE("symlink", to, 0);
    return real(one, other);
}

int unlink(const char *path)
{
    REAL(unlink);
    char full[PATH_MAX];
    if (absolute(AT_FDCWD, path, full)) CHANGE("unlink", full, 0);
    return real(path);
}

int unlinkat(int folder, const char *path, int flags)
{
    REAL(unlinkat);
    char full[PATH_MAX];
    if (absolute(folder, path, full)) CHANGE("unlink", full, 0);
    return real(folder, path, flags);
}

int rmdir(const char *path)
{
    REAL(rmdir);
    char full[PATH_MAX];
    if (absolute(AT_FDCWD, path, full)) CHANGE("unlink", full, 0);
    return real(path);
}

int mkdir(const char *path, mode_t permissions)
{
    REAL(mkdir);
    char full[PATH_MAX];
    struct stat about;
    if (absolute(AT_FDCWD, path, full) && syscall(SYS_newfstatat, AT_FDCWD, full, &about, 0)) CHANGE("mkdir", full, 0);
    return real(path, permissions);
}

static int cutting(int fd, off_t length)
{
    char path[PATH_MAX];
    if (of_descriptor(fd, path)) CHANGE("truncate", path, 0);
    (void)length;
    return 0;
}

int ftruncate(int fd, off_t length)
{
    REAL(ftruncate);
    return cutting(fd, length) ? -1 : real(fd, length);
}

int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

static int syncing(int fd)
{
    char path[PATH_MAX];
    int error;
    if (!of_descriptor(fd, path)) return 0;
    error = point(0);
    if (error == EIO) return errno = error, -1;
    return 0;
}

static void synced(int fd)
{
    char path[PATH_MAX];
    if (of_descriptor(fd, path)) note("sync", path, 0, 0, 0);
}

int fsync(int fd)
{
    REAL(fsync);
    if (syncing(fd)) return -1;
    int done = real(fd);
    synced(fd);
    return done;
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    if (syncing(fd)) return -1;
    int done = real(fd);
    synced(fd);
    return done;
}

/* The time of day is the system's and as many seconds as the file that is mapped here says; processes that were armed with the same
 * file have the same clock. The steady clock, and the times of files, stay the system's. */
static const volatile long *moved;

int faults_clock(const char *file)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY, 0);
    void *page = fd < 0 ? MAP_FAILED : mmap(0, sizeof *moved, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) moved = page;
    return moved ? 0 : -1;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    REAL(clock_gettime);
    int done = real(clock, now);
    if (!done && moved && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *moved;
    return done;
}

int gettimeofday(struct timeval *now, void *zone)
{
    REAL(gettimeofday);
    int done = real(now, zone);
    if (!done && moved) now->tv_sec += *moved;
    return done;
}

time_t time(time_t *told)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}
