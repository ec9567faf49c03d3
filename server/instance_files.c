/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change: keynet.next -> old/taken, which no trainer replaces -> it computes what it must ->
 * keynet.weights gets a second name among the old ones -> old/taken -> keynet.weights.
 *
 * A removal: old/ID.weights -> old/ID.gone -> zeros -> unlinked.  The first rename decides.
 */
#include "server/instance_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/hex.h"
#include "common/fs.h"
#include "common/log.h"

#define KEPT ".weights"
#define GONE ".gone"

enum { DIR_MODE = 0700, ID_CHARS = 2 * sizeof(struct instance_id) };

struct instance_files {
    char *weights, *next, *old, *taken, *card, *next_card;
    char *dir; /* of weights and next */
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

/* old/ID${suffix}; free() it. */
static char *old_path(const struct instance_files *f, const struct instance_id *id,
                      const char *suffix)
{
    char hex[ID_CHARS + 1], *path = NULL;

    hex_encode(hex, id->b, sizeof(id->b));
    return asprintf(&path, "%s/%s%s", f->old, hex, suffix) < 0 ? NULL : path;
}

/* ---- loading ---- */

static int load(const char *path, struct instance_loaded *ret, struct err *err)
{
    struct instance_loaded got = {0};
    struct stat st;
    int rc;

    if (stat(path, &st) != 0)
        return errno == ENOENT ? err_set(err, ERR_NOTFOUND, "'%s' does not exist", path)
                               : err_sys(err, errno, "cannot look at '%s'", path);
    rc = keynet_load(&got.net, path, err);
    if (rc != ERR_OK)
        return rc;
    memcpy(got.id.b, keynet_instance_id(got.net), sizeof(got.id.b));
    got.made = (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
    *ret = got;
    return ERR_OK;
}

static int load_tested(const char *path, struct instance_loaded *ret, struct err *err)
{
    struct instance_loaded got = {0};
    int rc = load(path, &got, err);

    if (rc == ERR_OK)
        rc = keynet_self_test(got.net, err);
    if (rc == ERR_OK)
        *ret = got;
    else
        keynet_free(got.net);
    return rc;
}

int instance_files_current(const struct instance_files *f, struct instance_loaded *ret,
                           struct err *err)
{
    return load_tested(f->weights, ret, err);
}

int instance_files_old(const struct instance_files *f, const struct instance_id *id,
                       struct instance_loaded *ret, struct err *err)
{
    char *path = old_path(f, id, KEPT);
    struct instance_loaded got = {0};
    int rc = path != NULL ? load_tested(path, &got, err) : nomem(err);

    if (rc == ERR_OK && memcmp(&got.id, id, sizeof(*id)) != 0)
        rc = err_set(err, ERR_CORRUPT, "'%s' is another instance than its name says", path);
    if (rc == ERR_OK)
        *ret = got;
    else
        keynet_free(got.net);
    free(path);
    return rc;
}

int instance_files_peek(const struct instance_files *f, struct instance_loaded *ret,
                        struct err *err)
{
    int rc = f->next != NULL ? load(f->next, ret, err) : ERR_NOTFOUND;

    return rc == ERR_NOTFOUND && f->taken != NULL ? load(f->taken, ret, err) : rc;
}

/* ---- the folder of old ones ---- */

static bool read_name(const char *name, const char *suffix, struct instance_id *ret)
{
    return strlen(name) == ID_CHARS + strlen(suffix) && strcmp(name + ID_CHARS, suffix) == 0 &&
           strspn(name, "0123456789abcdef") == ID_CHARS &&
           hex_decode(ret->b, name, ID_CHARS) == ERR_OK;
}

/* ${each} for every file that is named by an ID and ${suffix}; anything but ERR_OK ends it. */
static int walk(const struct instance_files *f, const char *suffix,
                int (*each)(void *arg, const struct instance_id *id), void *arg, struct err *err)
{
    DIR *dir = f->old != NULL ? opendir(f->old) : NULL;
    struct instance_id id;
    struct dirent *entry;
    int rc = ERR_OK;

    if (dir == NULL)
        return f->old == NULL || errno == ENOENT
                   ? ERR_OK
                   : err_sys(err, errno, "cannot read folder '%s'", f->old);
    while (rc == ERR_OK) {
        errno = 0;
        entry = readdir(dir);
        if (entry == NULL && errno != 0)
            rc = err_sys(err, errno, "cannot read folder '%s'", f->old);
        if (entry == NULL)
            break;
        if (read_name(entry->d_name, suffix, &id))
            rc = each(arg, &id);
    }
    (void)closedir(dir);
    return rc;
}

struct list {
    const struct instance_id *current;
    struct instance_ids *to;
};

static int add_to_list(void *arg, const struct instance_id *id)
{
    struct list *l = arg;

    if (memcmp(id, l->current, sizeof(*id)) == 0)
        return ERR_OK;
    if (l->to->n == l->to->max)
        return ERR_LIMIT;
    l->to->ids[l->to->n++] = *id;
    return ERR_OK;
}

int instance_files_list(const struct instance_files *f, const struct instance_id *current,
                        struct instance_ids *ret, struct err *err)
{
    struct list l = {current, ret};
    int rc;

    ret->n = 0;
    rc = walk(f, KEPT, add_to_list, &l, err);
    if (rc == ERR_LIMIT)
        (void)err_set(err, rc, "'%s' holds more than %zu key networks", f->old, ret->max);
    return rc;
}

/* ---- removing ---- */

static int overwrite(const char *path, struct err *err)
{
    static const uint8_t zeros[65536];
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), rc = ERR_OK;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = err_sys(err, errno, "cannot open '%s'", path);
        goto done;
    }
    for (off_t left = st.st_size; rc == ERR_OK && left > 0; left -= (off_t)sizeof(zeros))
        rc = fs_write_all(fd, zeros, left < (off_t)sizeof(zeros) ? (size_t)left : sizeof(zeros),
                          err);
    if (rc == ERR_OK && fsync(fd) != 0)
        rc = err_sys(err, errno, "cannot sync '%s'", path);
done:
    if (fd >= 0)
        close(fd);
    return rc;
}

