/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_log - the hash-chained log of a transfer and its signed head
 * (proto/FORMATS.md section 14.4).
 *
 * Errors: ERR_INVALID (the message names the field), ERR_UNSUPPORTED (version), ERR_NOMEM,
 * ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_EVENT_LOG_H
#define COMMON_TRANSFER_EVENT_LOG_H

#include "common/buf.h"
#include "common/crypto/part.h"
#include "common/transfer/ids.h"

enum { EVENT_LOG_HEAD_MAX = 512, EVENT_LOG_VERSION = 1 };

/* What happened: FORMATS.md section 14.4 says to whom and with which data. */
enum event_log_kind {
    EVENT_LOG_STORED = 1,
    EVENT_LOG_RELEASED = 2,
    EVENT_LOG_GIVEN_BACK = 3,
    EVENT_LOG_COMMITTED = 4,
    EVENT_LOG_RECEIVED = 5,
    EVENT_LOG_EXPIRED = 6,
    EVENT_LOG_REVOKED = 7,
    EVENT_LOG_DELETED = 8,
    EVENT_LOG_EXTENDED = 9
};

/* The name for programs and people: "stored", "given-back", ...; "unknown" for other numbers. */
const char *event_log_name(unsigned kind);

struct event_log_row {
    uint32_t number; /* from 1 */
    uint64_t time;   /* milliseconds since 1970 UTC */
    uint16_t kind;   /* enum event_log_kind, or one of a later version */
    struct uid uid;
    struct part data; /* borrowed */
};

/* The hash of ${row}; ${prev} is that of the row before, zeros before the first. */
MUST_CHECK int event_log_hash(const struct tid *tid, const struct event_log_row *row,
                              const struct hash32 *prev, struct hash32 *ret);

struct event_log_head {
    uint32_t version;
    struct server_id server;
    struct tid tid;
    uint32_t number;    /* of the last row */
    struct hash32 hash; /* its hash */
    uint64_t time;      /* when it was signed */
};

/* Append the serialised head to ${out}: the body of a Signed, SIGNED_EVENTS. */
MUST_CHECK int event_log_head_pack(const struct event_log_head *head, struct buf *out,
                                   struct err *err);
MUST_CHECK int event_log_head_read(struct part body, struct event_log_head *ret, struct err *err);

#endif /* COMMON_TRANSFER_EVENT_LOG_H */
