/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder as a source: a pax stream, made while it is read (proto/FORMATS.md
 * section 8.1).
 *
 * Happy path: walk in order of names -> an entry's header -> of a file its
 * bytes -> the next entry -> the end of the archive.
 *
 * No link is followed.  What is no file, folder or link, and a link that leads
 * out, is left out and noted.  What cannot be read, changes while it is, or has
 * too deep or too long a path, fails the whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/local/archive_load.h"
#include "client/local/beneath.h"
#include "client/local/source_kind.h"
#include "client/local/tree.h"
#include "common/buf.h"
#include "common/fs.h"

enum { CHUNK = 262144, NOTES_MAX = 8 };

static const uint8_t zeros[CHUNK];

struct source_folder {
    struct source source;
    char *path, *name; /* as it was named; the first part of every entry's path */
    int root;
    locale_t bytes; /* in which a name is not ASCII or plain bytes, whatever the caller's */
    FTS *walk;
    struct archive *a;
    struct archive_entry *entry;
    struct archive_entry_linkresolver *links;

    /* What libarchive gives: into the caller's memory, then what did not fit. */
    uint8_t *to;
    size_t room, got;
    struct buf more;
    size_t more_taken;
    bool ended, over; /* no entry is left; nothing is wanted any more */

    /* The file that is being read. */
    int fd;
    char *shown; /* its path, for messages */
    struct stat stat;
    uint64_t at;
    bool sparse;
    uint8_t *chunk;

    char *notes[NOTES_MAX];
    size_t n_notes, left_out;
};

/* ---- what comes out of libarchive ------------------------------------------------------ */

static la_ssize_t on_bytes(struct archive *a, void *cookie, const void *data, size_t len)
{
    struct source_folder *f = cookie;
    size_t n;

    if (f->over) {
        la.archive_set_error(a, EINTR, "interrupted");
        return -1;
    }
    n = len < f->room - f->got ? len : f->room - f->got;

    memcpy(f->to + f->got, data, n);
    f->got += n;
    if (n < len)
        buf_put(&f->more, (const uint8_t *)data + n, len - n);
    if (f->more.failed) {
        la.archive_set_error(a, ENOMEM, "out of memory");
        return -1;
    }
    return (la_ssize_t)len;
}

static void take_more(struct source_folder *f)
{
    size_t left = f->more.len - f->more_taken;
    size_t n = left < f->room - f->got ? left : f->room - f->got;

    if (n > 0)
        memcpy(f->to + f->got, f->more.data + f->more_taken, n);
    f->got += n;
    f->more_taken += n;
    if (f->more_taken == f->more.len) {
        buf_reset(&f->more);
        f->more_taken = 0;
    }
}

/* A warning is about a detail that other systems may not understand. */
static int check(const struct source_folder *f, int rc, struct err *err)
{
    if (rc == ARCHIVE_OK || rc == ARCHIVE_WARN)
        return ERR_OK;
    return err_set(err, la.archive_errno(f->a) == ENOMEM ? ERR_NOMEM : ERR_IO,
                   "cannot pack '%s': %s", f->path, la.archive_error_string(f->a));
}

/* ---- one file --------------------------------------------------------------------------- */

static int changed(const char *shown, struct err *err)
{
    err_set(err, ERR_IO, "'%s' changed while it was sent", shown);
    err_hint(err, "send it again when nobody writes to it");
    return ERR_IO;
}

static void close_file(struct source_folder *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    free(f->shown);
    f->shown = NULL;
}

/* All of it was read: is it what it was when it was opened? */
static int end_file(struct source_folder *f, struct err *err)
{
    struct stat now;
    int rc;

    if (fstat(f->fd, &now) != 0)
        return err_sys(err, errno, "cannot look at '%s'", f->shown);
    if (now.st_size != f->stat.st_size || now.st_mtim.tv_sec != f->stat.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != f->stat.st_mtim.tv_nsec)
        return changed(f->shown, err);
    rc = check(f, la.archive_write_finish_entry(f->a), err);
    close_file(f);
    return rc;
}

