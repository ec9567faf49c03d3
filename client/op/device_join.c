/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the code is read, keys are drawn -> connect, be greeted -> Join with the sealed
 * request, again and again, each waits at the server -> the other device has opened its code: the
 * number is known -> Join again and again -> the answer and the first manifests, then the others ->
 * on a worker: all of it checked, a profile stored -> it becomes active -> done.
 *
 * Ways to fail:
 *  - not a code                                    ERR_INVALID
 *  - no offer under it, or not any more            ERR_NOTFOUND
 *  - used by somebody else                         ERR_EXISTS
 *  - the other device has another version          ERR_UNSUPPORTED
 *  - it has not made the code                      ERR_INTEGRITY
 *  - the other device refused                      ERR_AUTH
 *  - the answer does not fit code, request or keys ERR_INTEGRITY
 *  - no answer in time                             ERR_TIMEOUT
 * Nothing is stored before the answer was good; then the same machine would need a new code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/backup.h"
#include "client/local/join.h"
#include "client/op/arrival.h"
#include "client/op/device_name.h"
#include "client/op/passphrase.h"
#include "client/op/target.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/hex.h"
#include "common/crypto/rng.h"
#include "common/crypto/x25519.h"
#include "common/transfer/account.h"

enum { WAIT_MS = 60 * 60 * 1000, BUSY_MS = 1000 };

struct joining {
    struct satchel_op op;
    void (*on_wait)(void *cookie, const char *check);
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_joined *j);
    struct arrival to;
    struct secret dsk, key;
    struct join_code code;
    struct join_request what;
    struct buf request;          /* sealed */
    char check[JOIN_CHECK_TEXT]; /* "": not known yet */
    uint64_t ends;               /* the loop's milliseconds */
    struct alarm pause;
    struct op_job job;
    struct buf sealed; /* the answer */
    struct satchel_joined result;
};

/* The other device has said whose account it is, and from what its number follows. */
static bool is_opened(const struct joining *j)
{
    return j->code.nonce.len > 0;
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct joining *j = (struct joining *)op;

    j->done(op->done_cookie, err, err == NULL ? &j->result : NULL);
}

static void free_joining(struct satchel_op *op)
{
    struct joining *j = (struct joining *)op;

    arrival_free(&j->to);
    secret_free(&j->dsk);
    secret_free(&j->key);
    join_code_free(&j->code);
    buf_free(&j->request);
    buf_free(&j->sealed);
    free(j);
}

static void stop(struct satchel_op *op)
{
    alarm_clear(&((struct joining *)op)->pause);
}

static struct join_meeting meeting(const struct joining *j)
{
    return (struct join_meeting){.code = &j->code,
                                 .server = j->to.server,
                                 .request = part(j->request.data, j->request.len),
                                 .joiner = &j->what};
}

/* ---- third: stored ---- */

/* The manifest that the other device names is there, and lists this one as it is. */
static int check_keys(const struct joining *j, const struct join_answer *a, struct err *err)
{
    const struct manifest *newest = chain_newest(&j->to.chain);
    const struct manifest_device *d = NULL;
    uint8_t isk[IDS_KEY_LEN];
    struct device_id id;
    int rc = ids_device(j->what.device_key, &id);

    if (rc == ERR_OK)
        rc = ed25519_public(isk, a->isk.data);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot check the keys of this device");
    d = manifest_device(newest, &id);
    if (chain_find(&j->to.chain, &a->manifest) == NULL || d == NULL || d->revoked != 0 ||
        !d->has_box || memcmp(d->box, j->what.box, sizeof(d->box)) != 0)
        return err_set(err, ERR_INTEGRITY, "the list of your devices does not have this one");
    if (memcmp(isk, newest->identity_key, sizeof(isk)) != 0) /* public: of the identity key */
        return err_set(err, ERR_INTEGRITY, "the other device has sent another identity");
    return ERR_OK;
}

