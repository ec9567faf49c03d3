/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/factor_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/crypto/totp.h"
#include "common/transfer/login.h"

enum { STEP = 30 }; /* s */

int factor_fix_setup(void **state)
{
    (void)state;
    stage_up(NULL);
    assert_int_equal(site_stop(&stage_site), 0);
    stage_site.clock = true;
    site_start(&stage_site, NULL);
    return 0;
}

int factor_fix_teardown(void **state)
{
    (void)state;
    return stage_down();
}

char *factor_code(const struct authenticator *a, unsigned n)
{
    static char code[TOTP_CODE_SIZE];
    const struct totp t = {HASH_SHA1, 6, STEP};

    assert_int_equal(totp_code(code, &t, PART_OF(a->key), (a->step + n) * STEP), ERR_OK);
    return code;
}

Satchel__Code factor_renew(struct peer *p, struct authenticator *a, char *code)
{
    Satchel__FactorEnrol msg = SATCHEL__FACTOR_ENROL__INIT;
    PEER_ENV(env, FACTOR_ENROL, factor_enrol, &msg);
    struct message *m;

    msg.code = code;
    m = peer_call(p, &env);
    a->step = (uint64_t)time(NULL) / STEP;
    if (m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_FACTOR_ENROL_REPLY) {
        const Satchel__FactorEnrolReply *r = m->env->factor_enrol_reply;

        assert_int_equal(r->key.len, sizeof(a->key));
        assert_true(r->digits == 6 && r->step == STEP);
        memcpy(a->key, r->key.data, sizeof(a->key));
    }
    return peer_code(m);
}

Satchel__Code factor_enrol(struct peer *p, struct authenticator *a)
{
    char no_code[] = "";

    return factor_renew(p, a, no_code);
}

Satchel__Code factor_confirm(struct peer *p, struct authenticator *a, char *code)
{
    Satchel__FactorConfirm msg = SATCHEL__FACTOR_CONFIRM__INIT;
    PEER_ENV(env, FACTOR_CONFIRM, factor_confirm, &msg);
    struct message *m;

    msg.code = code;
    m = peer_call(p, &env);
    if (m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_FACTOR_CONFIRM_REPLY) {
        const Satchel__FactorConfirmReply *r = m->env->factor_confirm_reply;

        assert_int_equal(r->n_recovery_codes, FACTOR_CODES);
        for (size_t i = 0; i < FACTOR_CODES; i++)
            (void)snprintf(a->recovery[i], sizeof(a->recovery[i]), "%s", r->recovery_codes[i]);
    }
    return peer_code(m);
}

void factor_activate(struct peer *p, struct authenticator *a)
{
    assert_int_equal(factor_enrol(p, a), OK);
    assert_int_equal(factor_confirm(p, a, factor_code(a, 0)), OK);
}

Satchel__Code factor_remove(struct peer *p, char *code)
{
    Satchel__FactorRemove msg = SATCHEL__FACTOR_REMOVE__INIT;
    PEER_ENV(env, FACTOR_REMOVE, factor_remove, &msg);

    msg.code = code;
    return peer_ask(p, &env);
}

Satchel__Code factor_remove_signed(struct peer *p, const struct actor *a, const struct secret *key)
{
    Satchel__FactorRemove msg = SATCHEL__FACTOR_REMOVE__INIT;
    PEER_ENV(env, FACTOR_REMOVE, factor_remove, &msg);
    struct login_factor f = {.server = p->server, .uid = a->u.uid};
    uint8_t sig[SIGNED_SIG_LEN];

    assert_true(peer_exporter(p, f.exporter));
    assert_int_equal(login_factor_sign(&f, key, sig, NULL), ERR_OK);
    PEER_BYTES(msg.signature, sig);
    return peer_ask(p, &env);
}

int factor_listed(struct peer *p)
{
    Satchel__FactorList msg = SATCHEL__FACTOR_LIST__INIT;
    PEER_ENV(env, FACTOR_LIST, factor_list, &msg);
    struct message *m = peer_call(p, &env);
    int found = -1;

    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_FACTOR_LIST_REPLY);
    if (m->env->factor_list_reply->n_factors > 0) {
        const Satchel__Factor *f = m->env->factor_list_reply->factors[0];

        assert_int_equal(f->kind, SATCHEL__FACTOR_KIND__TOTP);
        assert_true(f->since > SAMPLE_TIME);
        found = (f->active ? 100 : 0) + (int)f->recovery_codes;
    }
    message_free(m);
    return found;
}
