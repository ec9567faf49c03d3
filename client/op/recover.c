/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: connect, be greeted -> Recover, again while there are more
 * manifests -> on a worker: chain and record checked, keys drawn, a pending
 * profile stored -> Recover with the new manifest -> Done -> the profile
 * becomes active -> done.
 *
 * Ways to fail:
 *  - before the new manifest leaves: nothing has changed at the server; a pending profile may be
 *    left, which the same call replaces
 *  - the answer is lost, or the new device is before it has given the server a record of its own:
 *    the same call makes one more succession, and the manifest before vouches for the record
 *  - not the words of this user                      ERR_AUTH
 *  - a settled second factor, and no good code       ERR_FACTOR, ERR_RATE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/backup.h"
#include "client/local/recovery.h"
#include "client/op/arrival.h"
#include "client/op/passphrase.h"
#include "client/op/target.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/words.h"
#include "common/transfer/account.h"
#include "common/transfer/factor_code.h"

enum { OTP_TRIES = 3 };

struct recover {
    struct satchel_op op;
    struct arrival to;
    char username[IDS_USERNAME_TEXT];
    struct uid uid;
    bool by_uid;
    struct secret seed, rk;
    satchel_passphrase_cb *ask_otp;
    struct secret otp; /* with its NUL */
    unsigned tries;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_recovered *r);

    struct op_job job;
    char name[IDS_USERNAME_TEXT], email[IDS_EMAIL_TEXT]; /* as the server says */
    struct buf record;                                   /* body of the account record, or empty */
    uint8_t record_sig[SIGNED_SIG_LEN];
    struct hash32 record_hash;
    struct satchel_recovered result;
};

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct recover *r = (struct recover *)op;

    r->done(op->done_cookie, err, err == NULL ? &r->result : NULL);
}

static void free_recover(struct satchel_op *op)
{
    struct recover *r = (struct recover *)op;

    arrival_free(&r->to);
    secret_free(&r->seed);
    secret_free(&r->rk);
    secret_free(&r->otp);
    buf_free(&r->record);
    free(r);
}

/* ---- asking: both requests have the same form ---- */

static bool ask(struct recover *r, const struct manifest *next, op_answer_cb *cb)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Recover m = SATCHEL__RECOVER__INIT;
    Satchel__Signed manifest = SATCHEL__SIGNED__INIT;
    struct login_recovery facts = {.server = r->to.server};
    struct op_ask a = {.ask = {.e = &e,
                               .expect = next != NULL ? SATCHEL__ENVELOPE__BODY_DONE
                                                      : SATCHEL__ENVELOPE__BODY_RECOVER_REPLY},
                       .cb = cb,
                       .errors = true};
    uint8_t sig[SIGNED_SIG_LEN];
    struct err err = {0};
    int rc = r->op.s->link.session != NULL
                 ? session_binding(r->op.s->link.session, facts.exporter, &err)
                 : err_set(&err, ERR_CLOSED, "the connection was lost");

    facts.who = r->by_uid ? PART_OF(r->uid.b) : part_str(r->username);
    if (next != NULL)
        facts.manifest = next->body;
    if (rc == ERR_OK)
        rc = login_recovery_sign(&facts, &r->rk, sig, &err);
    if (rc != ERR_OK) {
        op_end(&r->op, &err);
        return false;
    }
    if (r->by_uid) {
        m.who_case = SATCHEL__RECOVER__WHO_USER_ID;
        m.user_id = (ProtobufCBinaryData){sizeof(r->uid.b), r->uid.b};
    } else {
        m.who_case = SATCHEL__RECOVER__WHO_USERNAME;
        m.username = r->username;
    }
    m.from_sequence = r->to.chain.n + 1;
    m.signature = (ProtobufCBinaryData){sizeof(sig), sig};
    if (next != NULL) {
        manifest.body = (ProtobufCBinaryData){next->body.len, (uint8_t *)next->body.data};
        manifest.signature =
            (ProtobufCBinaryData){sizeof(next->signature), (uint8_t *)next->signature};
        m.manifest = &manifest;
        m.code = r->otp.len > 0 ? (char *)r->otp.data : (char *)"";
        a.stale = factor_code_kind(m.code, strlen(m.code)) == FACTOR_CODE_ONE_TIME;
    }
    e.body_case = SATCHEL__ENVELOPE__BODY_RECOVER;
    e.recover = &m;
    return op_ask(&r->op, &a);
}

