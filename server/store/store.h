/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - the mailboxes, behind one contract with several engines.
 *
 * Handlers include this file and know nothing else.  The requests are in
 * store_users.h, store_uploads.h and store_mail.h, the outcome in store_result.h,
 * the records in store_types.h.  Checks, limits and counters common to all
 * engines live in store.c; an engine fills in struct store_ops (store_engine.h).
 *
 * Asynchronous: a start call that returns ERR_OK is followed by exactly one
 * callback, on the loop of the port and never from inside the start call.  Any
 * other return code means no callback.  There is no cancel: operations are short.
 * Durability: a write whose callback says ERR_OK survives a power cut; only upload_open may be told
 * to answer earlier (`early` in store_uploads.h).
 * Order: of one upload, started from one port, a seal sees the pieces started before it, and an
 * abort comes behind pieces and seal started before it; what is started behind an abort may
 * overtake it.  Any operation sees every write whose callback came before it was started, but for
 * what was opened early. Nothing here times out: an operation ends when the disk answers. Threads:
 * one struct store for the process; one port for each loop, used on that loop's thread only.  Start
 * calls never block and never touch the disk.
 */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include <uv.h>

#include "common/err.h"
#include "server/store/store_account.h"
#include "server/store/store_instances.h"
#include "server/store/store_mail.h"
#include "server/store/store_result.h"
#include "server/store/store_types.h"
#include "server/store/store_uploads.h"
#include "server/store/store_users.h"

struct store;
struct store_port;

/* Zero means the default.  Strings are borrowed for store_open(). */
struct store_config {
    const char *engine; /* "lmdb", the default */
    const char *path;   /* folder, made if missing */
    uint64_t index_max; /* ceiling of the index in bytes: 64 GiB */
    uint64_t body_max;  /* ceiling of each body environment: 16 TiB */
    uint64_t step;      /* bodies grow and are preallocated in such steps: 256 MiB */
    unsigned bodies;    /* body environments, fixed when the store is made: 1 */
    unsigned readers;   /* reading threads: 3 */
};

/*
 * Open, or make, the store.  Blocks; sets malloc's trim and mmap thresholds for the process
 * (LMDB mallocs what it writes).  ERR_BUSY: another process has it open; ERR_UNSUPPORTED: written
 * by a newer version, or an unknown engine; ERR_CORRUPT; ERR_IO; ERR_FULL.
 */
MUST_CHECK int store_open(struct store **ret_s, const struct store_config *cfg, struct err *err);

/* Ports must be closed before.  Blocks until the threads have ended; NULL is fine. */
void store_close(struct store *s);

/* A port on ${loop}.  ERR_NOMEM, ERR_IO. */
MUST_CHECK int store_port_open(struct store_port **ret_port, struct store *s, uv_loop_t *loop,
                               struct err *err);

/*
 * No start call after this one.  Callbacks of what is under way still come, then
 * ${on_closed} (may be NULL), last, from the loop; the port is gone when it returns.
 */
void store_port_close(struct store_port *port, void (*on_closed)(void *arg), void *arg);

/* Called on the loop when a start call that had returned ERR_BUSY may be tried again. */
void store_port_on_room(struct store_port *port, void (*on_room)(void *arg), void *arg);

/* The callback owns ${res} and frees it with store_result_free(), then or later. */
typedef void store_cb(void *arg, struct store_result *res);

/* Every operation: name, whether it writes. */
#define STORE_OPS(X)                                                                               \
    X(user_create, true)                                                                           \
    X(user_get, false)                                                                             \
    X(user_list, false)                                                                            \
    X(user_set_quota, true)                                                                        \
    X(user_set_state, true)                                                                        \
    X(user_delete, true)                                                                           \
    X(user_clear, true)                                                                            \
    X(block_set, true)                                                                             \
    X(account_put, true)                                                                           \
    X(account_get, false)                                                                          \
    X(manifest_put, true)                                                                          \
    X(manifest_list, false)                                                                        \
    X(invite_create, true)                                                                         \
    X(invite_list, false)                                                                          \
    X(factor_get, false)                                                                           \
    X(factor_put, true)                                                                            \
    X(upload_check, false)                                                                         \
    X(upload_open, true)                                                                           \
    X(upload_get, false)                                                                           \
    X(piece_put, true)                                                                             \
    X(upload_pieces, false)                                                                        \
    X(upload_seal, true)                                                                           \
    X(upload_abort, true)                                                                          \
    X(collect, true)                                                                               \
    X(inbox_list, false)                                                                           \
    X(sent_list, false)                                                                            \
    X(slot_get, false)                                                                             \
    X(transfer_get, false)                                                                         \
    X(mail_find, false)                                                                            \
    X(leaves_get, false)                                                                           \
    X(pieces_get, false)                                                                           \
    X(slot_update, true)                                                                           \
    X(slot_delete, true)                                                                           \
    X(extend, true)                                                                                \
    X(revoke, true)                                                                                \
    X(expired_list, false)                                                                         \
    X(event_append, true)                                                                          \
    X(feed_list, false)                                                                            \
    X(event_list, false)                                                                           \
    X(cells_due, false)                                                                            \
    X(cells_done, true)                                                                            \
    X(instances, false)                                                                            \
    X(verify, false)

/*
 * store_user_create(port, in, cb, arg) and so on: start one operation.  From the start call:
 * ERR_INVALID, ERR_TOOLARGE (the request), ERR_BUSY (too much under way: wait for on_room),
 * ERR_NOMEM.
 */
#define X(op, writes)                                                                              \
    MUST_CHECK int store_##op(struct store_port *port, const struct store_##op *in, store_cb *cb,  \
                              void *arg);
STORE_OPS(X)
#undef X

struct store_stats {
    uint64_t users, transfers, uploads, pieces;          /* rows */
    uint64_t index_used, index_map, body_used, body_map; /* bytes; over all body environments */
    uint64_t readers;                                    /* read transactions open now */
    uint64_t commits, committed;        /* commits and records, and writes that shared them */
    uint64_t largest_commit, commit_us; /* writes; time spent in commits so far */
    uint64_t started, failed, busy;     /* operations: started, ended in an error, refused */
    uint64_t in_flight, queued_bytes;   /* now */
    uint64_t reopened;                  /* environments opened again after a failed write */
    uint64_t redo_failures;             /* writes of the redo log: a minute without it each */
};

/* A snapshot of counters.  Any thread; never blocks, never touches the disk. */
void store_stats(const struct store *s, struct store_stats *ret_stats);

#endif /* SERVER_STORE_STORE_H */
