/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/people_pin.h"

#include <string.h>

enum { STRANGER_KEPT = 64 * 1024 };

/* Check what came against what is pinned. */
static int extend(struct person *p, struct contact *c, bool *ret_grew, struct err *err)
{
    struct rd r = rd_make(p->raw.data, p->raw.len);
    int rc = ERR_OK;

    while (rc == ERR_OK && r.left > 0) {
        uint32_t len = rd_u32(&r);
        const uint8_t *at = rd_take(&r, len);
        struct manifest *m = NULL;
        enum chain_change change = CHAIN_SAME;

        rc = manifest_parse_signed(part(at, len), &m, err);
        if (rc == ERR_OK)
            rc = chain_add(&c->chain, m, &change, err);
        p->succeeded |= change == CHAIN_SUCCEEDED;
        *ret_grew |= change != CHAIN_SAME;
    }
    if (rc == ERR_OK && p->last < c->chain.n && p->last < p->pinned)
        rc = err_set(err, ERR_KEYCHANGED, "the server shows an older list of keys");
    if (rc == ERR_OK && c->chain.n == 0)
        rc = err_set(err, ERR_PROTO, "the server shows no keys");
    return rc;
}

static size_t chain_bytes(const struct chain *chain)
{
    size_t sum = 0;

    for (size_t i = 0; i < chain->n; i++)
        sum += chain->m[i]->body.len + SIGNED_SIG_LEN;
    return sum;
}

/*
 * Is there room for him?  Who was chosen has it.  A stranger has little, also when he comes back
 * with more, and others may have to go for him.
 */
static int make_room(struct person *p, struct vault *v, const struct contact *c, bool *ret_keep,
                     struct err *err)
{
    struct people *all = p->all;
    int rc = ERR_OK;
    bool stranger = contact_rank(c) == CONTACT_STRANGER;

    *ret_keep = !stranger || chain_bytes(&c->chain) <= STRANGER_KEPT;
    if (!stranger || !p->fresh || !*ret_keep)
        return ERR_OK;
    if (!all->counted || all->strangers >= CONTACT_STRANGERS_MAX)
        rc = contact_bound_strangers(v, &all->strangers, err);
    all->counted = rc == ERR_OK;
    all->strangers++;
    return rc;
}

/* Pin what has changed in ${c}: with the vault's lock. */
static int write_pin(struct person *p, struct vault *v, struct contact *c, struct err *err)
{
    const char *username = p->fresh ? p->username : c->username;
    bool keep = true;
    int rc = ERR_OK;

    /* Names are pinned like keys: what the server says later must not pass one off as another. */
    if (p->old_username != NULL && (p->fresh || p->old_username[0] != '\0'))
        username = p->old_username; /* a record may not tell one: what is pinned stays */
    if (p->fresh || p->new_name != NULL || p->old_username != NULL)
        rc = contact_name(v, c, p->new_name, username, err);
    if (p->address)
        memcpy(c->email, p->email, sizeof(c->email));
    c->chosen |= p->chosen;
    if (rc == ERR_OK)
        rc = make_room(p, v, c, &keep, err);
    return rc == ERR_OK && keep ? contact_save(v, c, err) : rc;
}

/* Nothing of what is pinned would change; ${c} has what the server said, and by it ${grew}. */
static bool is_pinned(const struct person *p, const struct contact *c, bool grew)
{
    return !p->fresh && !grew && !p->address && p->new_name == NULL && p->old_username == NULL &&
           c->chosen >= p->chosen;
}

bool people_is_pinned(const struct person *p)
{
    return is_pinned(p, &p->contact, false);
}

static bool same(const ProtobufCBinaryData *a, struct part b)
{
    return a->len == b.len && memcmp(a->data, b.data, b.len) == 0;
}

bool people_is_as_before(const struct person *p, const Satchel__Signed *last)
{
    const struct manifest *newest = chain_newest(&p->contact.chain);

    return newest != NULL && p->from == p->pinned && p->last == p->pinned && p->email[0] == '\0' &&
           people_is_pinned(p) && same(&last->body, newest->body) &&
           same(&last->signature, PART_OF(newest->signature));
}

int people_pin(struct person *p, struct vault *v, bool locked, bool *ret_done, struct err *err)
{
    struct contact c = {0};
    uint64_t now = handle_now();
    bool grew = false;
    int rc = contact_load(v, &p->uid, &c, err);

    p->fresh = rc == ERR_NOTFOUND;
    p->succeeded = false;
    if (p->fresh) {
        c.chain.uid = p->uid;
        c.added = now;
        rc = ERR_OK;
    }
    if (rc == ERR_OK)
        rc = extend(p, &c, &grew, err);
    p->address = p->email[0] != '\0' && strcmp(c.email, p->email) != 0;
    *ret_done = rc == ERR_OK && is_pinned(p, &c, grew);
    if (rc == ERR_OK && !*ret_done && locked) {
        if (grew)
            c.changed = now;
        c.replaced |= p->succeeded && !p->fresh;
        rc = write_pin(p, v, &c, err);
        *ret_done = rc == ERR_OK;
    }
    if (*ret_done) {
        contact_free(&p->contact);
        p->contact = c;
    } else {
        contact_free(&c);
    }
    return rc;
}
