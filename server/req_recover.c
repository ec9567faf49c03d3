/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recover: whoever has the recovery words, on a machine that is no device yet.
 *
 * Happy path: the user is active -> the signature over this connection is by
 * its recovery key -> without a manifest: manifests, and with the first of them
 * the account record; with one: it has one more succession than the newest, and follows that or an
 * earlier one -> the second factor, if one is settled -> stored, and those from its number on are
 * gone, as is a factor that is not settled -> connections of devices that it revokes are ended.
 *
 * Whoever has a device can put manifests, but no succession: what comes in between is looked at
 * anew, and in the end the recovery counts.  A device is also enough to enrol a factor: a young one
 * must not keep out who has the words.
 *
 * Whatever is wrong with user or signature, the peer hears AUTH_FAILED in the
 * same words.  Steps go on when the peer has gone, so none uses c->conn.
 */
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/transfer/chain.h"
#include "common/transfer/login.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/factor.h"
#include "server/manifest_page.h"
#include "server/req.h"

enum {
    REPLY_MAX = 64 * 1024,
    ROUNDS_MAX = 4 /* how often another manifest may come in between */
};

struct recovery {
    struct uid uid;
    char name[STORE_NAME_MAX + 1], email[STORE_EMAIL_MAX + 1];
    uint64_t last, from;
    uint8_t exporter[LOGIN_EXPORTER_LEN];
    struct manifest *next; /* to be stored; NULL: none */
    struct manifest *newest;
    uint8_t newest_hash[STORE_HASH_LEN], before[STORE_HASH_LEN]; /* as stored; the one to follow */
    bool granted;                                                /* by the second factor */
    bool drops;                                                  /* one that is not settled */
    uint64_t removed; /* ms since 1970: when that was enrolled; 0: there is none */
    int rounds;
    struct manifest_page page;
};

static void recovery_free(void *data)
{
    struct recovery *r = data;

    manifest_page_free(&r->page);
    manifest_free(r->next);
    manifest_free(r->newest);
    free(r);
}

static void refuse(struct call *c)
{
    call_error(c, ERR_AUTH, "recovery refused");
}

/* ---- third: the answer ---- */

static void on_account(struct call *c)
{
    struct recovery *r = c->data;
    const struct store_blob *b = &c->res->u.account.bytes;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__RecoverReply reply = SATCHEL__RECOVER_REPLY__INIT;
    Satchel__Signed *record = NULL;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (r->from == 1 && b->len > 0)
        record = satchel__signed__unpack(NULL, b->len, b->data);
    reply.user_id = (ProtobufCBinaryData){sizeof(r->uid.b), r->uid.b};
    reply.username = r->name;
    reply.email = r->email;
    reply.n_manifests = r->page.n;
    reply.manifests = r->page.rows;
    reply.last_sequence = r->last;
    reply.record = record;
    env.body_case = SATCHEL__ENVELOPE__BODY_RECOVER_REPLY;
    env.recover_reply = &reply;
    call_reply(c, &env); /* frees r */
    satchel__signed__free_unpacked(record, NULL);
}

static void get_account(struct call *c)
{
    const struct recovery *r = c->data;
    struct store_account_get in = {.bytes = r->from == 1};

    memcpy(in.uid, r->uid.b, sizeof(in.uid));
    call_store(c, store_account_get(c->d->port, &in, call_on_store, c), get_account, on_account);
}

static void get_user(struct call *c);

/* What was there a moment ago is not there any more. */
static void look_anew(struct call *c)
{
    struct recovery *r = c->data;

    if (++r->rounds < ROUNDS_MAX)
        get_user(c);
    else
        call_error(c, ERR_EXISTS, "other manifests come in between");
}

static void answer_stored(struct call *c)
{
    const struct recovery *r = c->data;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__Done done = SATCHEL__DONE__INIT;

    done.factor_removed = r->removed;
    env.body_case = SATCHEL__ENVELOPE__BODY_DONE;
    env.done = &done;
    call_reply(c, &env); /* frees r */
}

static void on_put(struct call *c)
{
    struct recovery *r = c->data;
    struct manifest *newest = r->next;
    struct daemon *d = c->d;

    if (c->res->code == ERR_BADSTATE) {
        look_anew(c);
    } else if (c->res->code != ERR_OK) {
        call_failed(c);
    } else if (c->res->duplicate) {
        call_done(c); /* another one stored it, and others may have followed since */
    } else {
        r->next = NULL;
        answer_stored(c);
        daemon_end_user(d, &newest->uid, newest);
        manifest_free(newest);
    }
}

