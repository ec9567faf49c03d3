/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: plan on a worker -> the account record has the key -> PutManifest -> Done -> promote
 * on a worker -> the identity is replaced -> link_ready.
 */
#include "client/core/rotate.h"

#include <stdlib.h>
#include <string.h>

#include "client/core/deposit.h"
#include "client/core/handle.h"

struct rotation {
    uv_work_t req;
    struct link *l;
    struct profile *profile;
    struct identity *id; /* what a job has made */
    struct hash32 next;
    struct profile_care care;
    int rc; /* why it failed, with err */
    struct err err;
};

static void end(struct rotation *r)
{
    struct link *l = r->l;

    if (r->rc != ERR_OK)
        handle_notice(l->s, SATCHEL_NOTICE_KEY_FAILED, NULL,
                      "cannot publish a new encryption key: %s", r->err.msg);
    identity_unref(r->id);
    free(r);
    deposit_last(l);
    handle_settle(l->s);
}

/* What the vault has now is the profile's identity from here on. */
static void take_identity(struct rotation *r)
{
    identity_unref(r->profile->id);
    r->profile->id = r->id;
    r->id = NULL;
}

static bool job(struct rotation *r, uv_work_cb work, uv_after_work_cb after)
{
    if (uv_queue_work(r->l->s->loop, &r->req, work, after) != 0) {
        r->rc = err_set(&r->err, ERR_INTERNAL, "cannot start a job");
        return false;
    }
    r->l->jobs++;
    return true;
}

/* ---- fourth: the server has it ---- */

static void promote_work(uv_work_t *req)
{
    struct rotation *r = LIST_OWNER(req, struct rotation, req);

    r->rc = profile_promote(r->profile, &r->next, &r->care, &r->id, &r->err);
}

static void promoted(uv_work_t *req, int status)
{
    struct rotation *r = LIST_OWNER(req, struct rotation, req);

    (void)status;
    r->l->jobs--;
    if (r->rc == ERR_OK) {
        take_identity(r);
        r->profile->backup_due = r->profile->id->has_box;
        handle_notice(r->l->s, SATCHEL_NOTICE_ROTATED, NULL, "a new encryption key was published");
    }
    end(r);
}

/* ---- third: publish ---- */

static void on_put(void *cookie, const struct answer *a)
{
    struct rotation *r = cookie;

    if (a->err != NULL) {
        r->err = *a->err;
        r->rc = r->err.code;
    }
    if (a->err != NULL || !job(r, promote_work, promoted))
        end(r);
}

static bool publish(struct rotation *r)
{
    const struct manifest *next = r->profile->id->next;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__PutManifest m = SATCHEL__PUT_MANIFEST__INIT;
    Satchel__Signed sig = SATCHEL__SIGNED__INIT;
    struct ask ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE, .cb = on_put, .cookie = r};

    sig.body = (ProtobufCBinaryData){next->body.len, (uint8_t *)next->body.data};
    sig.signature = (ProtobufCBinaryData){sizeof(next->signature), (uint8_t *)next->signature};
    m.manifest = &sig;
    e.body_case = SATCHEL__ENVELOPE__BODY_PUT_MANIFEST;
    e.put_manifest = &m;
    r->next = next->hash;
    if (r->l->session == NULL) {
        r->rc = err_set(&r->err, ERR_CLOSED, "the connection was lost");
        return false;
    }
    r->rc = session_ask(r->l->session, &ask, NULL, &r->err);
    return r->rc == ERR_OK;
}

/* ---- second: what is sealed to the key can be read after a loss of this machine, too ---- */

static void deposited(void *cookie)
{
    struct rotation *r = cookie;

    if (!publish(r))
        end(r);
}

static bool deposit(struct rotation *r)
{
    return deposit_first(r->l) && deposit_start(r->l, deposited, r) != NULL;
}

/* ---- first: plan ---- */

static void plan_work(uv_work_t *req)
{
    struct rotation *r = LIST_OWNER(req, struct rotation, req);

    r->rc = profile_plan_next(r->profile, &r->care, &r->id, &r->err);
}

static void planned(uv_work_t *req, int status)
{
    struct rotation *r = LIST_OWNER(req, struct rotation, req);

    (void)status;
    r->l->jobs--;
    if (r->rc == ERR_OK)
        take_identity(r); /* with the next key, or with what another process has published */
    if (r->rc != ERR_OK || r->profile->id->next == NULL || (!deposit(r) && !publish(r)))
        end(r);
}

struct profile_care rotate_care(const struct link *l)
{
    const struct session_hello *hello = session_hello(l->session);

    return profile_care_for(&l->s->profile->settings, handle_now(), hello->time,
                            hello->max_lifetime);
}

bool rotate_due(const struct link *l)
{
    const struct identity *id = l->s->profile->id;
    struct profile_care care = rotate_care(l);

    return identity_due(id, care.now) || identity_has_old(id, care.erase_at, care.max_lifetime);
}

void rotate_start(struct link *l)
{
    struct rotation *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        link_ready(l);
        return;
    }
    r->l = l;
    r->profile = l->s->profile;
    r->care = rotate_care(l);
    if (!job(r, plan_work, planned))
        end(r);
}
