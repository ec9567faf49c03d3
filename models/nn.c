/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scratchpads: with the library's own scratchpad, an operation made in one
 * thread and run in others gave wrong results without any error.  So every
 * operation is made for a scratchpad of the user, and each context has one.
 *
 * OpenMP: its number of threads is a property of the thread that starts the
 * work.  Left at its default, a few workers make many threads and are several
 * times slower, so each thread is set to one before it first computes.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "models/nn.h"
#include "models/nn_dnnl.h"

struct nn {
    dnnl_engine_t engine;
};

struct nn_op {
    dnnl_engine_t engine; /* borrowed */
    struct nn_matmul spec;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t prim;
};

struct nn_packed {
    const struct nn_op *op; /* whose layout it has */
    void *data;
};

struct nn_ctx {
    dnnl_engine_t engine; /* borrowed */
    dnnl_stream_t stream;
    void *scratch;
    size_t scratch_len;
};

enum { SCRATCH = NN_ARGS, MEMORIES };

struct nn_task {
    dnnl_stream_t stream;  /* borrowed */
    dnnl_primitive_t prim; /* borrowed */
    dnnl_memory_t mem[MEMORIES];
    dnnl_exec_arg_t args[MEMORIES];
};

static _Thread_local bool thread_ready;

static const struct {
    int exec;           /* number of the argument when executing */
    dnnl_query_t query; /* how its layout is asked for */
} arg_table[MEMORIES] = {
    [NN_SRC] = {DNNL_ARG_SRC, dnnl_query_src_md},
    [NN_WEIGHTS] = {DNNL_ARG_WEIGHTS, dnnl_query_weights_md},
    [NN_DST] = {DNNL_ARG_DST, dnnl_query_dst_md},
    [SCRATCH] = {DNNL_ARG_SCRATCHPAD, dnnl_query_scratchpad_md},
};

static const dnnl_data_type_t type_table[] = {
    [NN_F32] = dnnl_f32,
    [NN_S32] = dnnl_s32,
    [NN_S8] = dnnl_s8,
    [NN_U8] = dnnl_u8,
};

static int fail(struct err *err, dnnl_status_t rc, const char *what)
{
    int code = ERR_INTERNAL;

    if (rc == dnnl_out_of_memory)
        code = ERR_NOMEM;
    else if (rc == dnnl_unimplemented || rc == dnnl_runtime_error)
        code = ERR_UNSUPPORTED;
    return err_set(err, code, "%s: %s", what, dnnl_status2str(rc));
}

/*
 * oneDNN brings its OpenMP runtime along.  Linking to one ourselves could add a
 * second (clang's), whose setting oneDNN would not see: so look up the loaded one.
 */