static void refused(struct recover *r, const struct err *why)
{
    struct err err = *why;

    if (err.code == ERR_AUTH)
        err_hint(&err, "the server has no such user, or these are not the recovery words");
    err_wrap(&err, "cannot recover '%s'", r->username);
    op_end(&r->op, &err);
}

/* ---- third: active ---- */

static int activate_work(struct op_job *job, struct err *err)
{
    return profile_activate(((struct recover *)job->op)->to.profile, err);
}

static void activated(struct op_job *job)
{
    struct recover *r = (struct recover *)job->op;

    (void)snprintf(r->result.username, sizeof(r->result.username), "%s", r->name);
    (void)snprintf(r->result.user_id, sizeof(r->result.user_id), "%s", r->to.profile->id->uid_text);
    arrival_settle(&r->to, r->op.s);
    op_end(&r->op, NULL);
}

static void on_stored(struct satchel_op *op, void *arg, const struct answer *a);

/* One that has the form of a code.  ${err} is changed, but not when nothing is given. */
static int take_otp(struct recover *r, struct err *err)
{
    long len;
    int rc = secret_new(&r->otp, SATCHEL_CODE_SIZE, err);

    if (rc != ERR_OK)
        return rc;
    len = r->ask_otp(r->op.cookie, false, (char *)r->otp.data, r->otp.len - 1);
    if (len < 0)
        return err_set(err, ERR_CANCELED, "interrupted at the code");
    if (len == 0 || (size_t)len >= r->otp.len)
        return ERR_NOTFOUND;
    r->otp.data[len] = '\0';
    return factor_code_check((const char *)r->otp.data, err);
}

/*
 * The server wants a code with the manifest: ${why}.  What has neither form is asked for again, and
 * was what was wrong if nothing follows.
 */
static void ask_otp(struct recover *r, const struct err *why)
{
    struct err err = *why;
    int rc;

    do
        rc = take_otp(r, &err);
    while (++r->tries < OTP_TRIES && rc == ERR_FACTOR && !r->op.ended);
    if (r->op.ended)
        return;
    if (rc == ERR_OK)
        (void)ask(r, chain_newest(&r->to.profile->id->chain), on_stored);
    else
        refused(r, &err);
}

static void on_stored(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct recover *r = (struct recover *)op;

    (void)arg;
    if (a->err != NULL && a->err->code == ERR_FACTOR && r->ask_otp != NULL &&
        r->tries < OTP_TRIES) {
        ask_otp(r, a->err);
    } else if (a->err != NULL) {
        refused(r, a->err);
    } else {
        r->result.factor_removed = a->e->done->factor_removed;
        op_job(op, &r->job, activate_work, activated);
    }
}

/* ---- second: keys ---- */

static int open_record(struct recover *r, struct secret *ret_plain, struct err *err)
{
    const struct backup_sealed record = {.body = part(r->record.data, r->record.len),
                                         .signature = r->record_sig};
    struct secret box = {0};
    uint8_t public[IDS_KEY_LEN];
    int rc = account_recovery_box(&r->seed, &box, public, err);

    if (rc == ERR_OK)
        rc = backup_open(&r->to.chain, &record, &box, ret_plain, err);
    secret_free(&box);
    return rc;
}

