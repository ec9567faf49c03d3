/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activations are channels-last for every layer, so that loops and primitives
 * share them without a copy.  Weights are kept in canonical order with Adam's
 * state beside them and brought into each primitive's own layout when they
 * changed.  A tensor that several layers use collects its gradient: the first
 * of them going backward writes, later ones write beside and are added.
 */
#include <math.h>
#include <string.h>

#include "models/conv_net.h"
#include "models/hot.h"
#include "models/nn.h"

void conv_randomise(struct conv *net, struct prg *prg)
{
    unsigned last = net->spec.layers;

    while (last > 0 && !conv_computes(net->spec.layer[last - 1].kind))
        last--;
    for (unsigned i = 0; i < net->spec.layers; i++) {
        struct conv_part *p = &net->parts[i];
        const struct conv_layer *l = &net->spec.layer[i];
        float fan, limit;

        if (!conv_computes(l->kind))
            continue;
        fan = (float)(net->tensors[l->in].c * l->kernel * l->kernel);
        if (l->kind == CONV_DECONV) /* of its weights only one in stride^2 meets an output */
            fan /= (float)(l->stride * l->stride);
        limit = sqrtf(6.0F / fan) * (i + 1 == last ? 0.1F : 1.0F);
        for (size_t j = 0; j < p->weights_len; j++)
            p->value[j] = prg_between(prg, -limit, limit);
        memset(p->value + p->weights_len, 0, (p->len - p->weights_len) * sizeof(float));
    }
    net->changed = true;
}

struct conv_params conv_params(struct conv *net, unsigned i)
{
    struct conv_part *p = &net->parts[i];

    return (struct conv_params){
        .weights_len = p->weights_len,
        .biases_len = p->len - p->weights_len,
        .weights = p->value,
        .biases = p->value != NULL ? p->value + p->weights_len : NULL,
        .weight_grads = p->grad,
        .bias_grads = p->grad != NULL ? p->grad + p->weights_len : NULL,
    };
}

void conv_changed(struct conv *net)
{
    net->changed = true;
}

float *conv_input(struct conv *net)
{
    return net->tensors[0].value;
}

const float *conv_output(const struct conv *net)
{
    return net->tensors[net->spec.layers].value;
}

size_t conv_output_len(const struct conv *net)
{
    return net->tensors[net->spec.layers].len;
}

float *conv_output_grad(struct conv *net)
{
    return net->tensors[net->spec.layers].grad;
}

unsigned *conv_steps(struct conv *net)
{
    return &net->steps;
}

size_t conv_state(struct conv *net, unsigned i, float **ret_mean, float **ret_square)
{
    *ret_mean = net->parts[i].mean;
    *ret_square = net->parts[i].square;
    return net->parts[i].len;
}

static dnnl_status_t reorder(struct conv *net, struct step *s, bool outward)
{
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, outward ? s->mem[WEIGHTS] : s->plain},
                              {DNNL_ARG_TO, outward ? s->plain : s->mem[WEIGHTS]}};

    return s->reorder == NULL ? dnnl_success
                              : dnnl_primitive_execute(s->reorder, net->stream, 2, args);
}

static const int place_args[NN_CONV_DIRS][PLACES] = {
    [NN_CONV_FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST},
    [NN_CONV_TO_DATA] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DIFF_DST},
    [NN_CONV_TO_WEIGHTS] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS,
                            DNNL_ARG_DIFF_DST},
};

static dnnl_status_t run(struct conv *net, unsigned i, enum nn_conv_dir dir, float *src, float *dst)
{
    struct step *s = &net->parts[i].step[dir];
    dnnl_exec_arg_t args[PLACES + 1];
    dnnl_status_t rc = dnnl_memory_set_data_handle(s->mem[SRC], src);

    if (rc == dnnl_success)
        rc = dnnl_memory_set_data_handle(s->mem[DST], dst);
    if (rc == dnnl_success)
        rc = dnnl_memory_set_data_handle(s->scratch, net->scratch);
    for (int m = 0; m < PLACES; m++)
        args[m] = (dnnl_exec_arg_t){place_args[dir][m], s->mem[m]};
    args[PLACES] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, s->scratch};
    return rc == dnnl_success ? dnnl_primitive_execute(s->prim, net->stream, PLACES + 1, args) : rc;
}

static dnnl_status_t pack_weights(struct conv *net)
{
    dnnl_status_t rc = dnnl_success;

    for (unsigned i = 0; i < net->spec.layers && net->changed && rc == dnnl_success; i++) {
        rc = reorder(net, &net->parts[i].step[NN_CONV_FORWARD], false);
        if (rc == dnnl_success)
            rc = reorder(net, &net->parts[i].step[NN_CONV_TO_DATA], false);
    }
    net->changed = rc != dnnl_success;
    return rc;
}

HOT_UNCHECKED static void relu(float *restrict y, size_t len)
{
    for (size_t i = 0; i < len; i++)
        y[i] = y[i] > 0 ? y[i] : 0;
}

static void sigmoid(float *y, size_t len)
{
    for (size_t i = 0; i < len; i++)
        y[i] = 1 / (1 + expf(-y[i]));
}

