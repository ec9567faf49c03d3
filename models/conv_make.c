/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "models/conv_net.h"
#include "models/nn.h"

int conv_fail(struct err *err, dnnl_status_t rc, const char *what)
{
    if (rc == dnnl_out_of_memory)
        return err_set(err, ERR_NOMEM, "%s", what);
    return err_set(err, rc == dnnl_unimplemented ? ERR_UNSUPPORTED : ERR_INTERNAL, "%s: %s", what,
                   dnnl_status2str(rc));
}

static bool in_place(enum conv_kind k)
{
    return k == CONV_RELU || k == CONV_SIGMOID;
}

/* The shape that layer ${i} gives; false if there is none. */
static bool shape(struct conv *net, unsigned i)
{
    const struct conv_layer *l = &net->spec.layer[i];
    struct tensor *out = &net->tensors[i + 1];
    const struct tensor *in = &net->tensors[l->in];

    if (l->in > i || l->other > i)
        return false;
    *out = (struct tensor){.c = in->c, .h = in->h, .w = in->w, .shared = in_place(l->kind)};
    if (l->kind == CONV_ADD) {
        const struct tensor *other = &net->tensors[l->other];

        return in->c == other->c && in->h == other->h && in->w == other->w;
    }
    if (in_place(l->kind))
        return l->in == i && i > 0;
    if (l->stride < 1 || l->stride > 4 || l->kernel < l->stride || l->kernel > 15 ||
        l->channels < 1 || l->channels > 4096)
        return false;
    out->c = l->channels;
    if (l->kind == CONV_DECONV) {
        out->h = in->h * l->stride;
        out->w = in->w * l->stride;
        return (l->kernel - l->stride) % 2 == 0 && out->h <= 4096 && out->w <= 4096;
    }
    out->h = in->h / l->stride;
    out->w = in->w / l->stride;
    return out->h > 0 && out->w > 0 && in->h % l->stride == 0 && in->w % l->stride == 0;
}

static bool allot(struct conv *net, unsigned i)
{
    struct tensor *t = &net->tensors[i];

    t->len = (size_t)net->spec.batch * t->c * t->h * t->w;
    if (t->shared) {
        t->value = net->tensors[i - 1].value;
        t->grad = net->tensors[i - 1].grad;
        return true;
    }
    t->value = nn_alloc(t->len * sizeof(float));
    if (net->spec.training)
        t->grad = nn_alloc(t->len * sizeof(float));
    return t->value != NULL && (t->grad != NULL || !net->spec.training);
}

static dnnl_status_t tensor_md(struct nn_md *md, const struct conv *net, const struct tensor *t)
{
    dnnl_dims_t dims = {net->spec.batch, t->c, t->h, t->w};
    dnnl_dims_t strides = {(dnnl_dim_t)t->h * t->w * t->c, 1, (dnnl_dim_t)t->w * t->c, t->c};

    return nn_md_strides(md, 4, dims, dnnl_f32, strides);
}

struct descs {
    struct nn_md src, weights, plain, bias, dst;
    struct nn_conv_parts parts;
};

static dnnl_status_t describe(struct descs *d, const struct conv *net, unsigned i)
{
    const struct conv_layer *l = &net->spec.layer[i];
    const struct tensor *in = &net->tensors[l->in], *out = &net->tensors[i + 1];
    dnnl_dim_t k = l->kernel;
    dnnl_dims_t w = {out->c, in->c, k, k}, strides = {in->c * k * k, k * k, k, 1};
    dnnl_dims_t b = {out->c}, one = {1};
    dnnl_dim_t pad = k - (dnnl_dim_t)l->stride;
    dnnl_status_t rc = tensor_md(&d->src, net, in);

    if (rc == dnnl_success)
        rc = tensor_md(&d->dst, net, out);
    if (rc == dnnl_success)
        rc = nn_md_any(&d->weights, 4, w, dnnl_f32);
    if (rc == dnnl_success)
        rc = nn_md_strides(&d->plain, 4, w, dnnl_f32, strides);
    if (rc == dnnl_success)
        rc = nn_md_strides(&d->bias, 1, b, dnnl_f32, one);
    d->parts = (struct nn_conv_parts){.src = &d->src,
                                      .weights = &d->weights,
                                      .bias = &d->bias,
                                      .dst = &d->dst,
                                      .strides = {l->stride, l->stride},
                                      .pad_low = {pad / 2, pad / 2},
                                      .pad_high = {pad - pad / 2, pad - pad / 2}};
    return rc;
}

static void free_descs(struct descs *d)
{
    nn_md_free(&d->src);
    nn_md_free(&d->weights);
    nn_md_free(&d->plain);
    nn_md_free(&d->bias);
    nn_md_free(&d->dst);
}

