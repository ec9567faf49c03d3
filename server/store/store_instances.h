/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_instances - which key networks the stored slots still need.  Rules as in store_users.h.
 */
#ifndef SERVER_STORE_INSTANCES_H
#define SERVER_STORE_INSTANCES_H

#include "server/store/store_types.h"

/* Slots whose share can still be asked for. */
struct store_instance_use {
    uint8_t instance[STORE_INSTANCE_LEN];
    uint64_t slots; /* of LIVE recipients, and of uploads that are not sealed */
};

/*
 * u.instances: what up to ${limit} transfers from ${cursor} (NULL: from the first; else
 * STORE_TID_LEN bytes of res->cursor, while ${more}) need.  Transfers come in the order of their
 * IDs, which nothing changes: whatever was there before the first page and is needed when the last
 * one comes has been counted.  Codes: ERR_CORRUPT also for more instances than there can be.
 */
struct store_instances {
    const uint8_t *cursor;
    size_t limit;
};

#endif /* SERVER_STORE_INSTANCES_H */
