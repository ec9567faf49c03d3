/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: connect, be greeted -> the passphrase is asked for, and the connection
 * made anew -> keys drawn and stored (or found again) on a worker -> Register ->
 * RegisterReply -> the words are shown -> the profile becomes active -> done.
 *
 * Ways to fail:
 *  - before Register leaves: nothing is registered; a pending profile may be left, which the
 *    same call takes up and another one replaces
 *  - the server refuses for good: the pending profile is removed
 *  - the answer is lost, or the server says "later": the pending profile stays
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/op.h"
#include "client/op/passphrase.h"
#include "client/op/target.h"
#include "common/crypto/words.h"

struct registration {
    struct satchel_op op;
    struct settings target; /* server, pin, ca_file as asked for */
    char username[IDS_USERNAME_TEXT], email[IDS_EMAIL_TEXT];
    char *invite;
    struct secret passphrase;
    bool resume; /* a pending profile looks like this registration */
    bool asks;   /* a passphrase is needed and not there yet */
    satchel_passphrase_cb *ask;
    int (*on_words)(void *cookie, const char *words);
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_registered *r);

    struct op_job job;
    struct settings settings; /* to be written */
    struct server_id server;
    struct profile *profile; /* pending */
    struct satchel_registered result;
    struct err refused; /* what the server said */
};

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct registration *r = (struct registration *)op;

    r->done(op->done_cookie, err, err == NULL ? &r->result : NULL);
}

static void free_registration(struct satchel_op *op)
{
    struct registration *r = (struct registration *)op;

    settings_free(&r->target);
    settings_free(&r->settings);
    secret_free(&r->passphrase);
    profile_close(r->profile);
    free(r->invite);
    free(r);
}

/* ---- fourth: active ----------------------------------------------------------------- */

static int activate_work(struct op_job *job, struct err *err)
{
    return profile_activate(((struct registration *)job->op)->profile, err);
}

static void activated(struct op_job *job)
{
    struct registration *r = (struct registration *)job->op;

    (void)snprintf(r->result.username, sizeof(r->result.username), "%s", r->username);
    (void)snprintf(r->result.user_id, sizeof(r->result.user_id), "%s", r->profile->id->uid_text);
    r->op.s->profile = r->profile;
    r->profile = NULL;
    op_end(&r->op, NULL);
}

/* ---- third: the answer --------------------------------------------------------------- */

static int discard_work(struct op_job *job, struct err *err)
{
    struct registration *r = (struct registration *)job->op;
    struct profile *p = r->profile;

    r->profile = NULL;
    return profile_discard(p, err);
}

static void discarded(struct op_job *job)
{
    op_end(job->op, &((struct registration *)job->op)->refused);
}

/* Will the server never have this registration? */
static bool for_good(int code)
{
    return code == ERR_EXISTS || code == ERR_BADREQUEST || code == ERR_AUTH ||
           code == ERR_UNSUPPORTED || code == ERR_TOOLARGE;
}

static void on_refused(struct registration *r, const struct err *why)
{
    r->refused = *why;
    if (why->code == ERR_EXISTS && strstr(why->msg, "e-mail") != NULL)
        err_hint(&r->refused, "use another address with --email, or the profile that has it");
    else if (why->code == ERR_EXISTS)
        err_hint(&r->refused, "choose another name, or use the profile that has it");
    err_wrap(&r->refused, "cannot register '%s'", r->username);
    if (for_good(why->code))
        op_job(&r->op, &r->job, discard_work, discarded);
    else
        op_end(&r->op, &r->refused);
}

static int show_words(struct registration *r, struct err *err)
{
    struct secret words = {0};
    int rc = words_from_seed(r->profile->id->recovery.data, &words, err);

    if (rc == ERR_OK && r->on_words != NULL &&
        r->on_words(r->op.cookie, (const char *)words.data) != 0) {
        rc = err_set(err, ERR_IO, "the recovery words could not be shown");
        err_hint(err, "register again with the same name: they will be shown then");
    }
    secret_free(&words);
    return rc;
}

static void on_reply(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct registration *r = (struct registration *)op;
    const ProtobufCBinaryData *uid;
    struct err err = {0};

    (void)arg;
    if (a->err != NULL) {
        on_refused(r, a->err);
        return;
    }
    uid = &a->e->register_reply->user_id;
    if (uid->len != IDS_UID_LEN || memcmp(uid->data, r->profile->id->uid.b, IDS_UID_LEN) != 0) {
        op_fail(op, ERR_PROTO, "the server registered another user ID");
        return;
    }
    if (show_words(r, &err) != ERR_OK)
        op_end(op, &err);
    else if (!op->ended)
        op_job(op, &r->job, activate_work, activated);
}

