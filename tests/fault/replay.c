/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay - cuts the power at many moments of a recorded run, and looks what is left.
 *
 *   replay BASE LOG WORK READER STATES SEED [LIAR]
 *
 * BASE is the data folder as it was before the daemon started with record.so, LOG what that wrote,
 * WORK a copy of BASE whose files are overwritten, READER the user ID to whom all was sent.  A
 * state: everything up to some entry of the log that a sync had covered, and of the rest, sector by
 * sector, some: none, all, or what chance says, so that later writes may be there without earlier
 * ones.  Prints the number of states; exit 1 if one of them broke a promise.
 * LIAR: a file whose syncs count for nothing, to see that this is noticed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "tests/fault/record.h"
#include "tests/fault/replay.h"

enum { SECTOR = 512, KNOWN_MAX = 4096, LOG_MAX = 1 << 30, MODES = 4 };

/* A file as far as it is durable; behind ${len} there are zeros up to ${size}. */
struct image {
    uint8_t *data;
    size_t len, cap;
    off_t size;
};

struct entry {
    struct record_head h;
    const uint8_t *data;
    bool durable;
};

struct run {
    const char *work;
    struct buf log;
    struct entry *entries;
    size_t n, first_pending;
    struct image files[RECORD_FILE_COUNT];
    struct known known[KNOWN_MAX];
    size_t nknown;
    struct uid reader;
    uint64_t chance;
    int liar; /* -1: none */
};

static const char *const names[RECORD_FILE_COUNT] = RECORD_FILES;

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "replay: %s: %s\n", what, why);
    exit(2);
}

static unsigned draw(struct run *r)
{
    r->chance = r->chance * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(r->chance >> 33);
}

/* ---- images ---- */

static void image_put(struct image *f, uint64_t at, const uint8_t *data, size_t len)
{
    if (at + len > f->cap) {
        f->cap = (size_t)(at + len) * 2;
        f->data = realloc(f->data, f->cap);
        if (f->data == NULL)
            die("image", "out of memory");
    }
    if (at + len > f->len) {
        memset(f->data + f->len, 0, (size_t)(at + len) - f->len);
        f->len = (size_t)(at + len);
    }
    memcpy(f->data + at, data, len);
}

/* Read what is not a hole at the end. */
static void image_load(struct image *f, const char *path)
{
    uint8_t block[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t at = 0, hole;
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) != 0)
        die(path, strerror(errno));
    f->size = st.st_size;
    while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
        hole = lseek(fd, at, SEEK_HOLE);
        while (at < hole && (n = pread(fd, block, sizeof(block), at)) > 0) {
            for (ssize_t i = 0; i < n; i += SECTOR) {
                static const uint8_t zeros[SECTOR];
                size_t part = (size_t)(n - i) < SECTOR ? (size_t)(n - i) : SECTOR;

                if (memcmp(block + i, zeros, part) != 0)
                    image_put(f, (uint64_t)(at + i), block + i, part);
            }
            at += n;
        }
    }
    close(fd);
}

static void image_store(const struct image *f, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    off_t size = (off_t)f->len > f->size ? (off_t)f->len : f->size;

    for (size_t at = 0; fd >= 0 && at < f->len;) {
        ssize_t n = write(fd, f->data + at, f->len - at);

        if (n <= 0)
            die(path, strerror(errno));
        at += (size_t)n;
    }
    if (fd < 0 || ftruncate(fd, size) != 0)
        die(path, strerror(errno));
    close(fd);
}

/* ---- the log ---- */

static void parse(struct run *r)
{
    size_t at = 0, cap = 0;

    while (at + sizeof(struct record_head) <= r->log.len) {
        struct entry e = {0};

        memcpy(&e.h, r->log.data + at, sizeof(e.h));
        at += sizeof(e.h);
        if (e.h.magic != RECORD_MAGIC || e.h.file >= RECORD_FILE_COUNT || e.h.len > r->log.len - at)
            die("log", "not an entry");
        e.data = r->log.data + at;
        at += (size_t)e.h.len;
        if (r->n == cap) {
            cap = cap > 0 ? cap * 2 : 1024;
            r->entries = reallocarray(r->entries, cap, sizeof(*r->entries));
            if (r->entries == NULL)
                die("log", "out of memory");
        }
        r->entries[r->n++] = e;
    }
}