static void *find_omp(const char *name)
{
    void *sym = dlsym(RTLD_DEFAULT, name);
    void *lib = NULL;

    if (sym != NULL)
        return sym;
    lib = dlopen("libgomp.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (lib == NULL)
        return NULL;
    sym = dlsym(lib, name);
    (void)dlclose(lib); /* oneDNN keeps it loaded */
    return sym;
}

void nn_threads(int n)
{
    void *sym = find_omp("omp_set_num_threads");
    void (*set)(int) = NULL;

    thread_ready = true;
    if (sym == NULL)
        return;
    memcpy(&set, &sym, sizeof(set));
    set(n);
}

static void thread_setup(void)
{
    if (!thread_ready)
        nn_threads(1);
}

const char *nn_version(void)
{
    static _Thread_local char text[40];
    const dnnl_version_t *v = dnnl_version();

    (void)snprintf(text, sizeof(text), "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

const char *nn_isa(void)
{
    return dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa());
}

void *nn_alloc(size_t len)
{
    void *p = NULL;

    if (len > SIZE_MAX - NN_ALIGN)
        return NULL;
    len = len == 0 ? NN_ALIGN : (len + NN_ALIGN - 1) / NN_ALIGN * NN_ALIGN;
    p = aligned_alloc(NN_ALIGN, len);
    if (p != NULL)
        memset(p, 0, len);
    return p;
}

int nn_open(struct nn **ret_nn, struct err *err)
{
    struct nn *nn = calloc(1, sizeof(*nn));
    dnnl_status_t rc;

    if (nn == NULL)
        return err_set(err, ERR_NOMEM, "network engine");
    rc = dnnl_engine_create(&nn->engine, dnnl_cpu, 0);
    if (rc != dnnl_success) {
        free(nn);
        return fail(err, rc, "cannot make the network engine");
    }
    *ret_nn = nn;
    return ERR_OK;
}

void nn_close(struct nn *nn)
{
    if (nn == NULL)
        return;
    (void)dnnl_engine_destroy(nn->engine);
    free(nn);
}

/* Describe a rows x cols matrix that lies in memory as it is, or transposed. */
static dnnl_status_t plain_md(struct nn_md *ret, enum nn_type type, size_t rows, size_t cols,
                              bool transposed)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    const dnnl_dims_t strides = {transposed ? 1 : (dnnl_dim_t)cols,
                                 transposed ? (dnnl_dim_t)rows : 1};

    return nn_md_strides(ret, 2, dims, type_table[type], strides);
}

static dnnl_status_t make_pd(struct nn_op *op, const struct nn_matmul *s)
{
    const dnnl_dims_t kn = {(dnnl_dim_t)s->k, (dnnl_dim_t)s->n};
    dnnl_primitive_attr_t attr = NULL;
    struct nn_md src = {0}, weights = {0}, dst = {0};
    dnnl_status_t rc = dnnl_primitive_attr_create(&attr);

    if (rc != dnnl_success)
        return rc;
    rc = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (rc == dnnl_success)
        rc = plain_md(&src, s->src, s->m, s->k, s->src_transposed);
    if (rc == dnnl_success && s->weights_packed)
        rc = nn_md_any(&weights, 2, kn, type_table[s->weights]);
    else if (rc == dnnl_success)
        rc = plain_md(&weights, s->weights, s->k, s->n, s->weights_transposed);
    if (rc == dnnl_success)
        rc = plain_md(&dst, s->dst, s->m, s->n, false);
    if (rc == dnnl_success)
        rc = nn_pd_matmul(&op->pd, op->engine, &src, &weights, &dst, attr);
    nn_md_free(&src);
    nn_md_free(&weights);
    nn_md_free(&dst);
    (void)dnnl_primitive_attr_destroy(attr);
    return rc;
}

int nn_matmul_new(struct nn_op **ret_op, struct nn *nn, const struct nn_matmul *spec,
                  struct err *err)
{
    struct nn_op *op = NULL;
    dnnl_status_t rc;

    if (spec->m == 0 || spec->k == 0 || spec->n == 0)
        return err_set(err, ERR_INVALID, "product of empty matrices");
    thread_setup();
    op = calloc(1, sizeof(*op));
    if (op == NULL)
        return err_set(err, ERR_NOMEM, "network operation");
    op->engine = nn->engine;
    op->spec = *spec;
    rc = make_pd(op, spec);
    if (rc == dnnl_success)
        rc = dnnl_primitive_create(&op->prim, op->pd);
    if (rc != dnnl_success) {
        nn_op_free(op);
        return fail(err, rc, "cannot make a matrix product");
    }
    *ret_op = op;
    return ERR_OK;
}

void nn_op_free(struct nn_op *op)
{
    if (op == NULL)
        return;
    if (op->prim != NULL)
        (void)dnnl_primitive_destroy(op->prim);
    if (op->pd != NULL)
        (void)dnnl_primitive_desc_destroy(op->pd);
    free(op);
}

static nn_md_ref op_md(const struct nn_op *op, int arg)
{
    return dnnl_primitive_desc_query_md(op->pd, arg_table[arg].query, 0);
}

size_t nn_op_scratch(const struct nn_op *op)
{
    nn_md_ref md = op_md(op, SCRATCH);

    return md == NULL ? 0 : dnnl_memory_desc_get_size(md);
}

/* One reorder from ${from} (laid out as ${md} says) into p->data. */
static dnnl_status_t reorder(struct nn_packed *p, nn_md_ref md, void *from)
{
    dnnl_engine_t eng = p->op->engine;
    nn_md_ref to = op_md(p->op, NN_WEIGHTS);
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t prim = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_memory_t mem[2] = {NULL, NULL};
    dnnl_status_t rc = dnnl_reorder_primitive_desc_create(&pd, md, eng, to, eng, NULL);

    if (rc == dnnl_success)
        rc = dnnl_primitive_create(&prim, pd);
    if (rc == dnnl_success)
        rc = dnnl_stream_create(&stream, eng, dnnl_stream_default_flags);
    if (rc == dnnl_success)
        rc = dnnl_memory_create(&mem[0], md, eng, from);
    if (rc == dnnl_success)
        rc = dnnl_memory_create(&mem[1], to, eng, p->data);
    if (rc == dnnl_success) {
        const dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, mem[0]}, {DNNL_ARG_TO, mem[1]}};

        rc = dnnl_primitive_execute(prim, stream, 2, args);
    }
    if (rc == dnnl_success)
        rc = dnnl_stream_wait(stream);
    for (int i = 0; i < 2; i++)
        if (mem[i] != NULL)
            (void)dnnl_memory_destroy(mem[i]);
    if (stream != NULL)
        (void)dnnl_stream_destroy(stream);
    if (prim != NULL)
        (void)dnnl_primitive_destroy(prim);
    if (pd != NULL)
        (void)dnnl_primitive_desc_destroy(pd);
    return rc;
}

