/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream's side: bytes are handed from the callers to the thread, which
 * lets libarchive read them and has the entries made (unpack_entry.c).
 */
#include "client/local/unpack.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/local/archive_load.h"
#include "client/local/unpack_entry.h"

enum { LOOK_MS = 100 };

struct unpack {
    pthread_t thread;
    bool joined;
    struct unpack_dir *dir; /* the thread's */

    pthread_mutex_t lock; /* over all below */
    pthread_cond_t changed;
    struct part data; /* length 0: none, or used */
    bool in_use;      /* the thread has it */
    bool end, cancel; /* no more comes; no more is wanted */
    bool done;        /* the thread has nothing to do any more */
    int rc;
    struct err err;
};

/* ---- the thread --------------------------------------------------------------------- */

/* The next bytes; what was given before is used up. */
static la_ssize_t on_read(struct archive *a, void *cookie, const void **ret_data)
{
    struct unpack *u = cookie;
    la_ssize_t n = 0;

    pthread_mutex_lock(&u->lock);
    if (u->in_use) {
        u->data.len = 0;
        u->in_use = false;
        pthread_cond_broadcast(&u->changed);
    }
    while (u->data.len == 0 && !u->end && !u->cancel)
        pthread_cond_wait(&u->changed, &u->lock);
    if (u->cancel) {
        la.archive_set_error(a, EINTR, "interrupted");
        n = -1;
    } else if (u->data.len > 0) {
        *ret_data = u->data.data;
        n = (la_ssize_t)u->data.len;
        u->in_use = true;
    }
    pthread_mutex_unlock(&u->lock);
    return n;
}

static int damaged(struct archive *a, struct err *err)
{
    return err_set(err, ERR_INTEGRITY, "the folder's archive is damaged: %.200s",
                   la.archive_error_string(a));
}

static int read_entries(struct unpack *u, struct archive *a, struct archive_entry *entry,
                        struct err *err)
{
    const void *rest;
    int rc = ERR_OK;

    while (rc == ERR_OK) {
        int r = la.archive_read_next_header2(a, entry);

        if (r == ARCHIVE_EOF)
            break;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
            return damaged(a, err);
        rc = unpack_entry(u->dir, a, entry, err);
    }
    if (rc == ERR_OK)
        rc = unpack_dir_end(u->dir, err);
    while (rc == ERR_OK && on_read(a, u, &rest) > 0)
        ; /* behind the end of the archive: nobody reads it */
    return rc;
}

static int read_stream(struct unpack *u, struct err *err)
{
    struct archive *a = la.archive_read_new();
    struct archive_entry *entry = la.archive_entry_new();
    int rc = ERR_OK;

    if (a == NULL || entry == NULL || la.archive_read_support_format_tar(a) != ARCHIVE_OK)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else if (la.archive_read_open(a, u, NULL, on_read, NULL) != ARCHIVE_OK)
        rc = damaged(a, err);
    else
        rc = read_entries(u, a, entry, err);
    la.archive_entry_free(entry);
    la.archive_read_free(a);
    return rc;
}

static void *run(void *arg)
{
    struct unpack *u = arg;
    struct err err = {0};
    /* Names are bytes, whatever the caller's locale. */
    locale_t bytes = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    int rc = bytes != (locale_t)0 && uselocale(bytes) != (locale_t)0
                 ? read_stream(u, &err)
                 : err_set(&err, ERR_NOMEM, "out of memory");

    (void)uselocale(LC_GLOBAL_LOCALE);
    if (bytes != (locale_t)0)
        freelocale(bytes);

    pthread_mutex_lock(&u->lock);
    u->rc = rc;
    u->err = err;
    u->done = true;
    u->data.len = 0;
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
    return NULL;
}

/* ---- the callers ------------------------------------------------------------------------ */

int unpack_new(int dir, const char *name, struct unpack **ret, struct err *err)
{
    struct unpack *u = NULL;
    int rc = archive_load(err);

    if (rc != ERR_OK)
        err_hint(err, "install libarchive, or keep the archive as it is with --no-unpack");
    if (rc == ERR_OK && (u = calloc(1, sizeof(*u))) == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK)
        rc = unpack_dir_new(dir, name, &u->dir, err);
    if (rc != ERR_OK) {
        free(u);
        return rc;
    }
    (void)pthread_mutex_init(&u->lock, NULL);
    (void)pthread_cond_init(&u->changed, NULL);
    if (pthread_create(&u->thread, NULL, run, u) != 0) {
        u->joined = true;
        unpack_free(u);
        return err_set(err, ERR_INTERNAL, "cannot start a thread");
    }
    *ret = u;
    return ERR_OK;
}

/* A moment longer; the lock is held. */
static void wait_a_while(struct unpack *u)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_cond_timedwait(&u->changed, &u->lock, &until);
}

int unpack_write(struct unpack *u, struct part data, const atomic_bool *stop, struct err *err)
{
    int rc;

    pthread_mutex_lock(&u->lock);
    if (!u->done)
        u->data = data;
    pthread_cond_broadcast(&u->changed);
    while (u->data.len > 0) {
        wait_a_while(u);
        if (atomic_load(stop) && !u->cancel) {
            u->cancel = true; /* ${data} is the caller's again when the thread has let it go */
            pthread_cond_broadcast(&u->changed);
        }
    }
    rc = u->rc;
    if (u->cancel)
        rc = err_set(err, ERR_CANCELED, "interrupted");
    else if (rc != ERR_OK && err != NULL)
        *err = u->err;
    pthread_mutex_unlock(&u->lock);
    return rc;
}

static void join(struct unpack *u)
{
    if (!u->joined)
        (void)pthread_join(u->thread, NULL);
    u->joined = true;
}

int unpack_end(struct unpack *u, struct err *err)
{
    pthread_mutex_lock(&u->lock);
    u->end = true;
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
    join(u);
    if (u->rc != ERR_OK && err != NULL)
        *err = u->err;
    return u->rc;
}

void unpack_free(struct unpack *u)
{
    if (u == NULL)
        return;
    pthread_mutex_lock(&u->lock);
    u->cancel = true;
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
    join(u);
    unpack_dir_free(u->dir);
    (void)pthread_cond_destroy(&u->changed);
    (void)pthread_mutex_destroy(&u->lock);
    free(u);
}
