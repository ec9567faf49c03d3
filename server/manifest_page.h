/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest_page - stored manifests of a user, as many as go into one reply; who wants the rest asks
 * again from the next number on.
 *
 * Threads: any.  Never blocks.
 */
#ifndef SERVER_MANIFEST_PAGE_H
#define SERVER_MANIFEST_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <proto/satchel.pb-c.h>

#include "common/transfer/manifest.h"
#include "server/store/store_result.h"

enum { MANIFEST_PAGE_MAX = 64 }; /* manifests; the limit for store_manifest_list() */

struct manifest_page {
    Satchel__Signed *rows[MANIFEST_PAGE_MAX];
    size_t n;
};

/*
 * Unpack the manifests of ${res}, as many as fit into ${max} bytes but one at least.  False: not
 * even that one could be, for want of memory.  Free the page in any case.
 */
MUST_CHECK bool manifest_page_take(struct manifest_page *ret, const struct store_result *res,
                                   size_t max);
void manifest_page_free(struct manifest_page *p);

/* The first manifest of ${res} alone, checked.  ERR_CORRUPT: there is none; and those of
 * manifest_parse_signed(). */
MUST_CHECK int manifest_page_first(const struct store_result *res, struct manifest **ret,
                                   struct err *err);

#endif /* SERVER_MANIFEST_PAGE_H */