/* Up to ${want} bytes from where we are, in *${ret_data}; of a hole without reading it. */
static ssize_t some_bytes(struct source_folder *f, size_t want, const uint8_t **ret_data)
{
    off_t data = f->sparse ? lseek(f->fd, (off_t)f->at, SEEK_DATA) : (off_t)f->at;
    uint64_t next = data >= 0 ? (uint64_t)data : (uint64_t)f->stat.st_size;

    if (next > f->at) {
        *ret_data = zeros;
        return (ssize_t)(next - f->at < want ? next - f->at : want);
    }
    *ret_data = f->chunk;
    return pread(f->fd, f->chunk, want, (off_t)f->at);
}

static int step_file(struct source_folder *f, struct err *err)
{
    uint64_t left = (uint64_t)f->stat.st_size - f->at;
    const uint8_t *data;
    ssize_t n;

    if (left == 0)
        return end_file(f, err);
    n = some_bytes(f, left < CHUNK ? (size_t)left : CHUNK, &data);
    if (n < 0 && errno == EINTR)
        return ERR_OK;
    if (n < 0)
        return err_sys(err, errno, "cannot read '%s'", f->shown);
    if (n == 0)
        return changed(f->shown, err);
    f->at += (uint64_t)n;
    if (la.archive_write_data(f->a, data, (size_t)n) != n)
        return check(f, ARCHIVE_FATAL, err);
    return ERR_OK;
}

/* Where the file has bytes; the rest are holes, which need not travel. */
static void note_holes(struct source_folder *f)
{
    off_t end = f->stat.st_size;

    f->sparse = f->stat.st_blocks < end / 512 - 64;
    if (!f->sparse)
        return;
    for (off_t data = lseek(f->fd, 0, SEEK_DATA); data >= 0 && data < end;) {
        off_t hole = lseek(f->fd, data, SEEK_HOLE);

        if (hole < 0)
            break;
        hole = hole < end ? hole : end;
        la.archive_entry_sparse_add_entry(f->entry, data, hole - data);
        data = lseek(f->fd, hole, SEEK_DATA);
    }
    if (la.archive_entry_sparse_count(f->entry) == 0) /* nothing but a hole */
        la.archive_entry_sparse_add_entry(f->entry, end, 0);
}

/* ---- one entry ---------------------------------------------------------------------------- */

static void note(struct source_folder *f, const FTSENT *e, const char *why)
{
    f->left_out++;
    if (f->n_notes < NOTES_MAX &&
        asprintf(&f->notes[f->n_notes], "left out '%s': %s", e->fts_path, why) >= 0)
        f->n_notes++;
}

/* The entry's path below the folder; "" for the folder itself. */
static const char *below(const struct source_folder *f, const FTSENT *e)
{
    const char *rel = e->fts_path + strlen(f->path);

    return rel + strspn(rel, "/");
}