static nn_md_ref query(dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    return dnnl_primitive_desc_query_md(pd, what, 0);
}

/* The reorder between the canonical weights and the primitive's; backward it leads outward. */
static dnnl_status_t make_reorder(struct conv *net, struct step *s, nn_md_ref plain,
                                  nn_md_ref packed, bool outward)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t rc = dnnl_reorder_primitive_desc_create(
        &pd, outward ? packed : plain, net->engine, outward ? plain : packed, net->engine, NULL);

    if (rc != dnnl_success)
        return rc;
    rc = dnnl_primitive_create(&s->reorder, pd);
    (void)dnnl_primitive_desc_destroy(pd);
    return rc;
}

static dnnl_status_t memory(struct conv *net, dnnl_memory_t *ret, nn_md_ref md, void *data)
{
    return dnnl_memory_create(ret, md, net->engine, data);
}

/* Bind the memories of a step; ${src} and ${dst} are values or gradients. */
static dnnl_status_t bind(struct conv *net, struct conv_part *p, struct step *s,
                          const struct descs *d, enum nn_conv_dir dir)
{
    nn_md_ref wants = query(s->pd, dir == NN_CONV_TO_WEIGHTS ? dnnl_query_diff_weights_md
                                                             : dnnl_query_weights_md);
    float *plain = dir == NN_CONV_TO_WEIGHTS ? p->fresh : p->value;
    dnnl_status_t rc;

    s->packed = nn_alloc(dnnl_memory_desc_get_size(wants));
    if (s->packed == NULL)
        return dnnl_out_of_memory;
    rc = memory(net, &s->mem[WEIGHTS], wants, s->packed);
    if (rc == dnnl_success)
        rc = memory(net, &s->plain, nn_md_ref_of(&d->plain), plain);
    if (rc == dnnl_success)
        rc = memory(net, &s->mem[BIAS], nn_md_ref_of(&d->bias), plain + p->weights_len);
    if (rc == dnnl_success)
        rc = memory(net, &s->mem[SRC], nn_md_ref_of(&d->src), NULL);
    if (rc == dnnl_success)
        rc = memory(net, &s->mem[DST], nn_md_ref_of(&d->dst), NULL);
    if (rc == dnnl_success)
        rc = memory(net, &s->scratch, query(s->pd, dnnl_query_scratchpad_md), NULL);
    return rc == dnnl_success
               ? make_reorder(net, s, nn_md_ref_of(&d->plain), wants, dir == NN_CONV_TO_WEIGHTS)
               : rc;
}

static dnnl_status_t make_step(struct conv *net, unsigned i, const struct descs *d,
                               enum nn_conv_dir dir, dnnl_primitive_attr_t attr)
{
    struct conv_part *p = &net->parts[i];
    struct step *s = &p->step[dir];
    dnnl_primitive_desc_t hint = dir == NN_CONV_FORWARD ? NULL : p->step[NN_CONV_FORWARD].pd;
    bool turned = net->spec.layer[i].kind == CONV_DECONV;
    dnnl_status_t rc = turned ? nn_pd_deconv(&s->pd, net->engine, &d->parts, dir, hint, attr)
                              : nn_pd_conv(&s->pd, net->engine, &d->parts, dir, hint, attr);
    size_t need;

    if (rc != dnnl_success)
        return rc;
    need = dnnl_memory_desc_get_size(query(s->pd, dnnl_query_scratchpad_md));
    if (need > net->scratch_len)
        net->scratch_len = need;
    rc = dnnl_primitive_create(&s->prim, s->pd);
    return rc == dnnl_success ? bind(net, p, s, d, dir) : rc;
}

static int new_part(struct conv *net, unsigned i, dnnl_primitive_attr_t attr, struct err *err)
{
    const struct conv_layer *l = &net->spec.layer[i];
    struct conv_part *p = &net->parts[i];
    size_t in = net->tensors[l->in].c, bytes;
    struct descs d = {0};
    dnnl_status_t rc = dnnl_out_of_memory;

    p->weights_len = in * l->channels * l->kernel * l->kernel;
    p->len = p->weights_len + l->channels;
    bytes = p->len * sizeof(float);
    p->value = nn_alloc(bytes);
    if (net->spec.training) {
        p->grad = nn_alloc(bytes);
        p->fresh = nn_alloc(bytes);
        p->mean = nn_alloc(bytes);
        p->square = nn_alloc(bytes);
    }
    if (p->value == NULL || (net->spec.training && (p->grad == NULL || p->fresh == NULL ||
                                                    p->mean == NULL || p->square == NULL)))
        return conv_fail(err, rc, "network layer");
    rc = describe(&d, net, i);
    for (int dir = 0; dir < NN_CONV_DIRS && rc == dnnl_success; dir++) {
        bool needless = dir == NN_CONV_TO_DATA && l->in == 0;

        if ((dir == NN_CONV_FORWARD || net->spec.training) && !needless)
            rc = make_step(net, i, &d, (enum nn_conv_dir)dir, attr);
    }
    free_descs(&d);
    return rc == dnnl_success ? ERR_OK : conv_fail(err, rc, "cannot make a network layer");
}

