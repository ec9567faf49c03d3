/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/hedge.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/crypto/rng.h"
#include "proto/vault.pb-c.h"

struct hedge {
    struct vault *vault;
    bool locked;
    pthread_mutex_t mutex;
    struct rng_hedge rng;
    uint64_t end; /* the first number that is not ours */
};

int hedge_new(struct vault *v, const struct secret *key, bool locked, struct hedge **ret,
              struct err *err)
{
    struct hedge *h = calloc(1, sizeof(*h));
    int rc;

    if (h == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    pthread_mutex_init(&h->mutex, NULL);
    h->vault = v;
    h->locked = locked;
    rc = secret_copy(&h->rng.key, key->data, key->len, err);
    if (rc != ERR_OK) {
        hedge_free(h);
        return rc;
    }
    *ret = h;
    return ERR_OK;
}

void hedge_free(struct hedge *h)
{
    if (h == NULL)
        return;
    secret_free(&h->rng.key);
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

/*
 * Where to go on.  A lost record must not set the counter back: the clock is
 * far above what could have been drawn until then.
 */
static int read_counter(struct vault *v, const uint8_t *id, uint64_t *ret_next, struct err *err)
{
    Satchel__Vault__Counter *c = NULL;
    struct buf plain = {0};
    int rc = vault_get(v, "counter", id, &plain, NULL, err);

    if (rc == ERR_NOTFOUND) {
        *ret_next = (uint64_t)time(NULL) << 24;
        rc = ERR_OK;
        goto done;
    }
    if (rc != ERR_OK)
        goto done;
    c = satchel__vault__counter__unpack(NULL, plain.len, plain.data);
    if (c == NULL || c->next > UINT64_MAX - HEDGE_BLOCK)
        rc = err_set(err, ERR_CORRUPT, "the counter of the vault is damaged");
    else
        *ret_next = c->next;
done:
    satchel__vault__counter__free_unpacked(c, NULL);
    buf_free(&plain);
    return rc;
}

/* Claim a block: durable before its first number is used. */
static int claim(struct hedge *h, struct err *err)
{
    Satchel__Vault__Counter c = SATCHEL__VAULT__COUNTER__INIT;
    uint8_t id[VAULT_RECORD_ID_LEN], packed[16];
    uint64_t next = 0;
    int rc = vault_id(h->vault, "counter", part_str("hedge"), id, err);

    if (rc == ERR_OK)
        rc = read_counter(h->vault, id, &next, err);
    if (rc != ERR_OK)
        return rc;
    c.next = next + HEDGE_BLOCK;
    rc = vault_put(h->vault, "counter", id, part(packed, satchel__vault__counter__pack(&c, packed)),
                   err);
    if (rc != ERR_OK)
        return rc;
    h->rng.counter = next;
    h->end = c.next;
    return ERR_OK;
}

static int claim_locked(struct hedge *h, struct err *err)
{
    int rc;

    if (h->locked)
        return claim(h, err);
    rc = vault_lock(h->vault, err);
    if (rc != ERR_OK)
        return rc;
    rc = claim(h, err);
    vault_unlock(h->vault);
    return rc;
}

bool hedge_prepared(struct hedge *h)
{
    bool yes;

    if (pthread_mutex_trylock(&h->mutex) != 0)
        return false;
    yes = h->rng.counter < h->end;
    pthread_mutex_unlock(&h->mutex);
    return yes;
}

int hedge_prepare(struct hedge *h, struct err *err)
{
    int rc = ERR_OK;

    pthread_mutex_lock(&h->mutex);
    if (h->rng.counter >= h->end)
        rc = claim_locked(h, err);
    pthread_mutex_unlock(&h->mutex);
    return rc;
}

int hedge_draw(struct hedge *h, const char *label, struct part transcript, struct secret *ret,
               struct err *err)
{
    struct secret s = {0};
    int rc = secret_new(&s, HEDGE_LEN, err);

    if (rc != ERR_OK)
        return rc;
    pthread_mutex_lock(&h->mutex);
    if (h->rng.counter >= h->end)
        rc = claim_locked(h, err);
    if (rc == ERR_OK) {
        rc = rng_hedged(&h->rng, label, transcript, s.data);
        if (rc != ERR_OK)
            rc = err_set(err, rc, "cannot draw a key");
    }
    pthread_mutex_unlock(&h->mutex);
    if (rc == ERR_OK)
        secret_move(ret, &s);
    secret_free(&s);
    return rc;
}
