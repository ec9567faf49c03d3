/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path of enrolling: FactorEnrol -> the key is shown, a code is typed ->
 * FactorConfirm -> the recovery codes are shown -> FactorList, to know it again.  Removing and
 * listing are one request each.
 *
 * Ways to fail: ERR_EXISTS, ERR_NOTFOUND, ERR_FACTOR, ERR_RATE, and ERR_PASSPHRASE
 * when no code was typed: then the factor stays pending, and counts for nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/factor_seen.h"
#include "client/core/op.h"
#include "client/local/recovery.h"
#include "common/crypto/base32.h"
#include "common/crypto/hex.h"
#include "common/transfer/factor_code.h"
#include "common/transfer/login.h"

enum { TRIES = 3 };

struct factor_op {
    struct satchel_op op;
    long (*on_key)(void *cookie, const struct satchel_factor_key *key, char *buf, size_t size);
    void (*on_codes)(void *cookie, const char *const *codes, size_t n);
    void (*on_factor)(void *cookie, const struct satchel_factor *f);
    satchel_done_cb *done;
    unsigned tries;               /* codes that were wrong */
    struct secret code, recovery; /* what removing is proved with */
};

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    ((struct factor_op *)op)->done(op->done_cookie, err);
}

static void free_factor(struct satchel_op *op)
{
    struct factor_op *f = (struct factor_op *)op;

    secret_free(&f->code);
    secret_free(&f->recovery);
    free(f);
}

static struct factor_op *make(satchel_done_cb *done)
{
    struct factor_op *f = calloc(1, sizeof(*f));

    if (f != NULL)
        f->done = done;
    return f;
}

static int take_code(struct factor_op *f, const char *code, struct err *err)
{
    int rc = code != NULL && code[0] != '\0' ? factor_code_check(code, err) : ERR_OK;

    return rc == ERR_OK && code != NULL && code[0] != '\0'
               ? secret_copy(&f->code, code, strlen(code) + 1, err)
               : rc;
}

/* ---- enrolling: second, the code ---- */

static void confirm(struct factor_op *f, char *code);

/* A code is soon mistyped: the key stays, and is asked about again. */
static void ask_again(struct factor_op *f, const struct err *why)
{
    const struct satchel_factor_key none = {.uri = NULL};
    char code[SATCHEL_CODE_SIZE] = "";
    long len = 0;

    if (why->code == ERR_FACTOR && ++f->tries < TRIES)
        len = f->on_key(f->op.cookie, &none, code, sizeof(code) - 1);
    if (f->op.ended) {
        ; /* by the caller, inside on_key */
    } else if (len <= 0 || (size_t)len >= sizeof(code)) {
        op_end(&f->op, why);
    } else {
        code[len] = '\0';
        confirm(f, code);
    }
    secret_wipe(code, sizeof(code));
}

static void ask_list(struct satchel_op *op, op_answer_cb *cb, bool errors)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__FactorList m = SATCHEL__FACTOR_LIST__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_FACTOR_LIST_REPLY},
                       .cb = cb,
                       .errors = errors};

    e.body_case = SATCHEL__ENVELOPE__BODY_FACTOR_LIST;
    e.factor_list = &m;
    (void)op_ask(op, &a);
}

/* It is enrolled in any case; what is not noted as ours is told at the next login. */
static void on_own(struct satchel_op *op, void *arg, const struct answer *a)
{
    (void)arg;
    for (size_t i = 0; a->err == NULL && i < a->e->factor_list_reply->n_factors; i++)
        factor_seen_enrolled(&op->s->link, a->e->factor_list_reply->factors[i]);
    op_end(op, NULL);
}

/* Which of the server's factors is the one that we have enrolled? */
static void note_own(struct satchel_op *op)
{
    if (op->ended) /* by the caller, inside on_codes */
        return;
    if (op_going(op) && op->s->link.session != NULL)
        ask_list(op, on_own, true);
    else
        op_end(op, NULL);
}

static void on_confirmed(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct factor_op *f = (struct factor_op *)op;
    Satchel__FactorConfirmReply *m;

    (void)arg;
    if (a->err != NULL) {
        ask_again(f, a->err);
        return;
    }
    m = a->e->factor_confirm_reply;
    if (m->n_recovery_codes != SATCHEL_RECOVERY_CODES) {
        op_fail(op, ERR_PROTO, "the server gave %zu recovery codes", m->n_recovery_codes);
        return;
    }
    if (f->on_codes != NULL)
        f->on_codes(op->cookie, (const char *const *)m->recovery_codes, m->n_recovery_codes);
    for (size_t i = 0; i < m->n_recovery_codes; i++)
        secret_wipe(m->recovery_codes[i], strlen(m->recovery_codes[i]));
    note_own(op);
}

