/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: look at the profile's files on a worker, open the vault -> be
 * greeted -> log in -> tell what the server said -> done.  A check that fails
 * lets those that need it be skipped; `done` gets the first error.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/core/op.h"
#include "client/local/upload.h"
#include "client/op/pong.h"
#include "common/fs.h"
#include "common/show.h"

enum check {
    PROFILE,
    PERMISSIONS,
    VAULT,
    CONNECT,
    PIN,
    SERVER,
    LOGIN,
    CLOCK,
    KEYS,
    QUOTA,
    LIMITS,
    UPLOADS,
    CHECKS
};

static const char *const names[CHECKS] = {"profile", "permissions", "vault",  "connect",
                                          "pin",     "server",      "login",  "clock",
                                          "keys",    "quota",       "limits", "uploads"};

struct doctor {
    struct satchel_op op;
    void (*on_check)(void *cookie, const struct satchel_check *c);
    satchel_done_cb *done;
    struct op_job job;
    enum check next;            /* nothing before it is left to be told */
    struct err first;           /* of the first check that failed */
    int opened;                 /* what opening the vault gave */
    struct satchel_error vault; /* why not */
    enum satchel_profile_state state;
    int look, modes; /* outcomes of the worker's part */
    struct err look_err, modes_err;
    bool nothing; /* there is no folder of the profile */
    char username[SATCHEL_NAME_SIZE];
    unsigned uploads; /* unfinished ones that nobody is at work on */
    char upload[256]; /* path of one of them */
};

/* ---- telling ---------------------------------------------------------------------- */

static void tell(struct doctor *d, enum satchel_verdict verdict, const char *hint, const char *fmt,
                 ...) PRINTF_LIKE(4, 5);

static void tell(struct doctor *d, enum satchel_verdict verdict, const char *hint, const char *fmt,
                 ...)
{
    char text[512];
    struct satchel_check c = {
        .name = names[d->next], .verdict = verdict, .detail = text, .hint = hint};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    d->next++;
    if (d->on_check != NULL)
        d->on_check(d->op.cookie, &c);
}

static void tell_failed(struct doctor *d, const struct err *why)
{
    if (d->first.code == ERR_OK)
        d->first = *why;
    tell(d, SATCHEL_CHECK_FAIL, why->hint, "%s", why->msg);
}

/* What comes before ${until} cannot be looked at. */
static void skip(struct doctor *d, enum check until)
{
    while (d->next < until && !d->op.ended)
        tell(d, SATCHEL_CHECK_SKIP, "", "not looked at, because of what failed before");
}

static void end(struct doctor *d)
{
    skip(d, CHECKS);
    op_end(&d->op, d->first.code != ERR_OK ? &d->first : NULL);
}

/* ---- fourth: logged in ------------------------------------------------------------ */

static void tell_keys(struct doctor *d, uint64_t now)
{
    const struct identity *id = d->op.s->profile->id;
    uint64_t ends = id->keys[id->n_keys - 1].not_after;
    struct err why = {0};

    /* Another device may have drawn it, or this profile may be an old copy. */
    if (identity_lacks_key(id)) {
        err_set(&why, ERR_CORRUPT, "others seal to a published key that this device does not have");
        err_hint(&why, "'satchel keys rotate' publishes a new one; what comes before can be read "
                       "only where that key is");
        tell_failed(d, &why);
    } else if (ends > now)
        tell(d, SATCHEL_CHECK_OK, "", "the encryption key is good for %llu more days",
             (unsigned long long)((ends - now) / IDENTITY_DAY_MS));
    else
        tell(d, SATCHEL_CHECK_WARN, "a new one is published at the next login",
             "the encryption key has ended");
}

static void tell_quota(struct doctor *d)
{
    const struct link *l = &d->op.s->link;
    char used[SHOW_SIZE], quota[SHOW_SIZE];

    if (l->quota == 0)
        tell(d, SATCHEL_CHECK_OK, "", "%s in the mailbox, no limit", show_size(l->used, used));
    else if (l->used < l->quota - l->quota / 10)
        tell(d, SATCHEL_CHECK_OK, "", "%s of %s in the mailbox", show_size(l->used, used),
             show_size(l->quota, quota));
    else
        tell(d, l->used < l->quota ? SATCHEL_CHECK_WARN : SATCHEL_CHECK_FAIL,
             "delete what is not needed any more", "the mailbox is %s: %s of %s",
             l->used < l->quota ? "nearly full" : "full", show_size(l->used, used),
             show_size(l->quota, quota));
}

