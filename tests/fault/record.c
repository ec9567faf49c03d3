/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a daemon: appends what it writes below the folder SATCHEL_RECORD_DATA, and when it
 * syncs, to the file SATCHEL_RECORD (record.h).
 */
#include "tests/fault/record.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

enum { NONE = -1, PATH = 512, PARTS = 1024 };

SHOWN ssize_t pwrite(int fd, const void *buf, size_t len, off_t at);
SHOWN ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at);
SHOWN ssize_t writev(int fd, const struct iovec *iov, int n);
SHOWN ssize_t write(int fd, const void *buf, size_t len);
SHOWN int fdatasync(int fd);
SHOWN int fsync(int fd);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last;
static int out = NONE;

/* Which of the files that count ${fd} is, or NONE. */
static int file_of(int fd)
{
    static const char *const names[RECORD_FILE_COUNT] = RECORD_FILES;
    const char *data = getenv("SATCHEL_RECORD_DATA");
    char link[64], path[PATH] = "";
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = data != NULL ? readlink(link, path, sizeof(path) - 1) : -1;
    if (n <= 0 || strncmp(path, data, strlen(data)) != 0)
        return NONE;
    for (int i = 0; i < RECORD_FILE_COUNT; i++)
        if (strcmp(path + strlen(data) + 1, names[i]) == 0)
            return i;
    return NONE;
}

/* Append an entry; returns its number.  A log that cannot be written ends the daemon. */
static uint64_t append(struct record_head *h, const struct iovec *iov, int n)
{
    struct iovec all[PARTS] = {{h, sizeof(*h)}};
    const char *path = getenv("SATCHEL_RECORD");
    size_t want = sizeof(*h) + h->len;

    pthread_mutex_lock(&lock);
    if (out == NONE && path != NULL)
        out = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    h->magic = RECORD_MAGIC;
    h->number = ++last;
    if (n > PARTS - 1)
        abort();
    if (n > 0)
        memcpy(&all[1], iov, (size_t)n * sizeof(*iov));
    if (syscall(SYS_writev, out, all, n + 1) != (long)want)
        abort();
    pthread_mutex_unlock(&lock);
    return h->number;
}

static uint64_t total(const struct iovec *iov, int n)
{
    uint64_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += iov[i].iov_len;
    return sum;
}

/* What is about to be written, and, when it came back, whether it is durable by itself. */
static uint64_t begin(int fd, int file, const struct iovec *iov, int n, off_t at)
{
    struct record_head h = {.kind = RECORD_WRITE, .file = (uint16_t)file, .at = (uint64_t)at};

    (void)fd;
    h.len = total(iov, n);
    return append(&h, iov, n);
}

static void end(int fd, int file, uint64_t number)
{
    struct record_head h = {.kind = RECORD_DURABLE, .file = (uint16_t)file, .upto = number};
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && (flags & O_DSYNC) != 0)
        (void)append(&h, NULL, 0);
}

SHOWN ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
    int file = file_of(fd);
    uint64_t number = file != NONE ? begin(fd, file, iov, n, at) : 0;
    long rc = syscall(SYS_pwritev, fd, iov, n, at, 0);

    if (number != 0)
        end(fd, file, number);
    return rc;
}

SHOWN ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
    struct iovec one = {(void *)(uintptr_t)buf, len};

    return pwritev(fd, &one, 1, at);
}

SHOWN ssize_t writev(int fd, const struct iovec *iov, int n)
{
    int file = file_of(fd);
    uint64_t number = file != NONE ? begin(fd, file, iov, n, lseek(fd, 0, SEEK_CUR)) : 0;
    long rc = syscall(SYS_writev, fd, iov, n);

    if (number != 0)
        end(fd, file, number);
    return rc;
}

SHOWN ssize_t write(int fd, const void *buf, size_t len)
{
    struct iovec one = {(void *)(uintptr_t)buf, len};

    return writev(fd, &one, 1);
}

static int sync_with(int fd, long number)
{
    struct record_head h = {.kind = RECORD_SYNC};
    int file = file_of(fd);
    long rc;

    pthread_mutex_lock(&lock);
    h.upto = last; /* what comes while it runs may miss it */
    pthread_mutex_unlock(&lock);
    rc = syscall(number, fd);
    h.file = (uint16_t)file;
    if (rc == 0 && file != NONE)
        (void)append(&h, NULL, 0);
    return (int)rc;
}

SHOWN int fdatasync(int fd)
{
    return sync_with(fd, SYS_fdatasync);
}

SHOWN int fsync(int fd)
{
    return sync_with(fd, SYS_fsync);
}
