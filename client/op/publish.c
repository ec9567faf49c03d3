/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/publish.h"

#include <string.h>

#include "client/core/deposit.h"
#include "common/transfer/factor_code.h"

void publish_free(struct publish *p)
{
    deposit_forget(p->deposit);
    p->deposit = NULL;
    identity_unref(p->id);
    p->id = NULL;
}

/* What the vault has now is the identity of the profile and of the operation from here on. */
static void take_identity(struct publish *p)
{
    struct profile *profile = p->op->s->profile;

    identity_unref(profile->id);
    profile->id = p->id;
    identity_unref(p->op->id);
    p->op->id = identity_ref(p->id);
    p->id = NULL;
}

/* ---- fourth: the server has it ---- */

static int promote_work(struct op_job *job, struct err *err)
{
    struct publish *p = LIST_OWNER(job, struct publish, job);

    return profile_promote(job->op->s->profile, &p->next, &p->care, &p->id, err);
}

static void promoted(struct op_job *job)
{
    struct publish *p = LIST_OWNER(job, struct publish, job);

    take_identity(p);
    job->op->s->profile->backup_due = job->op->id->has_box;
    p->done(p);
}

/* ---- or: it will not have it ---- */

/* Then the next login need not try again. */
static bool is_refusal(int code)
{
    return code == ERR_FACTOR || code == ERR_RATE || code == ERR_BADREQUEST || code == ERR_TOOLARGE;
}

static int drop_work(struct op_job *job, struct err *err)
{
    struct publish *p = LIST_OWNER(job, struct publish, job);

    return profile_drop_next(job->op->s->profile, &p->next, &p->id, err);
}

static void dropped(struct op_job *job)
{
    struct publish *p = LIST_OWNER(job, struct publish, job);

    take_identity(p);
    if (p->refused != NULL)
        p->refused(p, &p->why);
    else
        op_end(p->op, &p->why);
}

/* ---- third: publish ---- */

static void on_put(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct publish *p = arg;

    if (a->err == NULL) {
        op_job(op, &p->job, promote_work, promoted);
        return;
    }
    p->why = *a->err;
    if (is_refusal(p->why.code))
        op_job(op, &p->job, drop_work, dropped);
    else
        op_end(op, &p->why);
}

static void put(struct publish *p)
{
    const struct manifest *next = p->op->id->next;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__PutManifest m = SATCHEL__PUT_MANIFEST__INIT;
    Satchel__Signed sig = SATCHEL__SIGNED__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE},
                       .cb = on_put,
                       .arg = p,
                       .errors = true};
    const char *code = p->code != NULL ? p->code : "";

    if (code[0] != '\0' && factor_code_check(code, &p->why) != ERR_OK) {
        op_job(p->op, &p->job, drop_work, dropped); /* as if the server had refused it */
        return;
    }
    a.stale = a.recovers = factor_code_kind(code, strlen(code)) == FACTOR_CODE_ONE_TIME;
    sig.body = (ProtobufCBinaryData){next->body.len, (uint8_t *)next->body.data};
    sig.signature = (ProtobufCBinaryData){sizeof(next->signature), (uint8_t *)next->signature};
    m.manifest = &sig;
    m.code = (char *)(uintptr_t)code;
    e.body_case = SATCHEL__ENVELOPE__BODY_PUT_MANIFEST;
    e.put_manifest = &m;
    (void)op_ask(p->op, &a);
}

/* ---- second: what is sealed to the key can be read after a loss of this machine, too ---- */

static void deposited(void *cookie)
{
    struct publish *p = cookie;

    p->deposit = NULL;
    if (!p->op->ended && !p->op->broken)
        put(p);
}

static void planned(struct op_job *job)
{
    struct publish *p = LIST_OWNER(job, struct publish, job);
    struct link *l = &p->op->s->link;

    p->next = p->id->next->hash;
    take_identity(p); /* with `next` on its way */
    if (deposit_first(l))
        p->deposit = deposit_start(l, deposited, p);
    if (p->deposit == NULL)
        put(p);
}

/* ---- first: plan ---- */

static int plan_work(struct op_job *job, struct err *err)
{
    struct publish *p = LIST_OWNER(job, struct publish, job);

    return profile_plan_change(job->op->s->profile, &p->change, p->care.now, &p->id, err);
}

void publish_start(struct publish *p)
{
    if (p->op->s->link.session == NULL) {
        op_fail(p->op, ERR_CLOSED, "the connection was lost");
        return;
    }
    p->care = rotate_care(&p->op->s->link);
    op_job(p->op, &p->job, plan_work, planned);
}