/* ---- second: Register ------------------------------------------------------------------- */

/* proto/FORMATS.md section 5. */
static int sign(struct registration *r, uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    struct login_registration facts = {.server = r->server,
                                       .username = r->username,
                                       .email = r->email,
                                       .manifest = chain_newest(&r->profile->id->chain)->hash};
    int rc = r->op.s->link.session != NULL
                 ? session_binding(r->op.s->link.session, facts.exporter, err)
                 : err_set(err, ERR_CLOSED, "the connection was lost");

    return rc == ERR_OK ? login_register_sign(&facts, &r->profile->id->isk, ret_sig, err) : rc;
}

static void prepared(struct op_job *job)
{
    struct registration *r = (struct registration *)job->op;
    const struct manifest *first = r->profile->id->chain.m[0];
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Register m = SATCHEL__REGISTER__INIT;
    Satchel__Signed manifest = SATCHEL__SIGNED__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_REGISTER_REPLY},
                       .cb = on_reply,
                       .errors = true};
    uint8_t sig[SIGNED_SIG_LEN];
    struct err err = {0};

    if (sign(r, sig, &err) != ERR_OK) {
        op_end(&r->op, &err);
        return;
    }
    manifest.body = (ProtobufCBinaryData){first->body.len, (uint8_t *)first->body.data};
    manifest.signature =
        (ProtobufCBinaryData){sizeof(first->signature), (uint8_t *)first->signature};
    m.username = r->username;
    m.email = r->email;
    m.manifest = &manifest;
    m.invite = r->invite != NULL ? r->invite : (char *)"";
    m.signature = (ProtobufCBinaryData){sizeof(sig), sig};
    e.body_case = SATCHEL__ENVELOPE__BODY_REGISTER;
    e.register_ = &m;
    (void)op_ask(&r->op, &a);
}

/* ---- first: keys --------------------------------------------------------------------------- */

/* The pending profile, if it is of the very same registration. */
static int take_up(struct registration *r, struct err *err)
{
    struct profile *p = NULL;
    int rc = profile_open(r->op.s->place.folder, &r->passphrase, &p, err);

    if (rc == ERR_PASSPHRASE)
        err_hint(err, "a registration was begun with another passphrase; to begin anew remove '%s'",
                 r->op.s->place.folder);
    if (rc != ERR_OK)
        return rc;
    if (strcmp(p->id->email, r->email) == 0 &&
        memcmp(&p->id->server, &r->server, sizeof(r->server)) == 0) {
        rc = settings_set(&p->settings.pin, r->settings.pin, err);
        if (rc == ERR_OK)
            rc = settings_set(&p->settings.next_pin, r->settings.next_pin, err);
        if (rc == ERR_OK)
            rc = settings_set(&p->settings.ca_file, r->settings.ca_file, err);
        if (rc == ERR_OK) {
            r->profile = p;
            r->result.resumed = true;
            return ERR_OK;
        }
    }
    profile_close(p);
    return rc;
}

static int prepare_work(struct op_job *job, struct err *err)
{
    struct registration *r = (struct registration *)job->op;
    struct profile_plan plan = {
        .place = &r->op.s->place,
        .passphrase = r->passphrase.len > 0 ? &r->passphrase : NULL,
        .settings = &r->settings,
        .identity = {
            .username = r->username, .email = r->email, .server = r->server, .now = handle_now()}};
    int rc = r->resume ? take_up(r, err) : ERR_OK;

    return rc == ERR_OK && r->profile == NULL ? profile_begin(&plan, &r->profile, err) : rc;
}

/* What the server will say anyway, before keys are drawn for nothing. */
static int check_policy(const struct registration *r, const struct session_hello *hello,
                        struct err *err)
{
    if (r->resume || hello->registration == SATCHEL__REGISTRATION__OPEN)
        return ERR_OK;
    if (hello->registration == SATCHEL__REGISTRATION__CLOSED)
        return err_set(err, ERR_AUTH, "registration on '%s' is closed", r->target.server);
    if (r->invite != NULL)
        return ERR_OK;
    err_set(err, ERR_AUTH, "registration on '%s' needs an invitation", r->target.server);
    err_hint(err, "ask the operator for one, then use --invite");
    return ERR_AUTH;
}

