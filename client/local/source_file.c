/* SPDX-License-Identifier: Apache-2.0 */
/* A regular file as a source. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/local/source_kind.h"

struct source_file {
    struct source source;
    char *path; /* for messages */
    int fd;
};

static int changed(const struct source_file *f, struct err *err)
{
    err_set(err, ERR_IO, "'%s' changed while it was sent", f->path);
    err_hint(err, "send it again when nobody writes to it");
    return ERR_IO;
}

static int read_file(struct source *s, const struct source_range *range, const atomic_bool *stop,
                     size_t *ret_len, struct err *err)
{
    const struct source_file *f = (const struct source_file *)s;
    uint64_t left = s->facts.length > range->offset ? s->facts.length - range->offset : 0;
    size_t want = left < range->len ? (size_t)left : range->len, got = 0;

    (void)stop; /* a disk answers soon */
    while (got < want) {
        ssize_t n = pread(f->fd, range->to + got, want - got, (off_t)(range->offset + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "cannot read '%s'", f->path);
        if (n == 0)
            return changed(f, err);
        got += (size_t)n;
    }
    *ret_len = got;
    return ERR_OK;
}

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static struct source_mark mark_of(const struct stat *st)
{
    return (struct source_mark){.device = st->st_dev,
                                .inode = st->st_ino,
                                .size = (uint64_t)st->st_size,
                                .modified = ns_of(&st->st_mtim),
                                .changed = ns_of(&st->st_ctim)};
}

static int file_unchanged(struct source *s, struct err *err)
{
    const struct source_file *f = (const struct source_file *)s;
    const struct source_mark *was = &s->facts.mark;
    struct source_mark is;
    struct stat now;

    if (fstat(f->fd, &now) != 0)
        return err_sys(err, errno, "cannot look at '%s'", f->path);
    is = mark_of(&now);
    /* A changed owner or another link to it changes no byte. */
    if (is.size != was->size || is.modified != was->modified)
        return changed(f, err);
    return ERR_OK;
}

static void free_file(struct source *s)
{
    struct source_file *f = (struct source_file *)s;

    close(f->fd);
    free(f->path);
    free(f);
}

/* A FIFO that nobody writes to yet must not hold us, nor a terminal become ours. */
static int open_any(const char *path, int *ret_fd, struct stat *ret_stat, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc = ERR_OK;

    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOTFOUND, "'%s' does not exist", path);
    if (fd < 0)
        return err_sys(err, errno, "cannot open '%s'", path);
    if (fstat(fd, ret_stat) != 0)
        rc = err_sys(err, errno, "cannot look at '%s'", path);
    else if (!S_ISREG(ret_stat->st_mode) && !S_ISFIFO(ret_stat->st_mode) &&
             !S_ISDIR(ret_stat->st_mode))
        rc = err_set(err, ERR_IO, "'%s' is neither a file, a folder nor a pipe", path);
    if (rc == ERR_OK)
        *ret_fd = fd;
    else
        close(fd);
    return rc;
}

/* Takes ${fd}. */
static int source_file(int fd, const struct stat *st, const char *path, struct source **ret,
                       struct err *err)
{
    static const struct source_kind kind = {
        .read = read_file, .unchanged = file_unchanged, .free = free_file};
    struct source_file *f = calloc(1, sizeof(*f));
    struct source_facts *facts;

    if (f != NULL)
        f->path = strdup(path);
    if (f == NULL || f->path == NULL) {
        free(f);
        close(fd);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    f->source.kind = &kind;
    f->fd = fd;
    facts = &f->source.facts;
    facts->mark = mark_of(st);
    facts->length = facts->mark.size;
    if (st->st_mtim.tv_sec > 0)
        facts->modified = (uint64_t)facts->mark.modified / 1000000;
    facts->kind = METADATA_FILE;
    facts->again = true;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    *ret = &f->source;
    return ERR_OK;
}

int source_open(const struct source_named *named, struct source **ret, struct err *err)
{
    struct stat st;
    int fd = -1;
    int rc = open_any(named->path, &fd, &st, err);

    if (rc != ERR_OK)
        return rc;
    if (S_ISFIFO(st.st_mode))
        return source_pipe(fd, true, named->path, ret, err);
    if (S_ISDIR(st.st_mode))
        return source_folder(fd, &st, named, ret, err);
    return source_file(fd, &st, named->path, ret, err);
}