static void tell_limits(struct doctor *d)
{
    const struct session_hello *h = session_hello(d->op.s->link.session);
    uint64_t kept = settings_lifetime(&d->op.s->profile->settings);
    char limits[128], size[SHOW_SIZE], span[SHOW_TIME];

    (void)snprintf(limits, sizeof(limits),
                   "transfers of up to %s to %u recipient%s, kept for up to %s",
                   show_size(h->max_transfer, size), h->max_recipients,
                   h->max_recipients == 1 ? "" : "s", show_span_words(h->max_lifetime, span));
    if (h->max_lifetime <= kept)
        tell(d, SATCHEL_CHECK_OK, "", "%s", limits);
    else
        tell(d, SATCHEL_CHECK_WARN,
             "if that is meant, raise 'lifetime' in the profile's settings, as in 90d",
             "%s: longer than old keys are kept here, %s; what comes late in such a life "
             "may not open",
             limits, show_span_words(kept, span));
}

static void tell_uploads(struct doctor *d)
{
    if (d->uploads == 0)
        tell(d, SATCHEL_CHECK_OK, "", "no send was interrupted");
    else
        tell(d, SATCHEL_CHECK_WARN,
             "the same command goes on with it, or gives it up with --abandon; otherwise it is "
             "forgotten in time",
             "%u interrupted send%s, one of them of '%s'", d->uploads, d->uploads == 1 ? "" : "s",
             d->upload);
}

static void tell_clock(struct doctor *d)
{
    int64_t ahead = session_hello(d->op.s->link.session)->clock_difference;
    int64_t apart = ahead < 0 ? -ahead : ahead;
    struct err why = {0};

    if (apart >= (int64_t)LOGIN_CLOCK_MS) {
        err_set(&why, ERR_AUTH, "our clock and the server's differ by %lld hours",
                (long long)(apart / 3600000));
        err_hint(&why, "set the clock");
        tell_failed(d, &why);
    } else if (apart > 5 * 60 * 1000) {
        tell(d, SATCHEL_CHECK_WARN, "set the clock",
             "our clock and the server's differ by %lld minutes", (long long)(apart / 60000));
    } else {
        tell(d, SATCHEL_CHECK_OK, "", "our clock and the server's differ by %lld ms",
             (long long)apart);
    }
}

static void logged_in(struct satchel_op *op)
{
    struct doctor *d = (struct doctor *)op;

    if (op->s->link.session == NULL) {
        end(d);
        return;
    }
    tell(d, SATCHEL_CHECK_OK, "", "logged in as %s", op->s->profile->id->username);
    tell_clock(d);
    tell_keys(d, handle_now());
    tell_quota(d);
    tell_limits(d);
    tell_uploads(d);
    end(d);
}

/* ---- third: greeted ------------------------------------------------------------------ */

static void greeted(struct satchel_op *op)
{
    struct doctor *d = (struct doctor *)op;
    const struct link *l = &op->s->link;

    if (l->session == NULL) {
        end(d);
        return;
    }
    tell(d, SATCHEL_CHECK_OK, "", "connected to %s", l->target.server);
    if (l->target.pin != NULL)
        tell(d, SATCHEL_CHECK_OK, "", "the server's key is the pinned one%s",
             l->target.next_pin != NULL ? ", and the one that will replace it is known" : "");
    else
        tell(d, SATCHEL_CHECK_OK, "", "a certificate authority vouches for the server's key");
    tell(d, SATCHEL_CHECK_OK, "", "it is the server of this profile, %s",
         session_hello(l->session)->software);
    op_connect(op, LINK_NEED_READY, logged_in);
}

/* The connection did not come as far as it should. */
static void unlinked(struct satchel_op *op, const struct err *why)
{
    struct doctor *d = (struct doctor *)op;

    if (d->next == CONNECT && why->code == ERR_PIN) {
        tell(d, SATCHEL_CHECK_OK, "", "connected to %s", op->s->link.target.server);
        tell_failed(d, why);
    } else {
        tell_failed(d, why);
    }
    /* The clock is known although the login may have failed because of it. */
    if (d->next == CLOCK && op->s->link.session != NULL)
        tell_clock(d);
    end(d);
}

/* ---- second: what the worker saw ------------------------------------------------------- */

static void looked(struct op_job *job)
{
    struct doctor *d = (struct doctor *)job->op;
    struct err why = {0};

    if (d->look != ERR_OK)
        tell_failed(d, &d->look_err);
    else if (d->state == SATCHEL_PROFILE_ACTIVE)
        tell(d, SATCHEL_CHECK_OK, "", "registered as %s", d->username);
    if (d->modes != ERR_OK)
        tell_failed(d, &d->modes_err);
    else if (d->nothing)
        skip(d, VAULT);
    else
        tell(d, SATCHEL_CHECK_OK, "", "nobody else can read '%s'", d->op.s->place.folder);
    if (d->look == ERR_OK && d->op.s->profile != NULL) {
        tell(d, SATCHEL_CHECK_OK, "", "opened");
        op_connect(&d->op, LINK_NEED_GREETED, greeted);
        return;
    }
    if (d->look == ERR_OK && d->opened != SATCHEL_OK) {
        err_set(&why, d->opened, "%s", d->vault.message);
        err_hint(&why, "%s", d->vault.hint);
        tell_failed(d, &why);
    }
    end(d);
}