static void show(struct joining *j, const struct join_answer *a)
{
    const struct identity *id = j->to.profile->id;
    struct satchel_joined *r = &j->result;

    (void)snprintf(r->user_id, sizeof(r->user_id), "%s", id->uid_text);
    (void)snprintf(r->username, sizeof(r->username), "%s", id->username);
    (void)snprintf(r->other, sizeof(r->other), "%s", a->name);
    for (size_t i = 0; i < id->n_names; i++)
        if (strcmp(id->names[i].name, a->name) == 0 &&
            memcmp(&id->names[i].device, &id->device, sizeof(id->device)) != 0)
            hex_encode(r->other_id, id->names[i].device.b, sizeof(id->names[i].device.b));
    hex_encode(r->device, id->device.b, sizeof(id->device.b));
    r->keys = (uint32_t)id->n_keys;
}

static int store(struct joining *j, struct join_answer *a, struct identity_key *keys,
                 struct err *err)
{
    struct identity_joining joining = {.isk = &a->isk,
                                       .dsk = &j->dsk,
                                       .chain = &j->to.chain,
                                       .keys = keys,
                                       .box = a->has_box ? a->recovery_box : NULL};
    struct profile_plan plan = {.place = &j->op.s->place,
                                .passphrase = j->to.passphrase.len > 0 ? &j->to.passphrase : NULL,
                                .settings = &j->to.settings,
                                .joining = &joining,
                                .account = &a->account,
                                .identity = {.username = a->username,
                                             .email = a->email,
                                             .server = j->to.server,
                                             .now = handle_now()}};
    int rc = backup_keys(part_secret(&a->account), keys, &joining.n_keys, err);

    if (rc == ERR_OK)
        rc = profile_begin(&plan, &j->to.profile, err);
    if (rc == ERR_OK)
        rc = profile_activate(j->to.profile, err);
    if (rc == ERR_OK)
        show(j, a);
    return rc;
}

static int store_work(struct op_job *job, struct err *err)
{
    struct joining *j = (struct joining *)job->op;
    struct identity_key *keys = arrival_keys();
    struct join_meeting m = meeting(j);
    struct join_answer a = {0};
    int rc = keys != NULL
                 ? join_answer_open(&a, &m, &j->key, part(j->sealed.data, j->sealed.len), err)
                 : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = check_keys(j, &a, err);
    if (rc == ERR_OK)
        rc = store(j, &a, keys, err);
    arrival_keys_free(keys);
    join_answer_free(&a);
    return rc;
}

static void stored(struct op_job *job)
{
    struct joining *j = (struct joining *)job->op;

    arrival_settle(&j->to, job->op->s);
    op_end(job->op, NULL);
}

/* ---- second: the answer ---- */

static void ask(struct joining *j);

/* The other device has opened its code: whose account it is, and the number that it shows. */
static int take_opening(struct joining *j, const Satchel__JoinReply *m, struct err *err)
{
    struct join_meeting meet = meeting(j);
    int rc = join_opening_open(&j->code, &meet, part(m->opening.data, m->opening.len), err);

    if (rc == ERR_OK)
        rc = join_check(&meet, j->check, err);
    j->to.chain.uid = j->code.uid;
    return rc;
}

static int take_answer(struct joining *j, const Satchel__JoinReply *m, struct err *err)
{
    int rc = is_opened(j)
                 ? arrival_take(&j->to, m->manifests, m->n_manifests, m->last_sequence, err)
                 : err_set(err, ERR_PROTO, "an answer has come before its time");

    if (rc == ERR_OK && j->sealed.len == 0) {
        buf_put(&j->sealed, m->sealed.data, m->sealed.len);
        rc = buf_check(&j->sealed, err);
    }
    return rc;
}

static void refused(struct joining *j, const struct err *why)
{
    struct err err = *why;

    if (err.code == ERR_BUSY &&
        uv_now(j->op.s->loop) < j->ends) { /* somebody else's request is being looked at */
        alarm_set(j->op.s->alarms, &j->pause, BUSY_MS);
        return;
    }
    if (err.code == ERR_NOTFOUND)
        err_hint(&err, "get a new one there: satchel device add");
    else if (err.code == ERR_AUTH)
        err_hint(&err, "it says why; then get a new code there");
    else if (err.code == ERR_UNSUPPORTED)
        err_hint(&err, "bring both up to date, and get a new code there");
    err_wrap(&err, "cannot join");
    op_end(&j->op, &err);
}

