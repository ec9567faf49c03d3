/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/chain.h"

#include <stdlib.h>

const struct manifest *chain_newest(const struct chain *c)
{
    return c->n > 0 ? c->m[c->n - 1] : NULL;
}

const struct manifest *chain_find(const struct chain *c, const struct hash32 *hash)
{
    for (size_t i = c->n; i-- > 0;)
        if (memcmp(&c->m[i]->hash, hash, sizeof(*hash)) == 0)
            return c->m[i];
    return NULL;
}

bool chain_device_revoked(const struct chain *c, const struct device_id *id, uint64_t *ret_at)
{
    const struct manifest_device *d = NULL;
    size_t i = c->n;

    while (d == NULL && i > 0)
        d = manifest_device(c->m[--i], id);
    if (d == NULL || (d->revoked == 0 && i + 1 == c->n))
        return false;
    *ret_at = d->revoked != 0 ? d->revoked : c->m[i + 1]->created;
    return true;
}

void chain_free(struct chain *c)
{
    for (size_t i = 0; i < c->n; i++)
        manifest_free(c->m[i]);
    free(c->m);
    c->m = NULL;
    c->n = 0;
}

/* Cut to ${keep} manifests and put ${m} behind them. */
static int put(struct chain *c, size_t keep, struct manifest *m, struct err *err)
{
    struct manifest **more;

    if (keep >= CHAIN_MAX)
        return err_set(err, ERR_LIMIT, "more than %d manifests of one user", CHAIN_MAX);
    more = realloc(c->m, (keep + 1 > c->n ? keep + 1 : c->n) * sizeof(struct manifest *));
    if (more == NULL)
        return err_set(err, ERR_NOMEM, "manifests");
    c->m = more;
    while (c->n > keep)
        manifest_free(c->m[--c->n]);
    c->m[c->n++] = m;
    return ERR_OK;
}

/*
 * A manifest at or below the newest sequence.  It is either known, or the first
 * one under a new succession that goes back to an earlier manifest.
 */
static int go_back(struct chain *c, struct manifest *m, enum chain_change *ret_change,
                   struct err *err)
{
    const struct manifest *newest = chain_newest(c), *before;
    int rc;

    if (m->n_successions <= newest->n_successions || m->sequence < 2)
        return manifest_follows(newest, m, err);
    before = c->m[m->sequence - 2];
    /* Also those between ${before} and the newest must be repeated. */
    if (!manifest_keeps_successions(newest, m))
        return manifest_follows(newest, m, err);
    rc = manifest_follows(before, m, err);
    if (rc == ERR_OK)
        rc = put(c, (size_t)m->sequence - 1, m, err);
    if (rc == ERR_OK)
        *ret_change = CHAIN_SUCCEEDED;
    return rc;
}

static int add(struct chain *c, struct manifest *m, enum chain_change *ret_change, struct err *err)
{
    const struct manifest *newest = chain_newest(c);
    bool succeeded = newest != NULL && m->n_successions > newest->n_successions;
    int rc;

    if (memcmp(&m->uid, &c->uid, sizeof(c->uid)) != 0)
        return err_set(err, ERR_INTEGRITY, "the manifest is of another user");
    if (newest == NULL && m->sequence != 1)
        return err_set(err, ERR_PROTO, "manifests before %llu are missing",
                       (unsigned long long)m->sequence);
    if (newest != NULL && m->sequence <= newest->sequence)
        return go_back(c, m, ret_change, err);
    rc = newest != NULL ? manifest_follows(newest, m, err) : ERR_OK;
    if (rc == ERR_OK)
        rc = put(c, c->n, m, err);
    if (rc == ERR_OK)
        *ret_change = succeeded ? CHAIN_SUCCEEDED : CHAIN_GREW;
    return rc;
}

void chain_make_room(struct chain *c)
{
    size_t keep = CHAIN_MAX / 2;

    if (c->n <= keep)
        return;
    /* A manifest repeats all successions that there are, so the one it follows must have them. */
    while (c->m[keep - 1]->n_successions < c->m[c->n - 1]->n_successions)
        keep++;
    while (c->n > keep)
        manifest_free(c->m[--c->n]);
}

int chain_add(struct chain *c, struct manifest *m, enum chain_change *ret_change, struct err *err)
{
    int rc;

    if (chain_find(c, &m->hash) != NULL) {
        manifest_free(m);
        *ret_change = CHAIN_SAME;
        return ERR_OK;
    }
    rc = add(c, m, ret_change, err);
    if (rc != ERR_OK)
        manifest_free(m);
    return rc;
}
