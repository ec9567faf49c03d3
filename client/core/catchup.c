/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: Lookup of ourselves, again while there are more manifests -> GetAccount, if there is
 * a record that this device has not seen -> checked and kept on a worker -> the identity is
 * replaced -> link_caught_up.
 */
#include "client/core/catchup.h"

#include <stdlib.h>
#include <string.h>

#include "client/core/handle.h"
#include "client/local/backup.h"
#include "common/transfer/account.h"

enum { NEWS_MAX = CHAIN_MAX };

struct catchup {
    uv_work_t req;
    struct link *l;
    struct profile *profile;
    struct identity *id; /* as it was; then what the job has made */
    uint64_t next, last; /* sequences: to be asked for; newest at the server */
    struct profile_news news;
    struct manifest **manifests; /* of news, which are parsed as they come */
    struct buf record;
    uint8_t record_sig[SIGNED_SIG_LEN];
    bool ours;   /* what was on its way from here has arrived */
    bool unread; /* the record could not be opened, for record_err */
    struct err record_err;
    int rc;
    struct err err;
};

static void end(struct catchup *c)
{
    struct link *l = c->l;
    bool forked = c->rc == ERR_KEYCHANGED;

    if (forked && l->session != NULL) {
        err_wrap(&c->err, "the server shows other keys of yours than this device knows");
        session_drop(l->session, &c->err);
    } else if (c->rc != ERR_OK) {
        handle_notice(l->s, SATCHEL_NOTICE_KEY_FAILED, NULL,
                      "what your other devices have changed is not known: %s", c->err.msg);
    } else if (c->unread) {
        handle_notice(l->s, SATCHEL_NOTICE_KEY_FAILED, NULL,
                      "keys of your other devices cannot be read: %s", c->record_err.msg);
    }
    for (size_t i = 0; i < c->news.n; i++)
        manifest_free(c->manifests[i]);
    free(c->manifests);
    identity_unref(c->id);
    buf_free(&c->record);
    free(c);
    if (!forked)
        link_caught_up(l);
    handle_settle(l->s);
}

/* ---- third: kept ---- */

/* NOTFOUND: who wrote it did not know this device yet; the next one will. */
static int open_record(struct catchup *c, struct identity *id, struct secret *ret)
{
    const struct backup_sealed record = {.body = part(c->record.data, c->record.len),
                                         .signature = c->record_sig};
    struct secret box = {0};
    struct account_claim claim;
    uint8_t public[IDS_KEY_LEN];
    int rc = account_peek(record.body, &claim, &c->record_err);

    if (rc == ERR_OK && claim.number != c->news.record)
        rc = err_set(&c->record_err, ERR_INTEGRITY,
                     "the server gives an older account record for the newest");
    if (rc != ERR_OK)
        return rc;
    rc = account_device_box(&id->dsk, &box, public, &c->record_err);
    if (rc == ERR_OK)
        rc = backup_open(&id->chain, &record, &box, ret, &c->record_err);
    secret_free(&box);
    return rc;
}

static void keep_work(uv_work_t *req)
{
    struct catchup *c = LIST_OWNER(req, struct catchup, req);
    struct identity *id = NULL, *fresh = NULL;
    struct secret plain = {0};
    int rc;

    /* Manifests first: they say whose records count. */
    c->rc = profile_catch_up(c->profile, &c->news, &id, &c->err);
    if (c->rc != ERR_OK)
        return;
    c->ours = c->news.ours;
    if (c->record.len > 0) {
        rc = open_record(c, id, &plain);
        c->unread = rc != ERR_OK && rc != ERR_NOTFOUND;
        c->news.n = 0;
        c->news.account = rc == ERR_OK ? &plain : NULL;
        if (!c->unread)
            c->rc = profile_catch_up(c->profile, &c->news, &fresh, &c->err);
        if (fresh != NULL) {
            identity_unref(id);
            id = fresh;
        }
    }
    secret_free(&plain);
    identity_unref(c->id);
    c->id = id;
}

static void kept(uv_work_t *req, int status)
{
    struct catchup *c = LIST_OWNER(req, struct catchup, req);

    (void)status;
    c->l->jobs--;
    if (c->rc == ERR_OK) {
        identity_unref(c->profile->id);
        c->profile->id = c->id;
        c->id = NULL;
        if (!c->unread && c->news.record > c->profile->record)
            c->profile->record = c->news.record;
    }
    if (c->rc == ERR_OK && c->ours) {
        c->profile->backup_due = c->profile->id->has_box;
        handle_notice(c->l->s, SATCHEL_NOTICE_ROTATED, NULL, "a new encryption key was published");
    }
    end(c);
}

