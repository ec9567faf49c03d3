/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sectors.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/fs.h"

#define SHOWN __attribute__((visibility("default")))

enum { SECTOR = 512, PENDING_MAX = 65536, FILE_MAX = 64 << 20 };

struct sector {
    uint64_t at;
    uint8_t bytes[SECTOR];
};

static struct {
    pthread_mutex_t lock;
    const char *path;
    ino_t file; /* 0: none is watched */
    bool frozen;
    unsigned calls, cut_at, syncs, lose_at;
    struct sector *pending;
    size_t npending;
    uint8_t *durable;
    size_t len, cap;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Not cmocka's: they are no test's thread that come here. */
static void must(bool good)
{
    if (!good)
        abort();
}

static void make_durable(const struct sector *s)
{
    size_t at = (size_t)s->at;

    if (at + SECTOR > disk.cap) {
        disk.cap = at + (1 << 20);
        disk.durable = realloc(disk.durable, disk.cap);
        must(disk.durable != NULL);
    }
    if (at + SECTOR > disk.len) {
        memset(disk.durable + disk.len, 0, at + SECTOR - disk.len);
        disk.len = at + SECTOR;
    }
    memcpy(disk.durable + at, s->bytes, SECTOR);
}

static bool is_watched(int fd)
{
    struct stat st;

    return disk.file != 0 && fstat(fd, &st) == 0 && st.st_ino == disk.file;
}

static bool is_cut(void)
{
    disk.calls++;
    return disk.cut_at != 0 && disk.calls >= disk.cut_at;
}

static void note(const uint8_t *bytes, size_t len, uint64_t at)
{
    for (size_t i = 0; !disk.frozen && i < len; i += SECTOR) {
        must(disk.npending < PENDING_MAX);
        disk.pending[disk.npending].at = at + i;
        memcpy(disk.pending[disk.npending++].bytes, bytes + i, SECTOR);
    }
}

/* False: the sync fails. */
static bool settle(void)
{
    bool lost = ++disk.syncs == disk.lose_at;

    if (is_cut())
        return false;
    for (size_t i = 0; !lost && !disk.frozen && i < disk.npending; i++)
        make_durable(&disk.pending[i]);
    disk.npending = 0;
    return !lost;
}

SHOWN ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
    bool good = true;

    pthread_mutex_lock(&disk.lock);
    if (is_watched(fd)) {
        good = !is_cut();
        if (good)
            note(buf, len, (uint64_t)at);
    }
    pthread_mutex_unlock(&disk.lock);
    errno = EIO;
    return good ? syscall(SYS_pwrite64, fd, buf, len, at) : -1;
}

SHOWN int fdatasync(int fd)
{
    bool good;

    pthread_mutex_lock(&disk.lock);
    good = !is_watched(fd) || settle();
    pthread_mutex_unlock(&disk.lock);
    errno = EIO;
    return good ? (int)syscall(SYS_fdatasync, fd) : -1;
}

void sectors_watch(const char *path)
{
    struct buf b = {0};
    struct stat st;

    assert_int_equal(fs_read(path, FILE_MAX, &b, NULL), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    pthread_mutex_lock(&disk.lock);
    if (disk.pending == NULL)
        disk.pending = calloc(PENDING_MAX, sizeof(*disk.pending));
    must(disk.pending != NULL);
    free(disk.durable);
    disk.durable = b.data;
    disk.len = b.len;
    disk.cap = b.cap;
    disk.path = path;
    disk.file = st.st_ino;
    disk.frozen = false;
    disk.calls = disk.cut_at = disk.syncs = disk.lose_at = 0;
    disk.npending = 0;
    pthread_mutex_unlock(&disk.lock);
}

static void set(unsigned *what, unsigned to)
{
    pthread_mutex_lock(&disk.lock);
    *what = to;
    pthread_mutex_unlock(&disk.lock);
}

void sectors_cut_at(unsigned at)
{
    set(&disk.cut_at, at);
}

void sectors_lose_at(unsigned at)
{
    set(&disk.lose_at, at);
}

unsigned sectors_syncs(void)
{
    unsigned n;

    pthread_mutex_lock(&disk.lock);
    n = disk.syncs;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

void sectors_hold(void)
{
    pthread_mutex_lock(&disk.lock);
}

void sectors_go_on(void)
{
    pthread_mutex_unlock(&disk.lock);
}

void sectors_freeze(void)
{
    pthread_mutex_lock(&disk.lock);
    disk.frozen = true;
    disk.npending = 0;
    pthread_mutex_unlock(&disk.lock);
}

void sectors_reboot(unsigned which)
{
    for (size_t i = 0; i < disk.npending; i++) {
        which = which * 1103515245 + 12345;
        if (which & 0x10000)
            make_durable(&disk.pending[i]);
    }
    disk.file = 0;
    disk.npending = 0;
    assert_int_equal(fs_replace(disk.path, disk.durable, disk.len, 0600, NULL), ERR_OK);
}

void sectors_free(void)
{
    free(disk.durable);
    free(disk.pending);
    disk.durable = NULL;
    disk.pending = NULL;
}