int nn_pack(struct nn_packed **ret_packed, const struct nn_op *op, const void *weights,
            struct err *err)
{
    const struct nn_matmul *s = &op->spec;
    struct nn_packed *p = calloc(1, sizeof(*p));
    struct nn_md md = {0};
    void *from = NULL; /* oneDNN takes no const; the reorder only reads */
    dnnl_status_t rc = dnnl_out_of_memory;

    thread_setup();
    memcpy(&from, &weights, sizeof(from));
    if (p == NULL)
        goto done;
    p->op = op;
    p->data = nn_alloc(dnnl_memory_desc_get_size(op_md(op, NN_WEIGHTS)));
    if (p->data == NULL)
        goto done;
    rc = plain_md(&md, s->weights, s->k, s->n, s->weights_transposed);
    if (rc == dnnl_success)
        rc = reorder(p, nn_md_ref_of(&md), from);
done:
    nn_md_free(&md);
    if (rc != dnnl_success) {
        nn_packed_free(p);
        return fail(err, rc, "cannot lay out weights");
    }
    *ret_packed = p;
    return ERR_OK;
}

void nn_packed_free(struct nn_packed *p)
{
    if (p == NULL)
        return;
    free(p->data);
    free(p);
}

bool nn_packed_fits(const struct nn_packed *p, const struct nn_op *op)
{
    return dnnl_memory_desc_equal(op_md(p->op, NN_WEIGHTS), op_md(op, NN_WEIGHTS)) != 0;
}

void *nn_packed_data(const struct nn_packed *p)
{
    return p->data;
}

int nn_ctx_new(struct nn_ctx **ret_ctx, struct nn *nn, size_t scratch, struct err *err)
{
    struct nn_ctx *ctx = calloc(1, sizeof(*ctx));
    dnnl_status_t rc = dnnl_out_of_memory;

    if (ctx == NULL)
        goto fail;
    ctx->engine = nn->engine;
    ctx->scratch_len = scratch;
    ctx->scratch = nn_alloc(scratch);
    if (ctx->scratch == NULL)
        goto fail;
    rc = dnnl_stream_create(&ctx->stream, nn->engine, dnnl_stream_default_flags);
    if (rc != dnnl_success)
        goto fail;
    *ret_ctx = ctx;
    return ERR_OK;
fail:
    nn_ctx_free(ctx);
    return fail(err, rc, "cannot make a network context");
}

void nn_ctx_free(struct nn_ctx *ctx)
{
    if (ctx == NULL)
        return;
    if (ctx->stream != NULL)
        (void)dnnl_stream_destroy(ctx->stream);
    if (ctx->scratch != NULL)
        secret_wipe(ctx->scratch, ctx->scratch_len);
    free(ctx->scratch);
    free(ctx);
}

int nn_task_new(struct nn_task **ret_task, const struct nn_op *op, struct nn_ctx *ctx,
                void *const args[NN_ARGS], struct err *err)
{
    struct nn_task *t = NULL;
    dnnl_status_t rc = dnnl_success;

    if (nn_op_scratch(op) > ctx->scratch_len)
        return err_set(err, ERR_INVALID, "scratchpad of %zu bytes is too small", ctx->scratch_len);
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return err_set(err, ERR_NOMEM, "network task");
    t->stream = ctx->stream;
    t->prim = op->prim;
    for (int i = 0; i < MEMORIES && rc == dnnl_success; i++) {
        void *data = i == SCRATCH ? ctx->scratch : args[i];

        rc = dnnl_memory_create(&t->mem[i], op_md(op, i), ctx->engine, data);
        t->args[i] = (dnnl_exec_arg_t){arg_table[i].exec, t->mem[i]};
    }
    if (rc != dnnl_success) {
        nn_task_free(t);
        return fail(err, rc, "cannot bind a network task");
    }
    *ret_task = t;
    return ERR_OK;
}

void nn_task_free(struct nn_task *t)
{
    if (t == NULL)
        return;
    for (int i = 0; i < MEMORIES; i++)
        if (t->mem[i] != NULL)
            (void)dnnl_memory_destroy(t->mem[i]);
    free(t);
}

int nn_task_run(struct nn_task *t, struct err *err)
{
    dnnl_status_t rc;

    thread_setup();
    rc = dnnl_primitive_execute(t->prim, t->stream, MEMORIES, t->args);
    if (rc == dnnl_success)
        rc = dnnl_stream_wait(t->stream);
    if (rc != dnnl_success)
        return err_set(err, ERR_INTERNAL, "network task failed: %s", dnnl_status2str(rc));
    return ERR_OK;
}