static void put(struct call *c)
{
    const struct recovery *r = c->data;
    struct store_manifest_put in = {.seq = r->next->sequence,
                                    .now = daemon_time(),
                                    .newest = r->newest->sequence,
                                    .drop_factor = r->drops};
    struct buf raw = {0};
    struct err err = {0};

    memcpy(in.uid, r->uid.b, sizeof(in.uid));
    memcpy(in.before, r->before, sizeof(in.before));
    memcpy(in.newest_hash, r->newest_hash, sizeof(in.newest_hash));
    if (manifest_pack(r->next, &raw, &err) != ERR_OK) {
        call_error(c, err.code, NULL);
    } else {
        in.bytes = (struct store_blob){raw.data, raw.len};
        call_store(c, store_manifest_put(c->d->port, &in, call_on_store, c), put, on_put);
    }
    buf_free(&raw);
}

/* ---- second: is it the recovery key? ---- */

static struct part who_of(const Satchel__Recover *msg)
{
    if (msg->who_case == SATCHEL__RECOVER__WHO_USER_ID)
        return part(msg->user_id.data, msg->user_id.len);
    return part_str(msg->username);
}

/* ${before} is the newest one stored, or the first one asked for: all have the same recovery key.
 */
static bool is_theirs(struct call *c, const struct manifest *before)
{
    const struct recovery *r = c->data;
    const Satchel__Recover *msg = c->msg->recover;
    struct login_recovery facts = {.server = c->d->id, .who = who_of(msg)};

    memcpy(facts.exporter, r->exporter, sizeof(facts.exporter));
    if (r->next != NULL)
        facts.manifest = r->next->body;
    return login_recovery_check(&facts, before->recovery_key,
                                part(msg->signature.data, msg->signature.len), NULL) == ERR_OK;
}

/* Who got here without a code has no settled factor; what there is in its place goes. */
static void grant(struct call *c)
{
    struct recovery *r = c->data;
    const struct factor_row *row = factor_of(c);

    r->granted = true;
    r->drops = !factor_was_settled(c);
    if (r->drops && row->state == FACTOR_ACTIVE)
        r->removed = row->since;
    put(c);
}

/* It may go back behind ${before}, but every succession that there ever was stays. */
static int check_next(const struct recovery *r, const struct manifest *before, struct err *err)
{
    if (r->next->n_successions != r->newest->n_successions + 1)
        return err_set(err, ERR_INVALID, "the manifest has no new succession");
    if (!manifest_keeps_successions(r->newest, r->next))
        return err_set(err, ERR_INVALID, "the manifest leaves out a succession");
    if (manifest_follows(before, r->next, err) != ERR_OK)
        return ERR_INVALID;
    if (r->next->sequence > CHAIN_MAX)
        return err_set(err, ERR_TOOLARGE, "a user has at most %d manifests", CHAIN_MAX);
    return ERR_OK;
}

static void store_next(struct call *c, const struct manifest *before)
{
    const struct recovery *r = c->data;
    struct err err = {0};
    int rc = check_next(r, before, &err);

    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else if (r->granted)
        put(c);
    else
        factor_check(c, &r->uid, c->msg->recover->code, FACTOR_IF_SETTLED, grant);
}

/* The one before the new one, and the one that has its number. */
static void on_before(struct call *c)
{
    struct recovery *r = c->data;
    struct manifest *m[2] = {NULL, NULL};
    size_t n = 0;
    bool again = false;
    int rc = c->res->code;

    if (rc != ERR_OK) {
        call_failed(c);
        return;
    }
    for (; rc == ERR_OK && n < c->res->count && n < 2; n++) {
        const struct store_blob *b = &c->res->u.manifests[n].bytes;

        rc = manifest_parse_signed(part(b->data, b->len), &m[n], NULL);
        if (rc == ERR_OK && n == 0)
            rc = hash_sha256(r->before, b->data, b->len);
    }
    again =
        rc == ERR_OK && n == 2 && memcmp(&r->next->hash, &m[1]->hash, sizeof(r->next->hash)) == 0;
    if (rc != ERR_OK)
        call_error(c, ERR_INTERNAL, NULL);
    else if (n == 0)
        look_anew(c);
    else if (again)
        call_done(c); /* after a lost answer */
    else
        store_next(c, m[0]);
    manifest_free(m[0]);
    manifest_free(m[1]);
}

static void get_before(struct call *c)
{
    const struct recovery *r = c->data;
    struct store_manifest_list in = {.from = r->next->sequence - 1, .limit = 2};

    memcpy(in.uid, r->uid.b, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), get_before, on_before);
}

