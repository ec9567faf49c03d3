/* SPDX-License-Identifier: Apache-2.0 */
#include "server/count.h"

#include <stdlib.h>

#include "server/table.h"

struct count {
    struct table *held; /* of uint64_t */
};

int count_new(struct count **ret_c, struct err *err)
{
    struct count *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a table");
    rc = table_new(&c->held, sizeof(uint64_t), err);
    if (rc != ERR_OK) {
        free(c);
        return rc;
    }
    *ret_c = c;
    return ERR_OK;
}

void count_free(struct count *c)
{
    if (c == NULL)
        return;
    table_free(c->held);
    free(c);
}

int count_up(struct count *c, const void *key, size_t len, uint64_t max)
{
    uint64_t *n = table_get(c->held, key, len);

    if ((n != NULL ? *n : 0) >= max)
        return ERR_LIMIT;
    if (n == NULL)
        n = table_add(c->held, key, len);
    if (n == NULL)
        return ERR_NOMEM;
    (*n)++;
    return ERR_OK;
}

void count_down(struct count *c, const void *key, size_t len)
{
    uint64_t *n = table_get(c->held, key, len);

    if (n != NULL && --*n == 0)
        table_remove(c->held, key, len);
}
