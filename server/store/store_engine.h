/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_engine - what an engine provides.  For store.c, engines and engines
 * that wrap others; handlers never include it.
 */
#ifndef SERVER_STORE_ENGINE_H
#define SERVER_STORE_ENGINE_H

#include "server/store/loopq.h"
#include "server/store/store.h"

enum store_op {
#define X(op, writes) STORE_OP_##op,
    STORE_OPS(X)
#undef X
        STORE_OP_COUNT
};

/* One operation under way.  ${in} is a deep copy of the request. */
struct store_job {
    struct store_job *next; /* for the queue it is in: the engine's, until store_job_done() */
    enum store_op op;
    struct store_result *res; /* zeroed; the engine fills in code and the rest */
    union store_request *in;
    size_t bytes; /* that it brings, and of pieces it asks for */
    /* Free for the engine: how far it is, and with what. */
    unsigned phase;
    uint8_t tid[STORE_TID_LEN];
    uint32_t note[4];
    /* For an engine that wraps another one: called by store_job_done() instead of its work. */
    void (*on_done)(struct store_job *job);
    /* Of store.c; not for engines. */
    struct loopq_item done;
    struct store_port *port;
    store_cb *cb;
    void *arg;
};

union store_request {
#define X(op, writes) struct store_##op op;
    STORE_OPS(X)
#undef X
};

/* "user_create" and so on. */
const char *store_op_name(enum store_op op);

/* True for operations that change something. */
bool store_op_writes(enum store_op op);

/* The engine is through with ${job}: exactly once for each submit, from any thread. */
void store_job_done(struct store_job *job);

/* The same for a chain of jobs through `next`: their loop is woken once, not once for each. */
void store_jobs_done(struct store_job *first);

/* Set res->code and res->why (printf-like); returns ${code}. */
int store_fail(struct store_result *res, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

struct store_ops {
    const char *name;
    MUST_CHECK int (*open)(void **ret_impl, const struct store_config *cfg, struct err *err);
    /* Nothing is under way.  Blocks. */
    void (*close)(void *impl);
    /* Never blocks.  Takes the job; may call store_job_done() from inside. */
    void (*submit)(void *impl, struct store_job *job);
    /* Fill in rows, sizes and commits.  Any thread, never blocks. */
    void (*stats)(const void *impl, struct store_stats *ret_stats);
};

extern const struct store_ops store_lmdb_ops;

/*
 * As store_open() with an engine that is not in the table; ${impl} is an opened instance that
 * store_close() closes.  For tests.
 */
MUST_CHECK int store_open_impl(struct store **ret_s, const struct store_ops *ops, void *impl,
                               struct err *err);

#endif /* SERVER_STORE_ENGINE_H */