/* ---- first: files ------------------------------------------------------------------------ */

static int look(struct doctor *d, struct err *err)
{
    const struct place *place = &d->op.s->place;
    struct profile_look l = {0};
    int rc = profile_look(place->folder, &l, err);

    d->nothing = access(place->folder, F_OK) != 0 && errno == ENOENT;
    if (rc == ERR_IO)
        err_hint(err, "'%.160s' must be yours to read; who runs this is user %ld", place->folder,
                 (long)geteuid());
    if (rc != ERR_OK)
        return rc;
    d->state = (enum satchel_profile_state)l.state;
    if (l.state == PROFILE_ACTIVE) {
        (void)snprintf(d->username, sizeof(d->username), "%s", l.settings.username);
    } else if (d->nothing) {
        rc = err_set(err, ERR_NOTFOUND, "profile '%s' is not registered: there is no folder '%s'",
                     place->profile, place->folder);
        err_hint(err, "begin with 'satchel register'; if it is elsewhere, --home or $SATCHEL_HOME "
                      "says where");
    } else {
        rc = err_set(err, ERR_NOTFOUND, "profile '%s' is not registered", place->profile);
        err_hint(err, "begin with: satchel register");
    }
    profile_look_free(&l);
    return rc;
}

static int check_mode(const char *folder, const char *name, struct err *err)
{
    struct stat st;
    char *path = name != NULL ? fs_join(folder, name) : strdup(folder);
    int rc = ERR_OK;

    if (path == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (lstat(path, &st) != 0) {
        rc = errno == ENOENT ? ERR_OK : err_sys(err, errno, "cannot look at '%s'", path);
    } else if (st.st_uid != geteuid()) {
        rc = err_set(err, ERR_REFUSED, "'%s' belongs to another user", path);
        err_hint(err, "chown it");
    } else if ((st.st_mode & 077) != 0) {
        rc = err_set(err, ERR_REFUSED, "others have access to '%s'", path);
        err_hint(err, "chmod go= it");
    }
    free(path);
    return rc;
}

static int check_modes(const char *folder, struct err *err)
{
    static const char *const files[] = {NULL, "vault", "device", "settings", "lock", "records"};
    char *records = fs_join(folder, "records");
    struct dirent *e;
    DIR *dir = records != NULL ? opendir(records) : NULL;
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof(files) / sizeof(files[0]); i++)
        rc = check_mode(folder, files[i], err);
    while (rc == ERR_OK && dir != NULL && (rc = fs_next_entry(dir, records, &e, err)) == ERR_OK &&
           e != NULL)
        if (strcmp(e->d_name, "..") != 0)
            rc = check_mode(records, e->d_name, err);
    if (dir != NULL)
        closedir(dir);
    free(records);
    return rc;
}

static void on_upload(void *cookie, const struct upload_view *u)
{
    struct doctor *d = cookie;

    if (u->busy)
        return;
    d->uploads++;
    (void)snprintf(d->upload, sizeof(d->upload), "%s", u->path);
}

static int look_work(struct op_job *job, struct err *err)
{
    struct doctor *d = (struct doctor *)job->op;
    const struct profile *p = job->op->s->profile;

    if (p != NULL) {
        int rc = upload_each(p->vault, handle_now(), on_upload, d, err);

        if (rc != ERR_OK)
            return rc;
    }
    d->look = look(d, &d->look_err);
    d->modes = check_modes(d->op.s->place.folder, &d->modes_err);
    return ERR_OK;
}

static void begin(struct satchel_op *op)
{
    op_job(op, &((struct doctor *)op)->job, look_work, looked);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    ((struct doctor *)op)->done(op->done_cookie, err);
}

static void free_doctor(struct satchel_op *op)
{
    free(op);
}

int satchel_doctor_start(struct satchel *s, const struct satchel_doctor_options *o,
                         struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {.need = LINK_NEED_NOTHING,
                                        .begin = begin,
                                        .unlinked = unlinked,
                                        .finish = finish,
                                        .free = free_doctor};
    struct doctor *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return op_no_memory(error);
    d->on_check = o->on_check;
    d->done = o->done;
    if (s->profile == NULL && s->n_ops == 0)
        d->opened = satchel_open(s, o->ask, o->cookie, &d->vault);
    return op_start(&d->op, s, &kind, o->cookie, ret_op, error);
}
