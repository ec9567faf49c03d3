/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PutManifest: the next manifest of the caller.
 *
 * Happy path: it is valid -> it follows the one stored before it -> unless it only revokes, there
 * is a number left for it, and not too many were stored within a day -> if it lets another device
 * in, the second factor is asked for -> stored.
 *
 * Who has one device of a user must not be able to use up what the user needs to be rid of it:
 * numbers, and the day's share.
 * One that is stored already is left to the store to judge: the same bytes are
 * Done again, others EXISTS.  The store also sees that what was looked at is still there: a
 * recovery may go back behind it at any time.
 *
 * Connections of devices that the new one revokes are ended; this goes on also
 * when the client has gone (the dispatch row says so).
 */
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/transfer/chain.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/factor.h"
#include "server/req.h"

#define DAY_MS ((uint64_t)86400000)

struct update {
    struct manifest *manifest;
    struct buf stored;
    uint8_t before[STORE_HASH_LEN]; /* of the stored one that it follows */
    bool again;                     /* its number was there: nothing was checked */
    bool asks;                      /* for the second factor */
};

static void update_free(void *data)
{
    struct update *u = data;

    manifest_free(u->manifest);
    buf_free(&u->stored);
    free(u);
}

/* It is the newest now: devices that it does not let in have no business here any more. */
static void on_stored(struct call *c)
{
    struct update *u = c->data;
    struct manifest *newest = u->manifest;
    struct daemon *d = c->d;

    u->manifest = NULL;
    call_done(c);
    daemon_end_user(d, &newest->uid, newest);
    manifest_free(newest);
}

static void on_put(struct call *c)
{
    if (c->res->code == ERR_OK && !c->res->duplicate)
        on_stored(c);
    else if (c->res->code == ERR_OK)
        call_done(c);
    else if (c->res->code == ERR_EXISTS)
        call_error(c, ERR_EXISTS, "another manifest has this sequence");
    else if (c->res->code == ERR_BADSTATE)
        call_error(c, ERR_EXISTS, "other manifests came in between");
    else
        call_failed(c);
}

static void put(struct call *c)
{
    const struct update *u = c->data;
    struct store_manifest_put in = {.seq = u->manifest->sequence,
                                    .now = daemon_time(),
                                    .again = u->again,
                                    .bytes = {u->stored.data, u->stored.len}};

    memcpy(in.uid, u->manifest->uid.b, sizeof(in.uid));
    memcpy(in.before, u->before, sizeof(in.before));
    call_store(c, store_manifest_put(c->d->port, &in, call_on_store, c), put, on_put);
}

/* May a device log in after ${next} that could not before? */
static bool adds_device(const struct manifest *before, const struct manifest *next)
{
    for (size_t i = 0; i < next->n_devices; i++) {
        const struct manifest_device *was = manifest_device(before, &next->devices[i].id);

        if (next->devices[i].revoked == 0 && (was == NULL || was->revoked != 0))
            return true;
    }
    return false;
}

/* May somebody log in, or another key speak for the user, who could not before? */
static bool needs_factor(const struct manifest *before, const struct manifest *next)
{
    return next->n_successions > before->n_successions || adds_device(before, next);
}

static size_t devices_in_use(const struct manifest *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n_devices; i++)
        n += m->devices[i].revoked == 0;
    return n;
}

/* Fewer devices, none of them new: as often as there are devices, and then no more. */
static bool only_revokes(const struct manifest *before, const struct manifest *next)
{
    return !adds_device(before, next) && devices_in_use(next) < devices_in_use(before);
}

/* ---- the share of a day ---- */

static void let_pass(struct call *c)
{
    const struct update *u = c->data;

    if (u->asks)
        factor_check(c, &u->manifest->uid, c->msg->put_manifest->code, FACTOR_IF_ACTIVE, put);
    else
        put(c);
}