static void begin(struct satchel_op *op);

/*
 * The passphrase is asked for when the server is known: nobody types one for a server that he then
 * refuses.  The server does not wait so long for a request: the connection is made anew.
 */
static void ask(struct registration *r)
{
    struct err err = {0};
    int rc = passphrase_ask(r->ask, r->op.cookie, !r->resume, &r->passphrase, &err);

    r->asks = false;
    if (rc == ERR_OK)
        rc = link_target(&r->op.s->link, &r->settings, &err);
    if (rc == ERR_OK)
        op_connect(&r->op, LINK_NEED_GREETED, begin);
    else
        op_end(&r->op, &err);
}

static void begin(struct satchel_op *op)
{
    struct registration *r = (struct registration *)op;
    const struct session_hello *hello;
    struct err err = {0};
    int rc =
        op->s->link.session != NULL ? ERR_OK : err_set(&err, ERR_CLOSED, "the connection was lost");

    if (rc == ERR_OK) {
        hello = session_hello(op->s->link.session);
        r->server = hello->server;
        rc = check_policy(r, hello, &err);
    }
    /* With the pin that was asked for or confirmed on the way. */
    if (rc == ERR_OK)
        rc = settings_copy(&op->s->link.target, &r->settings, &err);
    if (rc != ERR_OK) {
        op_end(op, &err);
    } else if (r->asks) {
        ask(r);
    } else {
        settings_pin_lifetime(&r->settings, hello->max_lifetime);
        op_job(op, &r->job, prepare_work, prepared);
    }
}

/* ---- starting ------------------------------------------------------------------------------- */

static int take_options(struct registration *r, const struct satchel_register_options *o,
                        struct err *err)
{
    const struct target_options t = {.server = o->server, .pin = o->pin, .ca_file = o->ca_file};
    int rc;

    if (o->server == NULL || o->username == NULL || o->email == NULL)
        return err_set(err, ERR_INVALID, "a server, a username and an e-mail address are needed");
    rc = target_take(&t, &r->target, err);
    if (rc == ERR_OK)
        rc = ids_check_username(o->username, err);
    if (rc == ERR_OK)
        rc = ids_fold_email(o->email, r->email, err);
    if (rc != ERR_OK)
        return rc;
    (void)snprintf(r->username, sizeof(r->username), "%s", o->username);
    return settings_set(&r->invite, o->invite, err);
}

/* Look at what is there, and whether it needs a passphrase. */
static int take_profile(struct registration *r, struct satchel *s,
                        const struct satchel_register_options *o, struct err *err)
{
    struct profile_look look = {0};
    int rc = profile_look(s->place.folder, &look, err);

    if (rc != ERR_OK)
        return rc;
    if (look.state == PROFILE_ACTIVE) {
        rc = err_set(err, ERR_EXISTS, "profile '%s' is registered already, as %s", s->place.profile,
                     look.settings.username);
        err_hint(err, "choose another one with --profile");
    } else {
        r->resume = look.state == PROFILE_PENDING &&
                    strcmp(look.settings.server, r->target.server) == 0 &&
                    strcmp(look.settings.username, r->username) == 0;
        r->asks = r->resume ? look.passphrase : !o->no_passphrase;
    }
    profile_look_free(&look);
    return rc;
}

int satchel_register_start(struct satchel *s, const struct satchel_register_options *o,
                           struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_GREETED, .begin = begin, .finish = finish, .free = free_registration};
    struct registration *r;
    struct err err = {0};
    int rc = ERR_OK;

    if (s->profile != NULL || s->n_ops > 0 || s->closing)
        rc = err_set(&err, ERR_BADSTATE, "the handle is in use");
    if (rc != ERR_OK)
        return handle_error(error, &err);
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return op_no_memory(error);
    r->ask = o->ask;
    r->on_words = o->on_words;
    r->done = o->done;
    rc = take_options(r, o, &err);
    if (rc == ERR_OK)
        rc = take_profile(r, s, o, &err);
    if (rc == ERR_OK)
        rc = link_target(&s->link, &r->target, &err);
    if (rc != ERR_OK) {
        free_registration(&r->op);
        return handle_error(error, &err);
    }
    return op_start(&r->op, s, &kind, o->cookie, ret_op, error);
}
