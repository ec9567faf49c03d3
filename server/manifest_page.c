/* SPDX-License-Identifier: Apache-2.0 */
#include "server/manifest_page.h"

enum { ROW_OVERHEAD = 8 }; /* bytes, more than tag and length of one take */

bool manifest_page_take(struct manifest_page *ret, const struct store_result *res, size_t max)
{
    size_t bytes = 0;

    ret->n = 0;
    for (size_t i = 0; i < res->count && i < MANIFEST_PAGE_MAX; i++) {
        const struct store_blob *b = &res->u.manifests[i].bytes;

        bytes += b->len + ROW_OVERHEAD;
        if (i > 0 && bytes > max)
            break;
        ret->rows[i] = satchel__signed__unpack(NULL, b->len, b->data);
        if (ret->rows[i] == NULL)
            break;
        ret->n++;
    }
    return ret->n > 0 || res->count == 0;
}

void manifest_page_free(struct manifest_page *p)
{
    for (size_t i = 0; i < p->n; i++)
        satchel__signed__free_unpacked(p->rows[i], NULL);
    p->n = 0;
}

int manifest_page_first(const struct store_result *res, struct manifest **ret, struct err *err)
{
    const struct store_blob *b;

    if (res->count == 0)
        return err_set(err, ERR_CORRUPT, "no manifest");
    b = &res->u.manifests[0].bytes;
    return manifest_parse_signed(part(b->data, b->len), ret, err);
}
