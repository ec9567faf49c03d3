/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PutManifest: the next manifest of the caller.
 *
 * Happy path: it is valid -> it follows the one stored before it -> if it lets another device in,
 * the second factor is asked for -> stored.
 * One that is stored already is left to the store to judge: the same bytes are
 * Done again, others EXISTS.
 *
 * Connections of devices that the new one revokes are ended; this goes on also
 * when the client has gone (the dispatch row says so).
 */
#include <stdlib.h>
#include <string.h>

#include "common/transfer/chain.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/factor.h"
#include "server/req.h"

struct update {
    struct manifest *manifest;
    struct buf stored;
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
        call_error(c, ERR_INVALID, "sequence is not the next one");
    else
        call_failed(c);
}

static void put(struct call *c)
{
    const struct update *u = c->data;
    struct store_manifest_put in = {.seq = u->manifest->sequence,
                                    .now = daemon_time(),
                                    .bytes = {u->stored.data, u->stored.len}};

    memcpy(in.uid, u->manifest->uid.b, sizeof(in.uid));
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

/* The one before, and the one with this number if there is one already. */
static void on_before(struct call *c)
{
    const struct update *u = c->data;
    const struct store_result *res = c->res;
    struct manifest *before = NULL;
    struct err err = {0};
    bool adds = false;
    int rc = ERR_OK;

    if (res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (res->count == 0 || res->u.manifests[0].seq + 1 != u->manifest->sequence)
        rc = err_set(&err, ERR_INVALID, "sequence is not the next one");
    if (rc == ERR_OK && res->count == 1)
        rc = manifest_parse_signed(
            part(res->u.manifests[0].bytes.data, res->u.manifests[0].bytes.len), &before, &err);
    if (rc == ERR_OK && before != NULL && manifest_follows(before, u->manifest, &err) != ERR_OK)
        rc = ERR_INVALID;
    adds = rc == ERR_OK && before != NULL && adds_device(before, u->manifest);
    manifest_free(before);
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else if (adds)
        factor_check(c, &u->manifest->uid, c->msg->put_manifest->code, FACTOR_IF_ACTIVE, put);
    else
        put(c);
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
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else if (u->manifest->sequence == 1)
        put(c); /* it is there since the registration: the same or another */
    else
        get_before(c);
}