static void on_reply(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct joining *j = (struct joining *)op;
    const Satchel__JoinReply *m = a->err == NULL ? a->e->join_reply : NULL;
    struct err err = {0};
    int rc = ERR_OK;

    (void)arg;
    if (m == NULL) {
        refused(j, a->err);
        return;
    }
    if (m->opening.len > 0 && !is_opened(j))
        rc = take_opening(j, m, &err);
    else if (m->sealed.len > 0 || j->sealed.len > 0)
        rc = take_answer(j, m, &err);
    else if (uv_now(op->s->loop) >= j->ends)
        rc = err_set(&err, ERR_TIMEOUT, "the other device has not answered");
    if (rc != ERR_OK)
        op_end(op, &err);
    else if (j->sealed.len > 0 && arrival_has_all(&j->to))
        op_job(op, &j->job, store_work, stored);
    else
        ask(j);
}

static void ask(struct joining *j)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Join m = SATCHEL__JOIN__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_JOIN_REPLY},
                       .cb = on_reply,
                       .errors = true};

    if (j->on_wait != NULL && j->sealed.len == 0)
        j->on_wait(j->op.cookie, is_opened(j) ? j->check : NULL);
    if (j->op.ended)
        return;
    m.id = (ProtobufCBinaryData){sizeof(j->code.id), j->code.id};
    m.request = (ProtobufCBinaryData){j->request.len, j->request.data};
    m.from_sequence = j->to.chain.n + 1;
    m.opened = is_opened(j);
    m.version = JOIN_VERSION;
    e.body_case = SATCHEL__ENVELOPE__BODY_JOIN;
    e.join = &m;
    (void)op_ask(&j->op, &a);
}

static void on_pause(struct alarm *alarm)
{
    ask(LIST_OWNER(alarm, struct joining, pause));
}

/* ---- first: the request ---- */

/* A pin that nobody has vouched for is for the other device to judge. */
static int take_pin(struct joining *j, struct err *err)
{
    j->what.has_pin = j->to.target.pin == NULL && j->to.target.ca_file == NULL;
    if (!j->what.has_pin)
        return ERR_OK;
    if (j->to.settings.pin == NULL)
        return err_set(err, ERR_INTERNAL, "no pin was taken");
    return pin_decode(&j->what.pin, j->to.settings.pin, err);
}

/* Drawn once: for a code the other device takes one request. */
static int make_request(struct joining *j, struct err *err)
{
    struct join_meeting m = meeting(j);
    uint8_t salt[JOIN_SALT_LEN];

    if (rng_bytes(salt, sizeof(salt)) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "cannot draw a salt");
    return join_request_seal(&j->what, &m, salt, &j->request, err);
}

static void begin(struct satchel_op *op)
{
    struct joining *j = (struct joining *)op;
    struct err err = {0};
    int rc = arrival_greeted(&j->to, op->s, &err);

    if (rc == ERR_OK)
        rc = take_pin(j, &err);
    if (rc == ERR_OK)
        rc = make_request(j, &err);
    if (rc != ERR_OK) {
        op_end(op, &err);
        return;
    }
    j->ends = uv_now(op->s->loop) + WAIT_MS;
    ask(j);
}

/* ---- starting ---- */

/* There is no vault yet to hedge with: the generator alone, as for a vault's own keys. */
static int draw(struct secret *ret, size_t len, struct err *err)
{
    int rc = secret_new(ret, len, err);

    if (rc == ERR_OK && rng_bytes(ret->data, len) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "cannot draw a key");
    return rc;
}

static int draw_keys(struct joining *j, struct err *err)
{
    struct secret box = {0};
    int rc = draw(&j->dsk, ED25519_SEED_LEN, err);

    if (rc == ERR_OK)
        rc = draw(&j->key, X25519_LEN, err);
    if (rc == ERR_OK)
        rc = account_device_box(&j->dsk, &box, j->what.box, err);
    secret_free(&box);
    if (rc == ERR_OK && (ed25519_public(j->what.device_key, j->dsk.data) != ERR_OK ||
                         x25519_public(j->what.key, j->key.data) != ERR_OK))
        rc = err_set(err, ERR_INTERNAL, "cannot make a device key");
    return rc;
}

