/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the greeting tells another pin or another announcement than the settings have -> they
 * are copied -> written on a worker -> they are the profile's.
 *
 * Ways to fail:
 *  - the announcement is not signed          a notice, nothing is changed
 *  - its signature is not the server key's   ERR_PIN, the connection ends
 */
#include "client/core/repin.h"

#include <stdlib.h>
#include <string.h>

#include "client/core/handle.h"
#include "client/local/vault.h"
#include "common/transfer/next_pin.h"

int repin_verify(const struct settings *target, struct tls_verify *ret, struct err *err)
{
    int rc = ERR_OK;

    if (target->pin == NULL) {
        ret->mode = target->ca_file != NULL ? TLS_VERIFY_CA : TLS_VERIFY_COLLECT;
        return ERR_OK;
    }
    ret->mode = TLS_VERIFY_PIN;
    ret->has_next = target->next_pin != NULL;
    rc = pin_decode(&ret->pin, target->pin, err);
    if (rc == ERR_OK && ret->has_next)
        rc = pin_decode(&ret->next, target->next_pin, err);
    return rc;
}

/* ---- written ---- */

struct keep {
    uv_work_t req;
    struct link *l;
    repin_kept_cb *kept;
    struct profile *profile;
    struct settings settings; /* as they are to be */
    struct err err;
};

static void keep_free(struct keep *k)
{
    if (k != NULL)
        settings_free(&k->settings);
    free(k);
}

static void keep_work(uv_work_t *req)
{
    struct keep *k = LIST_OWNER(req, struct keep, req);
    struct settings now = {0};
    int rc = vault_lock(k->profile->vault, &k->err);

    if (rc != ERR_OK)
        return;
    /* Another process may have changed the rest. */
    rc = settings_read(k->profile->folder, &now, &k->err);
    if (rc == ERR_OK)
        rc = settings_set(&now.pin, k->settings.pin, &k->err);
    if (rc == ERR_OK)
        rc = settings_set(&now.next_pin, k->settings.next_pin, &k->err);
    if (rc == ERR_OK)
        rc = settings_write(k->profile->folder, &now, &k->err);
    vault_unlock(k->profile->vault);
    if (rc != ERR_OK) {
        settings_free(&now);
        return;
    }
    settings_free(&k->settings);
    k->settings = now;
}

static void on_kept(uv_work_t *req, int status)
{
    struct keep *k = LIST_OWNER(req, struct keep, req);
    struct link *l = k->l;
    bool good = k->err.code == ERR_OK;

    (void)status;
    l->jobs--;
    if (good) {
        settings_free(&k->profile->settings);
        k->profile->settings = k->settings;
        k->settings = (struct settings){0};
    }
    k->kept(l, good ? NULL : &k->err);
    keep_free(k);
    handle_settle(l->s);
}

int repin_keep(struct link *l, repin_kept_cb *kept, struct err *err)
{
    struct keep *k = calloc(1, sizeof(*k));
    int rc = k != NULL ? settings_copy(&l->s->profile->settings, &k->settings, err)
                       : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = settings_set(&k->settings.pin, l->target.pin, err);
    if (rc == ERR_OK)
        rc = settings_set(&k->settings.next_pin, l->target.next_pin, err);
    if (rc == ERR_OK) {
        k->l = l;
        k->kept = kept;
        k->profile = l->s->profile;
        if (uv_queue_work(l->s->loop, &k->req, keep_work, on_kept) == 0) {
            l->jobs++;
            return ERR_OK;
        }
        rc = err_set(err, ERR_INTERNAL, "cannot start a job");
    }
    keep_free(k);
    return rc;
}

/* ---- looked at ---- */

static void tell_unkept(struct link *l, const struct err *why)
{
    if (why != NULL)
        handle_notice(l->s, SATCHEL_NOTICE_PIN, NULL, "the server's pin could not be kept: %s",
                      why->msg);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/*
 * What is announced may come in the pin's place: ${text}, and ${ret} points there; NULL: nothing.
 * ERR_AGAIN: it is not signed, everything stays as it is.
 */
static int announced(struct link *l, char text[PIN_CHARS + 1], const char **ret, struct err *err)
{
    const struct session_hello *hello = session_hello(l->session);
    struct next_pin n = {
        .server = hello->server, .now = *session_peer_pin(l->session), .next = hello->next_pin};
    int rc;

    *ret = NULL;
    if (!hello->has_next_pin || pin_equal(&n.next, &n.now))
        return ERR_OK;
    if (!hello->signed_next) {
        handle_notice(l->s, SATCHEL_NOTICE_PIN, NULL,
                      "'%s' announces another key and does not sign it: it is not believed",
                      l->target.server);
        return ERR_AGAIN;
    }
    rc = next_pin_check(&n, hello->server_key, PART_OF(hello->next_pin_signature), err);
    if (rc == ERR_INTEGRITY) {
        rc = err_set(err, ERR_PIN, "'%s' announces another key, but the server did not sign that",
                     l->target.server);
        err_hint(err, "somebody with the key of its certificate may stand in between: ask the "
                      "operator");
    }
    if (rc != ERR_OK)
        return rc;
    pin_encode(&n.next, text);
    *ret = text;
    return ERR_OK;
}

int repin_look(struct link *l, struct err *err)
{
    char now[PIN_CHARS + 1], text[PIN_CHARS + 1];
    const char *next = NULL;
    struct err why = {0};
    bool changed;
    int rc;

    if (l->target.pin == NULL)
        return ERR_OK; /* a certificate authority vouches for it */
    pin_encode(session_peer_pin(l->session), now);
    changed = strcmp(now, l->target.pin) != 0;
    rc = announced(l, text, &next, err);
    if (rc == ERR_AGAIN && !changed)
        return ERR_OK;
    if (rc != ERR_OK && rc != ERR_AGAIN)
        return rc;
    if (!changed && same(next, l->target.next_pin))
        return ERR_OK;
    if (settings_set(&l->target.pin, now, NULL) != ERR_OK ||
        settings_set(&l->target.next_pin, next, NULL) != ERR_OK)
        return ERR_OK; /* found again by the next connection */
    if (changed)
        handle_notice(l->s, SATCHEL_NOTICE_PIN, NULL,
                      "the server has the key that it had announced: its pin is now %s", now);
    if (l->s->profile != NULL && repin_keep(l, tell_unkept, &why) != ERR_OK)
        tell_unkept(l, &why);
    return ERR_OK;
}
