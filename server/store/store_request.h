/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_request - check and copy requests.  For store.c; any thread, never blocks.
 */
#ifndef SERVER_STORE_REQUEST_H
#define SERVER_STORE_REQUEST_H

#include "server/store/store_engine.h"

/* Size of the request structure of ${op}. */
size_t store_request_size(enum store_op op);

/* ERR_INVALID, ERR_TOOLARGE.  May lower a limit above the largest page. */
MUST_CHECK int store_request_check(enum store_op op, union store_request *in);

/*
 * Bytes that store_request_copy() needs for what ${in} points to, the bytes of a piece excepted:
 * those are taken.
 */
size_t store_request_extra(enum store_op op, const union store_request *in);

/* Copy what ${in} points to into ${extra} and let it point there. */
void store_request_copy(enum store_op op, union store_request *in, void *extra);

/* Bulk bytes that the operation holds while it is under way. */
size_t store_request_bulk(enum store_op op, const union store_request *in);

#endif /* SERVER_STORE_REQUEST_H */