/* The server and the code of "satchel://join/HOST:PORT/CODE", cut in two; false: it is none. */
static bool split_uri(char *text, const char **ret_server, const char **ret_code)
{
    static const char prefix[] = "satchel://join/";
    char *slash;

    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
        return false;
    slash = strchr(text + sizeof(prefix) - 1, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    *ret_server = text + sizeof(prefix) - 1;
    *ret_code = slash + 1;
    return true;
}

/* ${server}: of the options, or of a code's URI; NULL: neither has one. */
static int take_server(struct joining *j, const struct satchel_device_join_options *o,
                       const char *server, struct err *err)
{
    struct target_options t = {.server = server, .pin = o->pin, .ca_file = o->ca_file};

    if (server != NULL)
        return target_take(&t, &j->to.target, err);
    (void)err_set(err, ERR_INVALID, "the server is missing");
    err_hint(err, "name it with --server, as 'satchel device add' shows it");
    return ERR_INVALID;
}

static int take_code(struct joining *j, const struct satchel_device_join_options *o,
                     struct err *err)
{
    struct secret text = {0}, copy = {0};
    const char *server = NULL, *code;
    int rc = passphrase_ask(o->ask_code, o->cookie, false, &text, err);

    if (rc == ERR_CANCELED)
        rc = err_set(err, rc, "interrupted at the code");
    if (rc == ERR_PASSPHRASE) {
        rc = err_set(err, ERR_INVALID, "no code was given");
        err_hint(err, "type it when asked, or use --code-fd N");
    }
    if (rc == ERR_OK)
        rc = secret_new(&copy, text.len + 1, err);
    if (rc == ERR_OK) {
        memcpy(copy.data, text.data, text.len);
        code = (const char *)copy.data;
        (void)split_uri((char *)copy.data, &server, &code);
        rc = join_code_read(&j->code, code, err);
    }
    if (rc == ERR_OK && o->server == NULL)
        rc = take_server(j, o, server, err);
    secret_free(&text);
    secret_free(&copy);
    return rc;
}

static int prepare(struct joining *j, struct satchel *s,
                   const struct satchel_device_join_options *o, struct err *err)
{
    int rc = device_name_take(o->name, j->what.name, err);

    if (rc == ERR_OK && o->server != NULL) /* nobody types a code in vain */
        rc = take_server(j, o, o->server, err);
    if (rc == ERR_OK)
        rc = take_code(j, o, err);
    if (rc == ERR_OK)
        rc = draw_keys(j, err);
    if (rc == ERR_OK && !o->no_passphrase)
        rc = passphrase_ask(o->ask, o->cookie, true, &j->to.passphrase, err);
    if (rc == ERR_OK)
        rc = link_target(&s->link, &j->to.target, err);
    if (rc == ERR_OK)
        s->link.on_trial = j->to.target.pin == NULL && j->to.target.ca_file == NULL;
    return rc;
}

int satchel_device_join_start(struct satchel *s, const struct satchel_device_join_options *o,
                              struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {.need = LINK_NEED_GREETED,
                                        .begin = begin,
                                        .stop = stop,
                                        .finish = finish,
                                        .free = free_joining};
    struct joining *j;
    struct err err = {0};
    int rc = arrival_check(s, &err);

    if (rc != ERR_OK)
        return handle_error(error, &err);
    j = calloc(1, sizeof(*j));
    if (j == NULL)
        return op_no_memory(error);
    j->on_wait = o->on_wait;
    j->done = o->done;
    alarm_init(&j->pause, on_pause);
    rc = prepare(j, s, o, &err);
    if (rc != ERR_OK) {
        free_joining(&j->op);
        return handle_error(error, &err);
    }
    return op_start(&j->op, s, &kind, o->cookie, ret_op, error);
}
