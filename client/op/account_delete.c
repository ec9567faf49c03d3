/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the name is the user's -> the identity key signs for this connection, and the
 * recovery key if there are words -> DeleteAccount -> Done.  What is on this machine is left to
 * satchel_profile_reset().
 *
 * Ways to fail: ERR_INVALID (another name, not good words), ERR_FACTOR, ERR_RATE, ERR_AUTH.  A
 * connection that is lost behind the request leaves it open whether the account is there.
 */
#include <stdlib.h>
#include <string.h>

#include "client/core/op.h"
#include "client/local/recovery.h"
#include "common/transfer/factor_code.h"
#include "common/transfer/login.h"

struct leaving {
    struct satchel_op op;
    char name[SATCHEL_NAME_SIZE];
    struct secret code, recovery; /* one of them, or none */
    satchel_done_cb *done;
};

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    ((struct leaving *)op)->done(op->done_cookie, err);
}

static void free_leaving(struct satchel_op *op)
{
    struct leaving *l = (struct leaving *)op;

    secret_free(&l->code);
    secret_free(&l->recovery);
    free(l);
}

static void on_answer(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct err why;

    (void)arg;
    if (a->err == NULL) {
        op_end(op, NULL);
        return;
    }
    why = *a->err;
    if (why.code == ERR_CLOSED || why.code == ERR_TIMEOUT)
        err_hint(&why, "the account may be deleted all the same: if it cannot log in any more, it "
                       "is, and 'satchel profile reset' removes what is left here");
    op_end(op, &why);
}

static int sign(struct leaving *l, const struct secret *key, uint8_t ret_sig[SIGNED_SIG_LEN],
                struct err *err)
{
    struct session *session = l->op.s->link.session;
    struct login_delete d = {.server = session_hello(session)->server, .uid = l->op.id->uid};
    int rc = session_binding(session, d.exporter, err);

    return rc == ERR_OK ? login_delete_sign(&d, key, ret_sig, err) : rc;
}

static void begin(struct satchel_op *op)
{
    struct leaving *l = (struct leaving *)op;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__DeleteAccount m = SATCHEL__DELETE_ACCOUNT__INIT;
    struct op_ask a = {
        .ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE}, .cb = on_answer, .errors = true};
    uint8_t sig[SIGNED_SIG_LEN], recovery[SIGNED_SIG_LEN];
    struct err err = {0};
    int rc;

    if (strcmp(l->name, op->id->username) != 0) {
        op_fail(op, ERR_INVALID, "'%s' is not the name of this account", l->name);
        return;
    }
    rc = sign(l, &op->id->isk, sig, &err);
    if (rc == ERR_OK && l->recovery.len > 0)
        rc = sign(l, &l->recovery, recovery, &err);
    if (rc != ERR_OK) {
        op_end(op, &err);
        return;
    }
    m.signature = (ProtobufCBinaryData){sizeof(sig), sig};
    if (l->recovery.len > 0)
        m.recovery_signature = (ProtobufCBinaryData){sizeof(recovery), recovery};
    if (l->code.len > 0) {
        m.code = (char *)l->code.data;
        a.stale = a.recovers = factor_code_kind(m.code, l->code.len - 1) == FACTOR_CODE_ONE_TIME;
    }
    e.body_case = SATCHEL__ENVELOPE__BODY_DELETE_ACCOUNT;
    e.delete_account = &m;
    (void)op_ask(op, &a);
}

static int take_proof(struct leaving *l, const struct satchel_account_delete_options *o,
                      struct err *err)
{
    int rc = ERR_OK;

    if (o->words != NULL && o->words[0] != '\0')
        return recovery_key_of_words(o->words, &l->recovery, err);
    if (o->code != NULL && o->code[0] != '\0') {
        rc = factor_code_check(o->code, err);
        if (rc == ERR_OK)
            rc = secret_copy(&l->code, o->code, strlen(o->code) + 1, err); /* with its NUL */
    }
    return rc;
}

int satchel_account_delete_start(struct satchel *s, const struct satchel_account_delete_options *o,
                                 struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_leaving};
    struct leaving *l;
    struct err err = {0};

    if (o->name == NULL || strlen(o->name) >= sizeof(l->name)) {
        (void)err_set(&err, ERR_INVALID, "the name of the account is needed");
        return handle_error(error, &err);
    }
    l = calloc(1, sizeof(*l));
    if (l == NULL)
        return op_no_memory(error);
    l->done = o->done;
    memcpy(l->name, o->name, strlen(o->name) + 1);
    if (take_proof(l, o, &err) != ERR_OK) {
        free_leaving(&l->op);
        return handle_error(error, &err);
    }
    return op_start(&l->op, s, &kind, o->cookie, ret_op, error);
}