/* ${take} is the newest one. */
static void place_next(struct call *c, struct manifest **take)
{
    struct recovery *r = c->data;
    const struct manifest *newest = *take;

    manifest_free(r->newest);
    r->newest = *take;
    *take = NULL;
    memcpy(r->before, r->newest_hash, sizeof(r->before)); /* unless it goes back */
    if (memcmp(&r->next->hash, &newest->hash, sizeof(newest->hash)) == 0)
        call_done(c); /* again, after a lost answer */
    else if (r->next->sequence >= 2 && r->next->sequence <= newest->sequence)
        get_before(c);
    else
        store_next(c, newest);
}

static void on_manifests(struct call *c)
{
    struct recovery *r = c->data;
    const struct store_result *res = c->res;
    const struct store_blob *b;
    struct manifest *first = NULL;
    struct err err = {0};
    int rc;

    if (res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (res->count == 0 && r->next != NULL) {
        look_anew(c);
        return;
    }
    if (res->count == 0) {
        refuse(c);
        return;
    }
    b = &res->u.manifests[0].bytes;
    rc = manifest_parse_signed(part(b->data, b->len), &first, &err);
    if (rc == ERR_OK)
        rc = hash_sha256(r->newest_hash, b->data, b->len);
    if (rc != ERR_OK)
        call_error(c, ERR_INTERNAL, NULL);
    else if (!is_theirs(c, first))
        refuse(c);
    else if (r->next != NULL)
        place_next(c, &first);
    else if (!manifest_page_take(&r->page, res, REPLY_MAX))
        call_error(c, ERR_NOMEM, NULL);
    else
        get_account(c);
    manifest_free(first);
}

static void get_manifests(struct call *c)
{
    const struct recovery *r = c->data;
    struct store_manifest_list in = {.from = r->next != NULL ? r->last : r->from,
                                     .limit = r->next != NULL ? 1 : MANIFEST_PAGE_MAX};

    memcpy(in.uid, r->uid.b, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), get_manifests,
               on_manifests);
}

/* ---- first: who ---- */

static void on_user(struct call *c)
{
    struct recovery *r = c->data;
    const struct store_user *user = &c->res->u.user;

    if (c->res->code != ERR_OK && c->res->code != ERR_NOTFOUND) {
        call_failed(c);
        return;
    }
    if (c->res->code != ERR_OK || user->state != STORE_USER_ACTIVE ||
        (r->next != NULL && memcmp(user->uid, r->next->uid.b, sizeof(r->next->uid.b)) != 0)) {
        refuse(c);
        return;
    }
    memcpy(r->uid.b, user->uid, sizeof(r->uid.b));
    (void)snprintf(r->name, sizeof(r->name), "%s", user->name);
    (void)snprintf(r->email, sizeof(r->email), "%s", user->email);
    r->last = user->manifest_seq;
    get_manifests(c);
}

static void get_user(struct call *c)
{
    const Satchel__Recover *msg = c->msg->recover;
    struct store_user_get in = {.by = STORE_BY_NAME, .text = msg->username};

    if (msg->who_case == SATCHEL__RECOVER__WHO_USER_ID) {
        in = (struct store_user_get){.by = STORE_BY_UID};
        memcpy(in.uid, msg->user_id.data, sizeof(in.uid));
    }
    call_store(c, store_user_get(c->d->port, &in, call_on_store, c), get_user, on_user);
}

static int check(const Satchel__Recover *msg, struct recovery *r, struct err *err)
{
    if (msg->who_case == SATCHEL__RECOVER__WHO_USER_ID && msg->user_id.len != IDS_UID_LEN)
        return err_set(err, ERR_INVALID, "user_id: %zu bytes instead of %d", msg->user_id.len,
                       IDS_UID_LEN);
    if (msg->who_case == SATCHEL__RECOVER__WHO__NOT_SET)
        return err_set(err, ERR_INVALID, "who is missing");
    if (msg->who_case == SATCHEL__RECOVER__WHO_USERNAME &&
        ids_check_username(msg->username, err) != ERR_OK)
        return ERR_INVALID;
    if (msg->manifest == NULL)
        return ERR_OK;
    return manifest_parse(part(msg->manifest->body.data, msg->manifest->body.len),
                          part(msg->manifest->signature.data, msg->manifest->signature.len),
                          &r->next, err);
}

void req_recover(struct call *c)
{
    struct recovery *r = calloc(1, sizeof(*r));
    struct err err = {0};
    int rc;

    if (r == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = r;
    c->drop = recovery_free;
    r->from = c->msg->recover->from_sequence > 0 ? c->msg->recover->from_sequence : 1;
    rc = check(c->msg->recover, r, &err);
    if (rc == ERR_OK)
        rc = conn_exporter(c->conn, r->exporter, &err);
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else
        get_user(c);
}