static int set_up(struct conv *net, struct err *err)
{
    dnnl_primitive_attr_t attr = NULL;
    size_t largest = 0;
    dnnl_status_t drc;
    int rc = ERR_OK;

    nn_threads(1); /* primitives are made for as many threads as there are now */
    for (unsigned i = 0; i <= net->spec.layers; i++) {
        if (!allot(net, i))
            return err_set(err, ERR_NOMEM, "network of %u layers", net->spec.layers);
        if (net->tensors[i].len > largest)
            largest = net->tensors[i].len;
    }
    drc = dnnl_engine_create(&net->engine, dnnl_cpu, 0);
    if (drc == dnnl_success)
        drc = dnnl_stream_create(&net->stream, net->engine, dnnl_stream_default_flags);
    if (drc == dnnl_success)
        drc = dnnl_primitive_attr_create(&attr);
    if (drc != dnnl_success)
        return conv_fail(err, drc, "cannot set up oneDNN");
    (void)dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    for (unsigned i = 0; i < net->spec.layers && rc == ERR_OK; i++)
        if (conv_computes(net->spec.layer[i].kind))
            rc = new_part(net, i, attr, err);
    (void)dnnl_primitive_attr_destroy(attr);
    if (rc != ERR_OK)
        return rc;
    net->scratch = nn_alloc(net->scratch_len + NN_ALIGN);
    if (net->spec.training)
        net->beside = nn_alloc(largest * sizeof(float));
    if (net->scratch == NULL || (net->spec.training && net->beside == NULL))
        return err_set(err, ERR_NOMEM, "network of %u layers", net->spec.layers);
    return ERR_OK;
}

int conv_new(struct conv **ret_net, const struct conv_spec *spec, struct err *err)
{
    struct conv *net = NULL;
    bool fits = spec->layers >= 1 && spec->layers <= CONV_LAYERS_MAX && spec->batch >= 1 &&
                spec->batch <= 4096 && spec->channels >= 1 && spec->channels <= 4096 &&
                spec->height >= 1 && spec->height <= 4096 && spec->width >= 1 &&
                spec->width <= 4096;
    int rc;

    if (!fits)
        return err_set(err, ERR_INVALID, "network of impossible shape");
    net = calloc(1, sizeof(*net));
    if (net == NULL)
        return err_set(err, ERR_NOMEM, "network");
    net->spec = *spec;
    net->changed = true;
    net->tensors[0] = (struct tensor){.c = spec->channels, .h = spec->height, .w = spec->width};
    for (unsigned i = 0; i < spec->layers && fits; i++)
        fits = shape(net, i);
    rc = fits ? set_up(net, err) : err_set(err, ERR_INVALID, "network of impossible shape");
    if (rc != ERR_OK) {
        conv_free(net);
        return rc;
    }
    *ret_net = net;
    return ERR_OK;
}

static void free_step(struct step *s)
{
    for (int m = 0; m < PLACES; m++)
        if (s->mem[m] != NULL)
            (void)dnnl_memory_destroy(s->mem[m]);
    if (s->scratch != NULL)
        (void)dnnl_memory_destroy(s->scratch);
    if (s->plain != NULL)
        (void)dnnl_memory_destroy(s->plain);
    if (s->reorder != NULL)
        (void)dnnl_primitive_destroy(s->reorder);
    if (s->prim != NULL)
        (void)dnnl_primitive_destroy(s->prim);
    if (s->pd != NULL)
        (void)dnnl_primitive_desc_destroy(s->pd);
    free(s->packed);
}

void conv_free(struct conv *net)
{
    if (net == NULL)
        return;
    for (unsigned i = 0; i < net->spec.layers; i++) {
        struct conv_part *p = &net->parts[i];

        for (int dir = 0; dir < NN_CONV_DIRS; dir++)
            free_step(&p->step[dir]);
        free(p->value);
        free(p->grad);
        free(p->fresh);
        free(p->mean);
        free(p->square);
    }
    for (unsigned i = 0; i <= net->spec.layers; i++)
        if (!net->tensors[i].shared) {
            free(net->tensors[i].value);
            free(net->tensors[i].grad);
        }
    free(net->beside);
    free(net->scratch);
    if (net->stream != NULL)
        (void)dnnl_stream_destroy(net->stream);
    if (net->engine != NULL)
        (void)dnnl_engine_destroy(net->engine);
    free(net);
}