static void note(struct run *r, const struct entry *e)
{
    struct known k = {0};
    struct known *at = r->known;

    for (size_t i = 0; i < sizeof(k.tid) && 2 * i + 1 < e->h.len; i++) {
        char two[3] = {(char)e->data[2 * i], (char)e->data[2 * i + 1], '\0'};

        k.tid[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    while (at < r->known + r->nknown && memcmp(at->tid, k.tid, sizeof(k.tid)) != 0)
        at++;
    if (at == r->known + KNOWN_MAX)
        die("log", "too many marks");
    if (at == r->known + r->nknown) {
        *at = k;
        r->nknown++;
    }
    at->sent |= e->h.kind == RECORD_SENT;
    at->deleting |= e->h.kind != RECORD_SENT;
    at->deleted |= e->h.kind == RECORD_DELETED;
}

/* What a sync covers becomes part of its image, in the order written. */
static void settle(struct run *r, size_t upto)
{
    while (r->first_pending < upto && (r->entries[r->first_pending].h.kind != RECORD_WRITE ||
                                       r->entries[r->first_pending].durable))
        r->first_pending++;
}

static void take(struct run *r, size_t i)
{
    const struct entry *e = &r->entries[i];

    if (e->h.kind == RECORD_WRITE)
        return;
    if (e->h.kind != RECORD_SYNC && e->h.kind != RECORD_DURABLE) {
        note(r, e);
        return;
    }
    for (size_t k = r->first_pending; k < i; k++) {
        struct entry *w = &r->entries[k];

        if (w->h.kind != RECORD_WRITE || w->durable || w->h.file != e->h.file ||
            e->h.file == r->liar || w->h.number > e->h.upto ||
            (e->h.kind == RECORD_DURABLE && w->h.number != e->h.upto))
            continue;
        image_put(&r->files[w->h.file], w->h.at, w->data, (size_t)w->h.len);
        w->durable = true;
    }
    settle(r, i);
}

/* ---- states ---- */

static void add_pending(struct run *r, struct image files[], size_t upto, unsigned mode)
{
    for (size_t k = r->first_pending; k < upto; k++) {
        const struct entry *w = &r->entries[k];
        bool all = mode == 1 || (mode == 2 && draw(r) % 2 == 0);

        if (w->h.kind != RECORD_WRITE || w->durable || mode == 0)
            continue;
        for (uint64_t at = 0; at < w->h.len; at += SECTOR) {
            size_t len = w->h.len - at < SECTOR ? (size_t)(w->h.len - at) : SECTOR;

            if (all || (mode == 3 && draw(r) % 2 == 0))
                image_put(&files[w->h.file], w->h.at + at, w->data + at, len);
        }
    }
}

/* The power goes when entries before ${upto} have been logged. */
static bool cut(struct run *r, size_t upto, unsigned mode)
{
    struct expectation want = {r->work, r->reader, r->known, r->nknown};
    struct image files[RECORD_FILE_COUNT];
    bool good;

    for (int i = 0; i < RECORD_FILE_COUNT; i++) {
        files[i] = (struct image){.size = r->files[i].size};
        image_put(&files[i], 0, r->files[i].data, r->files[i].len);
    }
    add_pending(r, files, upto, mode);
    for (int i = 0; i < RECORD_FILE_COUNT; i++) {
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/%s", r->work, names[i]);
        image_store(&files[i], path);
        free(files[i].data);
    }
    good = replay_check(&want);
    if (!good)
        (void)fprintf(stderr, "replay: entry %zu of %zu, mode %u\n", upto, r->n, mode);
    return good;
}

static int by_number(const void *a, const void *b)
{
    const size_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static int play(struct run *r, size_t states)
{
    size_t *cuts = calloc(states + 1, sizeof(*cuts)), taken = 0;
    int rc = 0;

    if (cuts == NULL || r->n == 0)
        die("states", "nothing to play");
    for (size_t i = 0; i < states; i++)
        cuts[i] = draw(r) % (r->n + 1);
    qsort(cuts, states, sizeof(*cuts), by_number);
    for (size_t i = 0; i < states && rc == 0; i++) {
        while (taken < cuts[i])
            take(r, taken++);
        rc = cut(r, cuts[i], draw(r) % MODES) ? 0 : 1;
    }
    free(cuts);
    return rc;
}

/* What a lying disk did not grow LMDB still maps: noticed, if not by us. */
static void on_bus_error(int sig)
{
    static const char text[] = "replay: a page of the store is behind the end of its file\n";

    (void)sig;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(2);
    _exit(1);
}

int main(int argc, char *argv[])
{
    const struct sigaction bus = {.sa_handler = on_bus_error};
    static struct run r;
    struct err err = {0};
    size_t states;
    int rc;

    if (argc != 7 && argc != 8)
        die("usage", "replay BASE LOG WORK READER STATES SEED [LIAR]");
    (void)sigaction(SIGBUS, &bus, NULL);
    r.liar = argc == 8 ? (int)strtol(argv[7], NULL, 10) : -1;
    r.work = argv[3];
    states = strtoul(argv[5], NULL, 10);
    r.chance = strtoul(argv[6], NULL, 10);
    if (ids_uid_from_text(argv[4], &r.reader, &err) != ERR_OK ||
        fs_read(argv[2], LOG_MAX, &r.log, &err) != ERR_OK)
        die(argv[2], err.msg);
    for (int i = 0; i < RECORD_FILE_COUNT; i++) {
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/%s", argv[1], names[i]);
        image_load(&r.files[i], path);
    }
    parse(&r);
    rc = play(&r, states);
    for (int i = 0; i < RECORD_FILE_COUNT; i++)
        free(r.files[i].data);
    free(r.entries);
    printf("%zu states of %zu entries, %zu transfers\n", states, r.n, r.nknown);
    buf_free(&r.log);
    return rc;
}