/* Keys that none of our manifests lists are not ours, whoever has put them there. */
static size_t keep_own(const struct chain *chain, struct identity_key *keys, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool own = false;

        for (size_t k = 0; k < chain->n && !own; k++)
            own = manifest_ek(chain->m[k], &keys[i].id) != NULL;
        if (own && kept != i) {
            secret_free(&keys[kept].key);
            keys[kept] = keys[i];
            keys[i].key = (struct secret){0};
        }
        kept += own;
    }
    return kept;
}

static int prepare(struct recover *r, struct identity_key *keys, struct err *err)
{
    struct identity_recovery recovery = {.seed = &r->seed, .chain = &r->to.chain, .keys = keys};
    struct secret plain = {0};
    struct profile_plan plan = {
        .place = &r->op.s->place,
        .passphrase = r->to.passphrase.len > 0 ? &r->to.passphrase : NULL,
        .settings = &r->to.settings,
        .recovery = &recovery,
        .identity = {
            .username = r->name, .email = r->email, .server = r->to.server, .now = handle_now()}};
    struct err why = {0};
    size_t n = 0;
    int rc = ERR_OK;

    if (r->record.len > 0) {
        rc = account_hash(part(r->record.data, r->record.len), &r->record_hash);
        if (rc != ERR_OK)
            rc = err_set(&why, rc, "cannot hash the account record");
        if (rc == ERR_OK)
            rc = open_record(r, &plain, &why);
        if (rc == ERR_OK)
            rc = backup_keys(part_secret(&plain), keys, &n, &why);
        r->result.record = rc == ERR_OK;
        if (rc == ERR_OK) {
            plan.account = &plain;
            recovery.account = &r->record_hash;
        }
    }
    /* Without a good record the identity can still be had back. */
    if (rc == ERR_NOMEM || rc == ERR_INTERNAL) {
        secret_free(&plain);
        return err_set(err, rc, "%s", why.msg);
    }
    recovery.n_keys = keep_own(&r->to.chain, keys, n);
    r->result.keys = (uint32_t)recovery.n_keys;
    rc = profile_begin(&plan, &r->to.profile, err);
    secret_free(&plain);
    return rc;
}

static int prepare_work(struct op_job *job, struct err *err)
{
    struct identity_key *keys = arrival_keys();
    int rc = keys != NULL ? prepare((struct recover *)job->op, keys, err)
                          : err_set(err, ERR_NOMEM, "out of memory");

    arrival_keys_free(keys);
    return rc;
}

static void prepared(struct op_job *job)
{
    struct recover *r = (struct recover *)job->op;

    (void)ask(r, chain_newest(&r->to.profile->id->chain), on_stored);
}

/* ---- first: what there is ---- */

static int take_manifests(struct recover *r, const Satchel__RecoverReply *m, struct err *err)
{
    const struct chain *c = &r->to.chain;
    uint8_t rk[IDS_KEY_LEN];
    int rc = ed25519_public(rk, r->rk.data);

    if (rc == ERR_OK)
        rc = arrival_take(&r->to, m->manifests, m->n_manifests, m->last_sequence, err);
    /* The words vouch for the keys, and so for the user. */
    if (rc == ERR_OK && (memcmp(c->m[0]->recovery_key, rk, sizeof(rk)) != 0 ||
                         (r->by_uid && memcmp(&c->uid, &r->uid, sizeof(r->uid)) != 0)))
        rc = err_set(err, ERR_INTEGRITY, "the server shows another user's keys");
    return rc;
}

static int take_reply(struct recover *r, const Satchel__RecoverReply *m, struct err *err)
{
    bool first = r->to.chain.n == 0;
    char folded[IDS_EMAIL_TEXT];
    int rc = ids_check_username(m->username, err);

    if (rc == ERR_OK)
        rc = ids_fold_email(m->email, folded, err);
    if (rc == ERR_OK)
        rc = take_manifests(r, m, err);
    if (rc != ERR_OK)
        return rc;
    (void)snprintf(r->name, sizeof(r->name), "%s", m->username);
    (void)snprintf(r->email, sizeof(r->email), "%s", folded);
    if (first && m->record != NULL && m->record->signature.len == SIGNED_SIG_LEN) {
        buf_put(&r->record, m->record->body.data, m->record->body.len);
        memcpy(r->record_sig, m->record->signature.data, SIGNED_SIG_LEN);
    }
    return buf_check(&r->record, err);
}