/* The one so many before it is older than a day, or it has to wait until it is. */
static void on_day(struct call *c)
{
    uint64_t free_at, now = daemon_time();

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    free_at = c->res->count == 1 ? c->res->u.manifests[0].stored + DAY_MS : 0;
    if (free_at > now && free_at - now <= DAY_MS) /* a clock that went back keeps nobody out */
        call_later(c, ERR_RATE, free_at - now);
    else
        let_pass(c);
}

static void check_day(struct call *c)
{
    const struct update *u = c->data;
    struct store_manifest_list in = {.limit = 1};

    if (u->manifest->sequence <= c->d->settings.manifests) {
        let_pass(c);
        return;
    }
    in.from = u->manifest->sequence - c->d->settings.manifests;
    memcpy(in.uid, u->manifest->uid.b, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), check_day, on_day);
}

/* ---- the one before ---- */

static void go_on(struct call *c, bool revocation)
{
    const struct update *u = c->data;

    if (u->again)
        put(c); /* the same or another: the store says */
    else if (!revocation && u->manifest->sequence > CHAIN_ORDINARY)
        call_error(c, ERR_TOOLARGE,
                   "a user has at most %d manifests; the numbers behind are for revoking devices",
                   CHAIN_ORDINARY);
    else if (revocation)
        let_pass(c);
    else
        check_day(c);
}

/* The one before, and the one with this number if there is one already. */
static void on_before(struct call *c)
{
    struct update *u = c->data;
    const struct store_result *res = c->res;
    struct manifest *before = NULL;
    struct err err = {0};
    bool revocation = false;
    int rc = ERR_OK;

    if (res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (res->count == 0 || res->u.manifests[0].seq + 1 != u->manifest->sequence)
        rc = err_set(&err, ERR_INVALID, "sequence is not the next one");
    if (rc == ERR_OK && res->count == 1) {
        const struct store_blob *b = &res->u.manifests[0].bytes;

        rc = hash_sha256(u->before, b->data, b->len);
        if (rc == ERR_OK)
            rc = manifest_parse_signed(part(b->data, b->len), &before, &err);
    }
    if (rc == ERR_OK && before != NULL && manifest_follows(before, u->manifest, &err) != ERR_OK)
        rc = ERR_INVALID;
    u->asks = rc == ERR_OK && before != NULL && needs_factor(before, u->manifest);
    revocation = rc == ERR_OK && before != NULL && only_revokes(before, u->manifest);
    u->again = before == NULL;
    manifest_free(before);
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else
        go_on(c, revocation);
}

static void get_before(struct call *c)
{
    const struct update *u = c->data;
    struct store_manifest_list in = {.from = u->manifest->sequence - 1, .limit = 2};

    memcpy(in.uid, u->manifest->uid.b, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), get_before, on_before);
}

void req_put_manifest(struct call *c)
{
    const Satchel__Signed *msg = c->msg->put_manifest->manifest;
    struct update *u = calloc(1, sizeof(*u));
    struct err err = {0};
    int rc = ERR_OK;

    if (u == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = u;
    c->drop = update_free;
    if (msg == NULL)
        rc = err_set(&err, ERR_INVALID, "manifest is missing");
    else
        rc = manifest_parse(part(msg->body.data, msg->body.len),
                            part(msg->signature.data, msg->signature.len), &u->manifest, &err);
    if (rc == ERR_OK && u->manifest->sequence > CHAIN_MAX)
        rc = err_set(&err, ERR_TOOLARGE, "a user has at most %d manifests", CHAIN_MAX);
    if (rc == ERR_OK && memcmp(u->manifest->uid.b, c->conn->uid.b, IDS_UID_LEN) != 0)
        rc = err_set(&err, ERR_INVALID, "the manifest is another user's");
    if (rc == ERR_OK)
        rc = manifest_pack(u->manifest, &u->stored, &err);
    u->again = rc == ERR_OK && u->manifest->sequence == 1; /* there since the registration */
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else if (u->again)
        put(c); /* the same or another: the store says */
    else
        get_before(c);
}