static void keep(struct catchup *c)
{
    c->news.manifests = c->manifests;
    if (uv_queue_work(c->l->s->loop, &c->req, keep_work, kept) != 0) {
        c->rc = err_set(&c->err, ERR_INTERNAL, "cannot start a job");
        end(c);
        return;
    }
    c->l->jobs++;
}

/* ---- asking ---- */

static void ask(struct catchup *c, Satchel__Envelope *e, Satchel__Envelope__BodyCase expect,
                answer_cb *cb)
{
    struct ask a = {.e = e, .expect = expect, .cb = cb, .cookie = c};

    if (c->l->session == NULL)
        c->rc = err_set(&c->err, ERR_CLOSED, "the connection was lost");
    else
        c->rc = session_ask(c->l->session, &a, NULL, &c->err);
    if (c->rc != ERR_OK)
        end(c);
}

static bool failed(struct catchup *c, const struct answer *a)
{
    if (a->err == NULL)
        return false;
    c->err = *a->err;
    c->rc = c->err.code;
    end(c);
    return true;
}

/* ---- second: the record ---- */

static void on_account(void *cookie, const struct answer *a)
{
    struct catchup *c = cookie;
    const Satchel__AccountReply *m;

    if (failed(c, a))
        return;
    m = a->e->account_reply;
    if (m->record != NULL && m->record->signature.len == SIGNED_SIG_LEN) {
        buf_put(&c->record, m->record->body.data, m->record->body.len);
        memcpy(c->record_sig, m->record->signature.data, SIGNED_SIG_LEN);
        c->news.record = m->number;
    }
    c->rc = buf_check(&c->record, &c->err);
    if (c->rc == ERR_OK)
        keep(c);
    else
        end(c);
}

static bool record_due(const struct link *l)
{
    return l->account > 1 && l->account - 1 > l->s->profile->record;
}

static void get_account(struct catchup *c)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__GetAccount m = SATCHEL__GET_ACCOUNT__INIT;

    if (!record_due(c->l)) {
        keep(c);
        return;
    }
    e.body_case = SATCHEL__ENVELOPE__BODY_GET_ACCOUNT;
    e.get_account = &m;
    ask(c, &e, SATCHEL__ENVELOPE__BODY_ACCOUNT_REPLY, on_account);
}

/* ---- first: manifests ---- */

static void look_up(struct catchup *c);

static int take_manifests(struct catchup *c, const Satchel__LookupReply *m, struct err *err)
{
    struct manifest **more;
    size_t n = c->news.n;

    if (m->n_manifests == 0 || n + m->n_manifests > NEWS_MAX)
        return err_set(err, ERR_PROTO, "the server holds back manifests");
    more = realloc(c->manifests, (n + m->n_manifests) * sizeof(*more));
    if (more == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    c->manifests = more;
    for (size_t i = 0; i < m->n_manifests; i++) {
        const Satchel__Signed *s = m->manifests[i];
        int rc = manifest_parse(part(s->body.data, s->body.len),
                                part(s->signature.data, s->signature.len), &more[n + i], err);

        if (rc != ERR_OK)
            return rc;
        c->news.n++;
    }
    c->next = more[c->news.n - 1]->sequence + 1;
    return ERR_OK;
}

static void on_lookup(void *cookie, const struct answer *a)
{
    struct catchup *c = cookie;

    if (failed(c, a))
        return;
    c->last = a->e->lookup_reply->last_sequence;
    c->rc = take_manifests(c, a->e->lookup_reply, &c->err);
    if (c->rc != ERR_OK)
        end(c);
    else if (c->next <= c->last)
        look_up(c);
    else
        get_account(c);
}

static void look_up(struct catchup *c)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Lookup m = SATCHEL__LOOKUP__INIT;

    m.who_case = SATCHEL__LOOKUP__WHO_USER_ID;
    m.user_id = (ProtobufCBinaryData){sizeof(c->id->uid.b), c->id->uid.b};
    m.from_sequence = c->next;
    e.body_case = SATCHEL__ENVELOPE__BODY_LOOKUP;
    e.lookup = &m;
    ask(c, &e, SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY, on_lookup);
}

static size_t devices_in_use(const struct manifest *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n_devices; i++)
        n += m->devices[i].revoked == 0;
    return n;
}

bool catchup_due(const struct link *l)
{
    const struct identity *id = l->s->profile->id;
    const struct manifest *newest = chain_newest(&id->chain);

    return l->server_sequence > newest->sequence ||
           (record_due(l) && (devices_in_use(newest) > 1 || identity_lacks_key(id)));
}

void catchup_start(struct link *l)
{
    struct catchup *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        link_caught_up(l);
        return;
    }
    c->l = l;
    c->profile = l->s->profile;
    c->id = identity_ref(c->profile->id);
    c->next = chain_newest(&c->id->chain)->sequence + 1;
    if (l->server_sequence >= c->next)
        look_up(c);
    else
        get_account(c);
}
