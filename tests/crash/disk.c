/*
 * A disk under observation, for the crash tests: loaded into `tern serve` with LD_PRELOAD.
 *
 * Every write, truncation and sync of the SQLite database (*.db) and its log (*.db-wal) is appended to the file
 * $TERN_DISK_LOG, so that a test can build each state in which a power cut may leave the disk. A record is 18 bytes
 * (kind, file, two little-endian u64) and, for a write, its bytes:
 *
 *   'w' file offset length bytes      a write
 *   't' file length 0                 a truncation
 *   's' file position 0               what was written before this position of the log is durable
 *
 * While the file $TERN_DISK_FULL exists, writes to both fail with ENOSPC.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static uint64_t log_end;

#define NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

/* 0 for the database, 1 for its log, -1 for anything else. */
static int file_of(int fd) {
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 4) return -1;
    path[length] = 0;
    if (strcmp(path + length - 3, ".db") == 0) return 0;
    return length > 7 && strcmp(path + length - 7, ".db-wal") == 0 ? 1 : -1;
}

static int is_full(void) {
    const char *path = getenv("TERN_DISK_FULL");
    return path && access(path, F_OK) == 0;
}

/* With the turn: where the next record goes. Nothing is logged without $TERN_DISK_LOG. */
static int open_log(void) {
    if (log_fd < 0) {
        const char *path = getenv("TERN_DISK_LOG");
        struct stat now;
        if (!path) return -1;
        log_fd = open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
        if (log_fd < 0 || fstat(log_fd, &now) != 0) abort();
        log_end = (uint64_t)now.st_size;
    }
    return log_fd;
}

/* With the turn: appends a record in one call; a log with a hole would prove nothing. */
static void append(char kind, int file, uint64_t a, const void *bytes, uint64_t length) {
    if (open_log() < 0) return;
    char head[18];
    head[0] = kind;
    head[1] = (char)file;
    memcpy(head + 2, &a, 8);
    memcpy(head + 10, &length, 8);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, length}};
    if (writev(log_fd, parts, length ? 2 : 1) != (ssize_t)(sizeof head + length)) abort();
    log_end += sizeof head + length;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    int file = file_of(fd);
    if (file < 0) return NEXT(write)(fd, bytes, length);
    if (is_full()) {
        errno = ENOSPC;
        return -1;
    }
    pthread_mutex_lock(&turn);
    off64_t offset = lseek64(fd, 0, SEEK_CUR);
    ssize_t done = NEXT(write)(fd, bytes, length);
    if (done > 0) append('w', file, (uint64_t)offset, bytes, (uint64_t)done);
    pthread_mutex_unlock(&turn);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    int file = file_of(fd);
    if (file < 0) return NEXT(pwrite64)(fd, bytes, length, offset);
    if (is_full()) {
        errno = ENOSPC;
        return -1;
    }
    pthread_mutex_lock(&turn);
    ssize_t done = NEXT(pwrite64)(fd, bytes, length, offset);
    if (done > 0) append('w', file, (uint64_t)offset, bytes, (uint64_t)done);
    pthread_mutex_unlock(&turn);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

int ftruncate64(int fd, off64_t length) {
    int file = file_of(fd);
    if (file < 0) return NEXT(ftruncate64)(fd, length);
    pthread_mutex_lock(&turn);
    int done = NEXT(ftruncate64)(fd, length);
    if (done == 0) append('t', file, (uint64_t)length, "", 0);
    pthread_mutex_unlock(&turn);
    return done;
}

int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}

/* What others write while the disk works may not be durable after it: the position is taken before. */
static int synced(int fd, int (*sync)(int)) {
    int file = file_of(fd);
    if (file < 0) return sync(fd);
    pthread_mutex_lock(&turn);
    open_log();
    uint64_t before = log_end;
    pthread_mutex_unlock(&turn);
    int done = sync(fd);
    pthread_mutex_lock(&turn);
    if (done == 0) append('s', file, before, "", 0);
    pthread_mutex_unlock(&turn);
    return done;
}

int fsync(int fd) {
    return synced(fd, NEXT(fsync));
}

int fdatasync(int fd) {
    return synced(fd, NEXT(fdatasync));
}
