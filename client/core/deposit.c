/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: build and seal on a worker -> PutAccount -> Done -> noted on a
 * worker -> then().
 */
#include "client/core/deposit.h"

#include <stdlib.h>
#include <string.h>

#include "client/core/handle.h"
#include "client/local/backup.h"
#include "common/transfer/account.h"

struct deposit {
    uv_work_t req;
    struct link *l;
    deposit_then *then; /* NULL: nobody is there any more */
    void *cookie;
    struct profile *profile;
    struct identity *id;
    uint64_t number;
    struct backup_made made;
    struct buf body;
    uint8_t signature[SIGNED_SIG_LEN];
    int rc; /* why it failed, with err */
    struct err err;
};

static void end(struct deposit *d)
{
    struct link *l = d->l;

    if (d->rc == ERR_EXISTS) /* another device, or process, of ours was faster */
        handle_notice(
            l->s, SATCHEL_NOTICE_KEY_FAILED, NULL,
            "another device of yours has just renewed the server's copy for a recovery: "
            "nothing is lost, and what is new here is added by itself, at a later command");
    else if (d->rc != ERR_OK)
        handle_notice(l->s, SATCHEL_NOTICE_KEY_FAILED, NULL,
                      "the server's copy for a recovery is not up to date: %s", d->err.msg);
    else if (d->made.left_out > 0)
        handle_notice(l->s, SATCHEL_NOTICE_LEFT_OUT, NULL,
                      "%zu contacts do not fit into the server's copy for a recovery",
                      d->made.left_out);
    if (d->then != NULL)
        d->then(d->cookie);
    identity_unref(d->id);
    buf_free(&d->body);
    free(d);
    handle_settle(l->s);
}

static bool job(struct deposit *d, uv_work_cb work, uv_after_work_cb after)
{
    if (uv_queue_work(d->l->s->loop, &d->req, work, after) != 0) {
        d->rc = err_set(&d->err, ERR_INTERNAL, "cannot start a job");
        return false;
    }
    d->l->jobs++;
    return true;
}

/* ---- third: noted ---- */

static void mark_work(uv_work_t *req)
{
    struct deposit *d = LIST_OWNER(req, struct deposit, req);

    d->rc = vault_lock(d->profile->vault, &d->err);
    if (d->rc != ERR_OK)
        return;
    d->rc = backup_mark(d->profile->vault, d->made.mark, d->number, &d->err);
    vault_unlock(d->profile->vault);
}

static void marked(uv_work_t *req, int status)
{
    struct deposit *d = LIST_OWNER(req, struct deposit, req);

    (void)status;
    d->l->jobs--;
    end(d);
}

/* ---- second: given ---- */

static void on_put(void *cookie, const struct answer *a)
{
    struct deposit *d = cookie;

    if (a->err != NULL) {
        d->err = *a->err;
        d->rc = d->err.code;
    } else {
        d->l->account = d->number + 1; /* for another one on this connection */
    }
    if (a->err != NULL || !job(d, mark_work, marked))
        end(d);
}

static bool give(struct deposit *d)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__PutAccount m = SATCHEL__PUT_ACCOUNT__INIT;
    Satchel__Signed record = SATCHEL__SIGNED__INIT;
    struct ask ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE, .cb = on_put, .cookie = d};

    record.body = (ProtobufCBinaryData){d->body.len, d->body.data};
    record.signature = (ProtobufCBinaryData){sizeof(d->signature), d->signature};
    m.number = d->number;
    m.record = &record;
    e.body_case = SATCHEL__ENVELOPE__BODY_PUT_ACCOUNT;
    e.put_account = &m;
    if (d->l->session == NULL)
        d->rc = err_set(&d->err, ERR_CLOSED, "the connection was lost");
    else
        d->rc = session_ask(d->l->session, &ask, NULL, &d->err);
    return d->rc == ERR_OK;
}

/* ---- first: sealed ---- */

/* Of the recovery seed, then of our other devices; how many they are. */
static size_t take_boxes(const struct identity *id, uint8_t ret[ACCOUNT_BOXES_MAX][IDS_KEY_LEN])
{
    const struct manifest *newest = chain_newest(&id->chain);
    size_t n = 0;

    memcpy(ret[n++], id->box, IDS_KEY_LEN);
    for (size_t i = 0; i < newest->n_devices; i++) {
        const struct manifest_device *d = &newest->devices[i];

        if (d->revoked == 0 && d->has_box && memcmp(&d->id, &id->device, sizeof(d->id)) != 0)
            memcpy(ret[n++], d->box, IDS_KEY_LEN);
    }
    return n;
}

static int seal(struct deposit *d, struct part plain)
{
    uint8_t boxes[ACCOUNT_BOXES_MAX][IDS_KEY_LEN];
    struct secret key = {0}, ephemeral = {0};
    struct account_plan plan = {.uid = d->id->uid,
                                .number = d->number,
                                .device = d->id->device,
                                .boxes = (const uint8_t(*)[IDS_KEY_LEN])boxes,
                                .n_boxes = take_boxes(d->id, boxes),
                                .content_key = &key,
                                .ephemeral = &ephemeral,
                                .device_key = &d->id->dsk};
    int rc = hedge_draw(d->profile->hedge, "account record", part(NULL, 0), &key, &d->err);

    if (rc == ERR_OK)
        rc = hedge_draw(d->profile->hedge, "account box", part(NULL, 0), &ephemeral, &d->err);
    if (rc == ERR_OK)
        rc = account_seal(&plan, plain, &d->body, d->signature, &d->err);
    secret_free(&key);
    secret_free(&ephemeral);
    return rc;
}

static void seal_work(uv_work_t *req)
{
    struct deposit *d = LIST_OWNER(req, struct deposit, req);
    struct secret plain = {0};

    d->rc = vault_lock(d->profile->vault, &d->err);
    if (d->rc != ERR_OK)
        return;
    d->rc = backup_build(d->profile->vault, d->id, &plain, &d->made, &d->err);
    vault_unlock(d->profile->vault);
    if (d->rc == ERR_OK)
        d->rc = seal(d, part_secret(&plain));
    secret_free(&plain);
}

static void sealed(uv_work_t *req, int status)
{
    struct deposit *d = LIST_OWNER(req, struct deposit, req);

    (void)status;
    d->l->jobs--;
    if (d->rc != ERR_OK || !give(d))
        end(d);
}

static bool is_kept(const struct link *l)
{
    const struct profile *p = l->s->profile;

    return l->account > 0 && l->session != NULL && p != NULL && p->id->has_box;
}

bool deposit_due(const struct link *l)
{
    return is_kept(l) && l->s->profile->backup_due;
}

bool deposit_first(const struct link *l)
{
    const struct identity *id = is_kept(l) ? l->s->profile->id : NULL;

    return id != NULL && id->next != NULL && id->next_key.key.len > 0;
}

struct deposit *deposit_start(struct link *l, deposit_then *then, void *cookie)
{
    struct deposit *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->l = l;
    d->then = then;
    d->cookie = cookie;
    d->profile = l->s->profile;
    d->profile->backup_due = false; /* once after a login, whatever comes of it */
    d->id = identity_ref(d->profile->id);
    d->number = l->account;
    if (job(d, seal_work, sealed))
        return d;
    d->then = NULL;
    end(d);
    return NULL;
}

void deposit_forget(struct deposit *d)
{
    if (d != NULL)
        d->then = NULL;
}

static void ready(void *link)
{
    link_ready(link);
}

void deposit_last(struct link *l)
{
    if (!deposit_due(l) || deposit_start(l, ready, l) == NULL)
        link_ready(l);
}
