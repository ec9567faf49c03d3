/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn - the small runtime on oneDNN that every network of Satchel uses.
 *
 * A struct nn is the engine.  A struct nn_op is a compiled operation: it is
 * read-only and may be shared by all threads.  A struct nn_ctx is what one
 * thread needs to execute: a stream and a scratchpad.  A struct nn_task binds
 * an operation, a context and the memory it works on, so that running it
 * again costs nothing but the computation.
 *
 * Rules this module keeps (measured, see the comments in nn.c): every context
 * has its own scratchpad; each thread computes alone, with one OpenMP thread.
 * A process that has used this module must not compute in a forked child.
 *
 * Threads: struct nn and struct nn_op any; struct nn_ctx and its tasks one at
 * a time.  Objects are freed in the reverse order of making.  Nothing blocks.
 * Errors, wherever a function says nothing else: ERR_UNSUPPORTED when oneDNN
 * cannot make an operation here, for instance because the process may not have
 * executable memory; ERR_NOMEM; ERR_INTERNAL for whatever else it refuses.
 */
#ifndef MODELS_NN_H
#define MODELS_NN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum nn_type { NN_F32, NN_S32, NN_S8, NN_U8 };

/* Places of an operation's matrices. */
enum nn_arg { NN_SRC, NN_WEIGHTS, NN_DST, NN_ARGS };

enum { NN_ALIGN = 64 };

struct nn;
struct nn_op;
struct nn_packed;
struct nn_ctx;
struct nn_task;

/* Make the engine; free it with nn_close(). */
MUST_CHECK int nn_open(struct nn **ret_nn, struct err *err);
void nn_close(struct nn *nn); /* NULL is fine */

/* The library, as "oneDNN 2.6.3"; the instruction set in use, as "cpu_isa_avx2".  Static text. */
const char *nn_version(void);
const char *nn_isa(void);

/*
 * Use ${n} OpenMP threads for work that the calling thread starts.  Without
 * this call it is 1, set when the thread first makes or runs something here.
 */
void nn_threads(int n);

/* ${len} zero bytes, aligned to NN_ALIGN; free() them.  NULL when out of memory. */
void *nn_alloc(size_t len);

/* dst (m x n) = src (m x k) x weights (k x n), row by row in memory. */
struct nn_matmul {
    size_t m, k, n;
    enum nn_type src, weights, dst;
    bool src_transposed;     /* src lies in memory as k x m */
    bool weights_transposed; /* weights lie in memory as n x k */
    bool weights_packed;     /* weights come through nn_pack() */
};

/* Compile a product.  ERR_INVALID for a size of 0; also those above. */
MUST_CHECK int nn_matmul_new(struct nn_op **ret_op, struct nn *nn, const struct nn_matmul *spec,
                             struct err *err);
void nn_op_free(struct nn_op *op); /* NULL is fine */

/* Bytes of scratchpad ${op} needs; a context must have as many as its largest. */
size_t nn_op_scratch(const struct nn_op *op);

/* Bring weights into the layout ${op} wants (spec.weights_packed); ${op} must outlive the result.
 */
MUST_CHECK int nn_pack(struct nn_packed **ret_packed, const struct nn_op *op, const void *weights,
                       struct err *err);
void nn_packed_free(struct nn_packed *p); /* NULL is fine */

/* True if another operation can take these packed weights. */
bool nn_packed_fits(const struct nn_packed *p, const struct nn_op *op);

/* The bytes to bind as NN_WEIGHTS; read-only, shared by all threads. */
void *nn_packed_data(const struct nn_packed *p);

/* What one thread needs, with ${scratch} bytes of scratchpad. */
MUST_CHECK int nn_ctx_new(struct nn_ctx **ret_ctx, struct nn *nn, size_t scratch, struct err *err);
void nn_ctx_free(struct nn_ctx *ctx); /* wipes the scratchpad; NULL is fine */

/* Bind ${args}, indexed by enum nn_arg and aligned to NN_ALIGN; they must outlive the task.
 * ERR_INVALID: the scratchpad of ${ctx} is too small; also those above. */
MUST_CHECK int nn_task_new(struct nn_task **ret_task, const struct nn_op *op, struct nn_ctx *ctx,
                           void *const args[NN_ARGS], struct err *err);
void nn_task_free(struct nn_task *t); /* NULL is fine */

/* Compute.  ERR_INTERNAL if oneDNN fails. */
MUST_CHECK int nn_task_run(struct nn_task *t, struct err *err);

#endif /* MODELS_NN_H */