static void confirm(struct factor_op *f, char *code)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__FactorConfirm m = SATCHEL__FACTOR_CONFIRM__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_FACTOR_CONFIRM_REPLY},
                       .cb = on_confirmed,
                       .errors = true,
                       .stale = true};
    struct err err = {0};

    if (factor_code_kind(code, strlen(code)) != FACTOR_CODE_ONE_TIME) {
        (void)err_set(&err, ERR_FACTOR, "that is no code of an authenticator: it has 6 digits");
        ask_again(f, &err);
        return;
    }
    m.code = code;
    e.body_case = SATCHEL__ENVELOPE__BODY_FACTOR_CONFIRM;
    e.factor_confirm = &m;
    (void)op_ask(&f->op, &a);
}

/* ---- enrolling: first, the key ---- */

/* Everything but the characters that no URI takes for its own. */
static size_t put_escaped(char *to, size_t size, const char *text)
{
    size_t len = 0;

    for (; *text != '\0' && len + 4 < size; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || strchr("-._", *text) != NULL;

        len += (size_t)snprintf(to + len, size - len, plain ? "%c" : "%%%02X",
                                (unsigned)(unsigned char)*text);
    }
    return len;
}

static void make_uri(const struct satchel *s, const struct satchel_factor_key *key, char *uri,
                     size_t size)
{
    size_t len = (size_t)snprintf(uri, size, "otpauth://totp/Satchel:");

    len += put_escaped(uri + len, 256, s->profile->id->username);
    uri[len++] = '@';
    len += put_escaped(uri + len, 256, s->profile->settings.server);
    (void)snprintf(uri + len, size - len,
                   "?secret=%s&issuer=Satchel&algorithm=SHA1&digits=%u&period=%u", key->secret,
                   key->digits, key->step);
}

/* Show it and take the code; the length, as on_key has it. */
static long show_key(struct factor_op *f, const Satchel__FactorEnrolReply *m, char *code,
                     size_t size)
{
    char text[64], uri[SATCHEL_URI_SIZE];
    struct satchel_factor_key key = {
        .uri = uri, .secret = text, .digits = m->digits, .step = m->step};
    long len;

    base32_encode(text, m->key.data, m->key.len);
    make_uri(f->op.s, &key, uri, sizeof(uri));
    len = f->on_key(f->op.cookie, &key, code, size);
    secret_wipe(text, sizeof(text));
    secret_wipe(uri, sizeof(uri));
    return len;
}

static void on_enrolled(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct factor_op *f = (struct factor_op *)op;
    Satchel__FactorEnrolReply *m = a->e->factor_enrol_reply;
    char code[SATCHEL_CODE_SIZE] = "";
    long len;

    (void)arg;
    if (m->key.len < 16 || m->key.len > 32 || m->digits != FACTOR_CODE_DIGITS || m->step == 0) {
        op_fail(op, ERR_PROTO, "the server's key is not one of an authenticator");
        return;
    }
    len = show_key(f, m, code, sizeof(code) - 1);
    secret_wipe(m->key.data, m->key.len);
    if (op->ended) {
        ; /* by the caller, inside on_key */
    } else if (len < 0) {
        op_fail(op, ERR_CANCELED, "interrupted at the code");
    } else if (len == 0 || (size_t)len >= sizeof(code)) {
        op_fail(op, ERR_FACTOR,
                f->code.len > 0 ? "no code was given: the old factor stays"
                                : "no code was given: nothing is enrolled");
    } else {
        code[len] = '\0';
        confirm(f, code);
    }
    secret_wipe(code, sizeof(code));
}

static void begin_enrol(struct satchel_op *op)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__FactorEnrol m = SATCHEL__FACTOR_ENROL__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_FACTOR_ENROL_REPLY},
                       .cb = on_enrolled};
    const struct factor_op *f = (const struct factor_op *)op;

    if (f->code.len > 0) {
        m.code = (char *)f->code.data;
        a.stale = factor_code_kind(m.code, f->code.len - 1) == FACTOR_CODE_ONE_TIME;
    }
    e.body_case = SATCHEL__ENVELOPE__BODY_FACTOR_ENROL;
    e.factor_enrol = &m;
    (void)op_ask(op, &a);
}