static int set_path(struct source_folder *f, const FTSENT *e, struct err *err)
{
    const char *rel = below(f, e);
    char *path = rel[0] != '\0' ? fs_join(f->name, rel) : strdup(f->name);

    int rc = ERR_OK;

    if (path == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (strlen(path) + (e->fts_info == FTS_D) > TREE_PATH_MAX) /* a folder's ends in a slash */
        /* The path comes last: it does not fit into the message. */
        rc = err_set(err, ERR_UNSUPPORTED, "more than %d bytes, name of the folder included: '%s'",
                     TREE_PATH_MAX, e->fts_path);
    else
        la.archive_entry_copy_pathname(f->entry, path);
    free(path);
    return rc;
}

/* Names, contents, times and modes travel; who owns it here, and where it lies, does not. */
static void set_stat(struct source_folder *f, const struct stat *st)
{
    la.archive_entry_copy_stat(f->entry, st);
    la.archive_entry_set_perm(f->entry, st->st_mode & TREE_MODE);
    la.archive_entry_set_uid(f->entry, 0);
    la.archive_entry_set_gid(f->entry, 0);
    la.archive_entry_unset_atime(f->entry);
    la.archive_entry_unset_ctime(f->entry);
}

static int put_entry(struct source_folder *f, struct err *err)
{
    struct archive_entry *spare = NULL;
    int rc;

    /* The second name of a file becomes a link to the first. */
    la.archive_entry_linkify(f->links, &f->entry, &spare);
    if (la.archive_entry_hardlink(f->entry) != NULL)
        la.archive_entry_sparse_clear(f->entry);
    la.archive_entry_set_dev(f->entry, 0);
    la.archive_entry_set_ino(f->entry, 0);
    rc = check(f, la.archive_write_header(f->a, f->entry), err);
    if (rc == ERR_OK && la.archive_entry_hardlink(f->entry) != NULL)
        close_file(f);
    return rc;
}

static int begin_file(struct source_folder *f, const FTSENT *e, struct err *err)
{
    f->fd = e->fts_level == 0
                ? -1
                : beneath_open(f->root, below(f, e), O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (f->fd < 0)
        return err_sys(err, errno, "cannot open '%s'", e->fts_path);
    f->shown = strdup(e->fts_path);
    if (f->shown == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (fstat(f->fd, &f->stat) != 0)
        return err_sys(err, errno, "cannot look at '%s'", f->shown);
    if (!S_ISREG(f->stat.st_mode))
        return changed(f->shown, err);
    f->at = 0;
    set_stat(f, &f->stat);
    note_holes(f);
    return put_entry(f, err);
}

static int begin_link(struct source_folder *f, const FTSENT *e, struct err *err)
{
    int fd = beneath_open(f->root, below(f, e), O_PATH, 0);
    char target[PATH_MAX];
    ssize_t n = fd >= 0 ? readlinkat(fd, "", target, sizeof(target) - 1) : -1;
    int why = errno;

    if (fd >= 0)
        close(fd);
    if (n < 0)
        return err_sys(err, why, "cannot read the link '%s'", e->fts_path);
    target[n] = '\0';
    if (!beneath_link_stays(target, (size_t)e->fts_level - 1)) {
        note(f, e, "the link leads out of the folder");
        return ERR_OK;
    }
    set_stat(f, e->fts_statp);
    la.archive_entry_set_size(f->entry, 0);
    la.archive_entry_copy_symlink(f->entry, target);
    return put_entry(f, err);
}

static int begin_entry(struct source_folder *f, const FTSENT *e, struct err *err)
{
    int rc;

    if (e->fts_level > TREE_DEPTH_MAX)
        return err_set(err, ERR_UNSUPPORTED, "'%s' is more than %d folders deep", e->fts_path,
                       TREE_DEPTH_MAX);
    la.archive_entry_clear(f->entry);
    rc = set_path(f, e, err);
    if (rc != ERR_OK)
        return rc;
    switch (e->fts_info) {
    case FTS_D:
        set_stat(f, e->fts_statp);
        la.archive_entry_set_size(f->entry, 0);
        return put_entry(f, err);
    case FTS_F:
        return begin_file(f, e, err);
    case FTS_SL:
    case FTS_SLNONE:
        return begin_link(f, e, err);
    case FTS_DEFAULT:
        note(f, e, "it is neither a file, a folder nor a link");
        return ERR_OK;
    case FTS_DNR:
        return err_sys(err, e->fts_errno, "cannot read the folder '%s'", e->fts_path);
    default:
        return err_sys(err, e->fts_errno, "cannot look at '%s'", e->fts_path);
    }
}

static int step_walk(struct source_folder *f, struct err *err)
{
    const FTSENT *e;

    errno = 0;
    e = fts_read(f->walk);
    if (e == NULL && errno != 0)
        return err_sys(err, errno, "cannot go through '%s'", f->path);
    if (e == NULL) {
        f->ended = true;
        return check(f, la.archive_write_close(f->a), err);
    }
    return e->fts_info == FTS_DP ? ERR_OK : begin_entry(f, e, err);
}

/* ---- the source ----------------------------------------------------------------------------- */

static int read_folder(struct source *s, const struct source_range *range, const atomic_bool *stop,
                       size_t *ret_len, struct err *err)
{
    struct source_folder *f = (struct source_folder *)s;
    locale_t callers = uselocale(f->bytes);
    int rc = ERR_OK;

    f->to = range->to;
    f->room = range->len;
    f->got = 0;
    take_more(f);
    while (rc == ERR_OK && f->got < f->room && !f->ended) {
        if (atomic_load(stop))
            rc = err_set(err, ERR_CANCELED, "interrupted");
        else
            rc = f->fd >= 0 ? step_file(f, err) : step_walk(f, err);
    }
    (void)uselocale(callers);
    *ret_len = f->got;
    f->room = f->got = 0;
    return rc;
}

/* Every file was compared when it had been read. */
static int folder_unchanged(struct source *s, struct err *err)
{
    (void)s;
    (void)err;
    return ERR_OK;
}

static const char *folder_note(const struct source *s, size_t i)
{
    const struct source_folder *f = (const struct source_folder *)s;

    if (i < f->n_notes)
        return f->notes[i];
    return i == f->n_notes && f->left_out > f->n_notes ? "left out more of the like" : NULL;
}

static void free_folder(struct source *s)
{
    struct source_folder *f = (struct source_folder *)s;

    close_file(f);
    f->over = true; /* or it fills up a file that was not read to its end */
    la.archive_write_free(f->a);
    la.archive_entry_free(f->entry);
    if (f->links != NULL)
        la.archive_entry_linkresolver_free(f->links);
    if (f->walk != NULL)
        fts_close(f->walk);
    if (f->root >= 0)
        close(f->root);
    for (size_t i = 0; i < f->n_notes; i++)
        free(f->notes[i]);
    if (f->bytes != (locale_t)0)
        freelocale(f->bytes);
    buf_free(&f->more);
    free(f->chunk);
    free(f->path);
    free(f->name);
    free(f);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int open_archive(struct source_folder *f, struct err *err)
{
    int rc;

    f->a = la.archive_write_new();
    f->entry = la.archive_entry_new();
    f->links = la.archive_entry_linkresolver_new();
    if (f->a == NULL || f->entry == NULL || f->links == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    rc = la.archive_write_set_format_pax(f->a);
    if (rc == ARCHIVE_OK)
        rc = la.archive_write_set_bytes_per_block(f->a, 0);
    if (rc == ARCHIVE_OK)
        rc = la.archive_write_open(f->a, f, NULL, on_bytes, NULL);
    if (rc == ARCHIVE_OK)
        la.archive_entry_linkresolver_set_strategy(f->links, la.archive_format(f->a));
    return check(f, rc, err);
}

static int open_walk(struct source_folder *f, struct err *err)
{
    char *roots[] = {f->path, NULL};

    f->walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    if (f->walk == NULL)
        return err_sys(err, errno, "cannot go through '%s'", f->path);
    return ERR_OK;
}

int source_folder(int fd, const struct stat *st, const struct source_named *named,
                  struct source **ret, struct err *err)
{
    static const struct source_kind kind = {.read = read_folder,
                                            .unchanged = folder_unchanged,
                                            .note = folder_note,
                                            .free = free_folder};
    struct source_folder *f = NULL;
    int rc = archive_load(err);

    if (rc == ERR_OK && (f = calloc(1, sizeof(*f))) == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (f == NULL) {
        close(fd);
        return rc;
    }
    f->source.kind = &kind;
    f->source.facts.length = SOURCE_LENGTH_UNKNOWN;
    f->source.facts.kind = METADATA_ARCHIVE;
    if (st->st_mtim.tv_sec > 0)
        f->source.facts.modified =
            (uint64_t)st->st_mtim.tv_sec * 1000 + (uint64_t)st->st_mtim.tv_nsec / 1000000;
    f->root = fd;
    f->fd = -1;
    f->path = strdup(named->path);
    f->name = strdup(named->name);
    f->chunk = malloc(CHUNK);
    f->bytes = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    rc = f->bytes != (locale_t)0 && f->path != NULL && f->name != NULL && f->chunk != NULL
             ? open_archive(f, err)
             : err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK)
        rc = open_walk(f, err);
    if (rc == ERR_OK)
        *ret = &f->source;
    else
        free_folder(&f->source);
    return rc;
}