HOT_UNCHECKED static void add(float *restrict y, const float *restrict a, const float *restrict b,
                              size_t len)
{
    for (size_t i = 0; i < len; i++)
        y[i] = a[i] + b[i];
}

HOT_UNCHECKED static void accumulate(float *restrict y, const float *restrict a, size_t len)
{
    for (size_t i = 0; i < len; i++)
        y[i] += a[i];
}

int conv_forward(struct conv *net, struct err *err)
{
    dnnl_status_t rc;

    nn_threads(1);
    rc = pack_weights(net);
    for (unsigned i = 0; i < net->spec.layers && rc == dnnl_success; i++) {
        const struct conv_layer *l = &net->spec.layer[i];
        struct tensor *in = &net->tensors[l->in], *out = &net->tensors[i + 1];

        if (conv_computes(l->kind))
            rc = run(net, i, NN_CONV_FORWARD, in->value, out->value);
        else if (l->kind == CONV_ADD)
            add(out->value, in->value, net->tensors[l->other].value, out->len);
        else if (l->kind == CONV_RELU)
            relu(out->value, out->len);
        else
            sigmoid(out->value, out->len);
    }
    if (rc == dnnl_success)
        rc = dnnl_stream_wait(net->stream);
    return rc == dnnl_success ? ERR_OK : conv_fail(err, rc, "network");
}

/* Through an activation, from its output. */
HOT_UNCHECKED static void back_relu(float *restrict dy, const float *restrict y, size_t len)
{
    for (size_t i = 0; i < len; i++)
        dy[i] = y[i] > 0 ? dy[i] : 0;
}

HOT_UNCHECKED static void back_sigmoid(float *restrict dy, const float *restrict y, size_t len)
{
    for (size_t i = 0; i < len; i++)
        dy[i] *= y[i] * (1 - y[i]);
}

/* Give ${t} one more part of its gradient. */
static void give(struct tensor *t, const float *part)
{
    if (t->given)
        accumulate(t->grad, part, t->len);
    else
        memcpy(t->grad, part, t->len * sizeof(float));
    t->given = true;
}

static dnnl_status_t back_conv(struct conv *net, unsigned i)
{
    struct conv_part *part = &net->parts[i];
    struct tensor *in = &net->tensors[net->spec.layer[i].in], *out = &net->tensors[i + 1];
    dnnl_status_t rc = run(net, i, NN_CONV_TO_WEIGHTS, in->value, out->grad);

    if (rc == dnnl_success)
        rc = reorder(net, &part->step[NN_CONV_TO_WEIGHTS], true);
    if (rc == dnnl_success && net->gathered)
        accumulate(part->grad, part->fresh, part->len);
    else if (rc == dnnl_success)
        memcpy(part->grad, part->fresh, part->len * sizeof(float));
    if (rc != dnnl_success || net->spec.layer[i].in == 0)
        return rc;
    rc = run(net, i, NN_CONV_TO_DATA, in->given ? net->beside : in->grad, out->grad);
    if (rc == dnnl_success && in->given)
        accumulate(in->grad, net->beside, in->len);
    in->given = true;
    return rc;
}

int conv_backward(struct conv *net, struct err *err)
{
    dnnl_status_t rc = dnnl_success;

    for (unsigned i = 0; i <= net->spec.layers; i++)
        net->tensors[i].given = false;
    for (unsigned i = net->spec.layers; i-- > 0 && rc == dnnl_success;) {
        const struct conv_layer *l = &net->spec.layer[i];
        struct tensor *in = &net->tensors[l->in], *out = &net->tensors[i + 1];

        if (conv_computes(l->kind)) {
            rc = back_conv(net, i);
        } else if (l->kind == CONV_ADD) {
            give(in, out->grad);
            give(&net->tensors[l->other], out->grad);
        } else {
            if (l->kind == CONV_RELU)
                back_relu(out->grad, out->value, out->len);
            else
                back_sigmoid(out->grad, out->value, out->len);
            in->given = true;
        }
    }
    if (rc == dnnl_success)
        rc = dnnl_stream_wait(net->stream);
    net->gathered = rc == dnnl_success;
    return rc == dnnl_success ? ERR_OK : conv_fail(err, rc, "network, backward");
}

HOT_UNCHECKED static void adam(struct conv_part *p, float rate, float square_scale)
{
    float *restrict value = p->value, *restrict mean = p->mean, *restrict square = p->square;
    const float *restrict grad = p->grad;

    for (size_t i = 0; i < p->len; i++) {
        float g = grad[i];

        mean[i] += 0.1F * (g - mean[i]);
        square[i] += 0.001F * (g * g - square[i]);
        value[i] -= rate * mean[i] / (sqrtf(square[i] * square_scale) + 1e-8F);
    }
}

void conv_adam(struct conv *net, float rate)
{
    double t = ++net->steps;
    float mean_scale = (float)(1 / (1 - pow(0.9, t)));
    float square_scale = (float)(1 / (1 - pow(0.999, t)));

    for (unsigned i = 0; i < net->spec.layers; i++)
        if (conv_computes(net->spec.layer[i].kind))
            adam(&net->parts[i], rate * mean_scale, square_scale);
    net->changed = true;
    net->gathered = false;
}