int satchel_factor_enrol_start(struct satchel *s, const struct satchel_factor_enrol_options *o,
                               struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin_enrol, .finish = finish, .free = free_factor};
    struct factor_op *f = make(o->done);
    struct err err = {0};

    if (f == NULL)
        return op_no_memory(error);
    if (take_code(f, o->code, &err) != ERR_OK) {
        free_factor(&f->op);
        return handle_error(error, &err);
    }
    f->on_key = o->on_key;
    f->on_codes = o->on_codes;
    return op_start(&f->op, s, &kind, o->cookie, ret_op, error);
}

/* ---- removing ---- */

static void on_removed(struct satchel_op *op, void *arg, const struct answer *a)
{
    (void)arg;
    (void)a;
    factor_seen_gone(&op->s->link);
    op_end(op, NULL);
}

/* The recovery key signs on this connection. */
static int sign(struct factor_op *f, uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    struct session *session = f->op.s->link.session;
    struct login_factor l = {.server = session_hello(session)->server, .uid = f->op.id->uid};
    int rc = session_binding(session, l.exporter, err);

    return rc == ERR_OK ? login_factor_sign(&l, &f->recovery, ret_sig, err) : rc;
}

static void begin_remove(struct satchel_op *op)
{
    struct factor_op *f = (struct factor_op *)op;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__FactorRemove m = SATCHEL__FACTOR_REMOVE__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE}, .cb = on_removed};
    uint8_t sig[SIGNED_SIG_LEN];
    struct err err = {0};

    if (f->recovery.len > 0) {
        if (sign(f, sig, &err) != ERR_OK) {
            op_end(op, &err);
            return;
        }
        m.signature = (ProtobufCBinaryData){sizeof(sig), sig};
    }
    if (f->code.len > 0) {
        m.code = (char *)f->code.data;
        a.stale = a.recovers = factor_code_kind(m.code, f->code.len - 1) == FACTOR_CODE_ONE_TIME;
    }
    e.body_case = SATCHEL__ENVELOPE__BODY_FACTOR_REMOVE;
    e.factor_remove = &m;
    (void)op_ask(op, &a);
}

int satchel_factor_remove_start(struct satchel *s, const struct satchel_factor_remove_options *o,
                                struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin_remove, .finish = finish, .free = free_factor};
    struct factor_op *f = make(o->done);
    struct err err = {0};
    int rc = ERR_OK;

    if (f == NULL)
        return op_no_memory(error);
    if (o->words != NULL)
        rc = recovery_key_of_words(o->words, &f->recovery, &err);
    if (rc == ERR_OK)
        rc = take_code(f, o->code, &err);
    if (rc != ERR_OK) {
        free_factor(&f->op);
        return handle_error(error, &err);
    }
    return op_start(&f->op, s, &kind, o->cookie, ret_op, error);
}

/* ---- listing ---- */

static void on_listed(struct satchel_op *op, void *arg, const struct answer *a)
{
    const Satchel__FactorListReply *m = a->e->factor_list_reply;
    struct factor_op *f = (struct factor_op *)op;

    (void)arg;
    for (size_t i = 0; i < m->n_factors && !op->ended; i++) {
        const Satchel__Factor *from = m->factors[i];
        struct satchel_factor shown = {.kind = "totp",
                                       .active = from->active,
                                       .since = from->since,
                                       .recovery_codes = from->recovery_codes,
                                       .enrolled = from->enrolled};

        if (from->device.len == IDS_DEVICE_LEN)
            hex_encode(shown.device, from->device.data, IDS_DEVICE_LEN);
        if (from->kind == SATCHEL__FACTOR_KIND__TOTP && f->on_factor != NULL)
            f->on_factor(op->cookie, &shown);
    }
    op_end(op, NULL);
}

static void begin_list(struct satchel_op *op)
{
    ask_list(op, on_listed, false);
}

int satchel_factor_list_start(struct satchel *s, const struct satchel_factor_list_options *o,
                              struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin_list, .finish = finish, .free = free_factor};
    struct factor_op *f = make(o->done);

    if (f == NULL)
        return op_no_memory(error);
    f->on_factor = o->on_factor;
    return op_start(&f->op, s, &kind, o->cookie, ret_op, error);
}