/* What the rename to ID.gone has decided. */
static int finish(const struct instance_files *f, const struct instance_id *id, struct err *err)
{
    char *gone = old_path(f, id, GONE);
    int rc = gone != NULL ? overwrite(gone, err) : nomem(err);

    if (rc == ERR_OK && unlink(gone) != 0)
        rc = err_sys(err, errno, "cannot remove '%s'", gone);
    free(gone);
    return rc == ERR_OK ? fs_sync_dir(f->old, err) : rc;
}

int instance_files_remove(const struct instance_files *f, const struct instance_id *id,
                          struct err *err)
{
    char *kept = old_path(f, id, KEPT), *gone = old_path(f, id, GONE);
    int rc = kept != NULL && gone != NULL ? ERR_OK : nomem(err);

    if (rc == ERR_OK && rename(kept, gone) != 0)
        rc = err_sys(err, errno, "cannot remove '%s'", kept);
    if (rc == ERR_OK)
        rc = fs_sync_dir(f->old, err);
    free(kept);
    free(gone);
    return rc == ERR_OK ? finish(f, id, err) : rc;
}

struct rest {
    const struct instance_files *f;
    struct err *err;
};

static int finish_one(void *arg, const struct instance_id *id)
{
    const struct rest *r = arg;

    return finish(r->f, id, r->err);
}

/* ---- changing ---- */

static int make_folder(const struct instance_files *f, struct err *err)
{
    int rc = fs_mkdirs(f->old, DIR_MODE, err);

    return rc == ERR_OK ? fs_sync_dir(f->dir, err) : rc;
}

int instance_files_take(const struct instance_files *f, struct instance_loaded *ret,
                        struct err *err)
{
    int rc = f->next != NULL ? make_folder(f, err) : ERR_NOTFOUND;

    if (rc == ERR_OK && rename(f->next, f->taken) != 0 && errno != ENOENT)
        rc = err_sys(err, errno, "cannot take '%s'", f->next);
    if (rc == ERR_OK)
        rc = load_tested(f->taken, ret, err);
    if (rc == ERR_NOTFOUND) {
        (void)err_set(err, rc, "no other key network waits");
        err_hint(err, "train one first: satcheld train --config FILE");
    }
    return rc;
}

/* Whatever else stands there must not get the name of ${current}. */
static int check_current(const struct instance_files *f, const struct instance_id *current,
                         struct err *err)
{
    struct instance_loaded got = {0};
    int rc = load(f->weights, &got, err);

    if (rc == ERR_OK && memcmp(&got.id, current, sizeof(*current)) != 0) {
        rc = err_set(err, ERR_BADSTATE, "'%s' is not the key network in use", f->weights);
        err_hint(err, "restart the daemon: it goes by that file");
    }
    keynet_free(got.net);
    return rc;
}

int instance_files_switch(const struct instance_files *f, const struct instance_id *current,
                          struct err *err)
{
    char *kept = old_path(f, current, KEPT);
    int rc = kept != NULL ? check_current(f, current, err) : nomem(err);

    /* What has this name already is a second name of the same file, from an attempt before. */
    if (rc == ERR_OK && ((unlink(kept) != 0 && errno != ENOENT) || link(f->weights, kept) != 0))
        rc = err_sys(err, errno, "cannot keep '%s'", f->weights);
    if (rc == ERR_OK)
        rc = fs_sync_dir(f->old, err);
    if (rc == ERR_OK && rename(f->taken, f->weights) != 0)
        rc = err_sys(err, errno, "cannot replace '%s'", f->weights);
    if (rc == ERR_OK)
        rc = fs_sync_dir(f->dir, err);
    if (rc == ERR_OK)
        rc = fs_sync_dir(f->old, err);
    if (rc == ERR_OK && rename(f->next_card, f->card) != 0 && errno != ENOENT)
        log_event(LOG_AT_WARN, "card_not_moved", log_str("path", f->card));
    free(kept);
    return rc;
}

/* ---- open and close ---- */

void instance_files_close(struct instance_files *f)
{
    if (f == NULL)
        return;
    free(f->weights);
    free(f->next);
    free(f->old);
    free(f->taken);
    free(f->card);
    free(f->next_card);
    free(f->dir);
    free(f);
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static bool copy_paths(struct instance_files *f, const struct instance_paths *p)
{
    f->weights = strdup(p->weights);
    f->dir = parent_of(p->weights);
    if (f->weights == NULL || f->dir == NULL)
        return false;
    if (p->next == NULL || p->old == NULL)
        return true;
    f->next = strdup(p->next);
    f->old = strdup(p->old);
    f->taken = fs_join(p->old, "taken");
    f->card = strdup(p->card);
    f->next_card = strdup(p->next_card);
    return f->next != NULL && f->old != NULL && f->taken != NULL && f->card != NULL &&
           f->next_card != NULL;
}

int instance_files_open(struct instance_files **ret_f, const struct instance_paths *p,
                        struct err *err)
{
    struct instance_files *f = calloc(1, sizeof(*f));
    struct rest rest = {f, err};
    int rc = f != NULL && copy_paths(f, p) ? ERR_OK : nomem(err);

    if (rc == ERR_OK)
        rc = walk(f, GONE, finish_one, &rest, err);
    if (rc == ERR_OK)
        *ret_f = f;
    else
        instance_files_close(f);
    return rc;
}