static void on_reply(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct recover *r = (struct recover *)op;
    struct err err = {0};

    (void)arg;
    if (a->err != NULL)
        refused(r, a->err);
    else if (take_reply(r, a->e->recover_reply, &err) != ERR_OK)
        refused(r, &err);
    else if (!arrival_has_all(&r->to))
        (void)ask(r, NULL, on_reply);
    else
        op_job(op, &r->job, prepare_work, prepared);
}

static void begin(struct satchel_op *op)
{
    struct recover *r = (struct recover *)op;
    struct err err = {0};

    if (arrival_greeted(&r->to, op->s, &err) == ERR_OK)
        (void)ask(r, NULL, on_reply);
    else
        op_end(op, &err);
}

/* ---- starting ---- */

static int take_words(struct recover *r, const struct satchel_recover_options *o, struct err *err)
{
    struct secret text = {0}, words = {0};
    int rc = passphrase_ask(o->ask_words, o->cookie, false, &text, err);

    if (rc == ERR_CANCELED)
        rc = err_set(err, rc, "interrupted at the recovery words");
    if (rc == ERR_PASSPHRASE) {
        rc = err_set(err, ERR_INVALID, "no recovery words were given");
        err_hint(err, "type them when asked, or use --words-fd N");
    }
    if (rc == ERR_OK)
        rc = secret_new(&words, text.len + 1, err);
    if (rc == ERR_OK) {
        memcpy(words.data, text.data, text.len);
        rc = words_to_seed((const char *)words.data, &r->seed, err);
    }
    if (rc == ERR_OK)
        rc = recovery_key(&r->seed, &r->rk, err);
    secret_free(&text);
    secret_free(&words);
    return rc;
}

static int take_options(struct recover *r, const struct satchel_recover_options *o, struct err *err)
{
    const struct target_options t = {.server = o->server, .pin = o->pin, .ca_file = o->ca_file};

    if (o->server == NULL || o->who == NULL)
        return err_set(err, ERR_INVALID, "a server and a username or user ID are needed");
    r->by_uid = ids_uid_from_text(o->who, &r->uid, NULL) == ERR_OK;
    if (!r->by_uid && ids_check_username(o->who, NULL) != ERR_OK)
        return err_set(err, ERR_INVALID, "'%.64s' is not a username or a user ID", o->who);
    (void)snprintf(r->username, sizeof(r->username), "%s", o->who);
    return target_take(&t, &r->to.target, err);
}

int satchel_recover_start(struct satchel *s, const struct satchel_recover_options *o,
                          struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_GREETED, .begin = begin, .finish = finish, .free = free_recover};
    struct recover *r;
    struct err err = {0};
    int rc = arrival_check(s, &err); /* what an earlier attempt has left is fine */

    if (rc != ERR_OK)
        return handle_error(error, &err);
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return op_no_memory(error);
    r->done = o->done;
    r->ask_otp = o->ask_otp;
    rc = take_options(r, o, &err);
    if (rc == ERR_OK)
        rc = take_words(r, o, &err);
    if (rc == ERR_OK && !o->no_passphrase)
        rc = passphrase_ask(o->ask, o->cookie, true, &r->to.passphrase, &err);
    if (rc == ERR_OK)
        rc = link_target(&s->link, &r->to.target, &err);
    if (rc != ERR_OK) {
        free_recover(&r->op);
        return handle_error(error, &err);
    }
    return op_start(&r->op, s, &kind, o->cookie, ret_op, error);
}
