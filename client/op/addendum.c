/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/addendum.h"

#include <string.h>

static bool fits(const struct statement *s, const struct addendum_of *of)
{
    return memcmp(&s->tid, &of->header->tid, sizeof(s->tid)) == 0 &&
           memcmp(&s->header, of->hash, sizeof(s->header)) == 0 &&
           memcmp(&s->user, &of->header->sender, sizeof(s->user)) == 0 && s->number > 0 &&
           s->expires > of->header->created;
}

static int check(struct part raw, const struct addendum_of *of, struct statement *ret,
                 struct err *err)
{
    const struct manifest *m;
    int rc = statement_read(raw, ret, err);

    if (rc != ERR_OK)
        return rc;
    if (!fits(ret, of))
        return err_set(err, ERR_INTEGRITY, "addendum: not of this transfer");
    m = chain_find(of->chain, &ret->manifest);
    if (m == NULL)
        return err_set(err, ERR_INTEGRITY, "addendum: not one of the sender's manifests");
    return statement_check(SIGNED_EXTEND, raw, m, of->chain, err);
}

int addendum_peek(const Satchel__Signed *a, struct statement *ret, struct err *err)
{
    struct buf raw = {0};
    int rc = signed_pack(part(a->body.data, a->body.len), part(a->signature.data, a->signature.len),
                         &raw, err);

    *ret = (struct statement){0};
    if (rc == ERR_OK && statement_read(part(raw.data, raw.len), ret, NULL) != ERR_OK)
        *ret = (struct statement){0};
    buf_free(&raw);
    return rc;
}

int addendum_check(const Satchel__Signed *a, const struct addendum_of *of, struct statement *ret,
                   struct err *err)
{
    struct statement s = {0};
    struct buf raw = {0};
    int rc = signed_pack(part(a->body.data, a->body.len), part(a->signature.data, a->signature.len),
                         &raw, err);

    if (rc == ERR_OK)
        rc = check(part(raw.data, raw.len), of, &s, err);
    buf_free(&raw);
    if (rc == ERR_INVALID)
        rc = err_set(err, ERR_INTEGRITY, "addendum: malformed");
    if (rc == ERR_OK)
        *ret = s;
    return rc;
}
