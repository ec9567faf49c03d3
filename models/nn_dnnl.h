/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn_dnnl - what differs between oneDNN 2.x and 3.x, in one place.
 *
 * In 2.x a memory descriptor is a structure that is copied, and a primitive
 * descriptor is made from an operation descriptor.  In 3.x a memory descriptor
 * is an opaque object that must be destroyed, and primitive descriptors are
 * made directly.  Only nn.c and the conv files include this file.
 */
#ifndef MODELS_NN_DNNL_H
#define MODELS_NN_DNNL_H

#include <string.h>

#include <dnnl.h>
#include <dnnl_debug.h>

#if DNNL_VERSION_MAJOR >= 3
#define NN_DNNL_3 1
#else
#define NN_DNNL_3 0
#endif

#if NN_DNNL_3
typedef const_dnnl_memory_desc_t nn_md_ref; /* borrowed */
struct nn_md {
    dnnl_memory_desc_t md; /* owned */
};
#else
typedef const dnnl_memory_desc_t *nn_md_ref;
struct nn_md {
    dnnl_memory_desc_t md;
};
#endif

static inline nn_md_ref nn_md_ref_of(const struct nn_md *m)
{
#if NN_DNNL_3
    return m->md;
#else
    return &m->md;
#endif
}

/* A matrix in ordinary memory, strides counted in elements. */
static inline dnnl_status_t nn_md_strides(struct nn_md *ret, int ndims, const dnnl_dims_t dims,
                                          dnnl_data_type_t type, const dnnl_dims_t strides)
{
#if NN_DNNL_3
    return dnnl_memory_desc_create_with_strides(&ret->md, ndims, dims, type, strides);
#else
    return dnnl_memory_desc_init_by_strides(&ret->md, ndims, dims, type, strides);
#endif
}

/* A matrix whose layout the primitive chooses. */
static inline dnnl_status_t nn_md_any(struct nn_md *ret, int ndims, const dnnl_dims_t dims,
                                      dnnl_data_type_t type)
{
#if NN_DNNL_3
    return dnnl_memory_desc_create_with_tag(&ret->md, ndims, dims, type, dnnl_format_tag_any);
#else
    return dnnl_memory_desc_init_by_tag(&ret->md, ndims, dims, type, dnnl_format_tag_any);
#endif
}

/* Zero-initialised or made; safe to call twice. */
static inline void nn_md_free(struct nn_md *m)
{
#if NN_DNNL_3
    if (m->md != NULL)
        (void)dnnl_memory_desc_destroy(m->md);
    m->md = NULL;
#else
    (void)m;
#endif
}

/* dst = src x weights, no bias. */
static inline dnnl_status_t nn_pd_matmul(dnnl_primitive_desc_t *ret, dnnl_engine_t engine,
                                         const struct nn_md *src, const struct nn_md *weights,
                                         const struct nn_md *dst, const_dnnl_primitive_attr_t attr)
{
#if NN_DNNL_3
    return dnnl_matmul_primitive_desc_create(ret, engine, src->md, weights->md, NULL, dst->md,
                                             attr);
#else
    dnnl_matmul_desc_t desc;
    dnnl_status_t rc = dnnl_matmul_desc_init(&desc, &src->md, &weights->md, NULL, &dst->md);

    if (rc != dnnl_success)
        return rc;
    return dnnl_primitive_desc_create(ret, &desc, attr, engine, NULL);
#endif
}

/* A convolution or, turned round, a deconvolution, as oneDNN names its parts. */
struct nn_conv_parts {
    const struct nn_md *src, *weights, *bias, *dst;
    dnnl_dims_t strides, dilates, pad_low, pad_high;
};

enum nn_conv_dir { NN_CONV_FORWARD, NN_CONV_TO_DATA, NN_CONV_TO_WEIGHTS, NN_CONV_DIRS };

/* The primitive of one direction; the backward ones need the forward one as ${hint}. */
#if NN_DNNL_3
#define NN_CONV_PD(kind)                                                                           \
    switch (dir) {                                                                                 \
    case NN_CONV_FORWARD:                                                                          \
        return dnnl_##kind##_forward_primitive_desc_create(                                        \
            ret, engine, dnnl_forward_training, dnnl_##kind##_direct, p->src->md, p->weights->md,  \
            p->bias->md, p->dst->md, p->strides, p->dilates, p->pad_low, p->pad_high, attr);       \
    case NN_CONV_TO_DATA:                                                                          \
        return dnnl_##kind##_backward_data_primitive_desc_create(                                  \
            ret, engine, dnnl_##kind##_direct, p->src->md, p->weights->md, p->dst->md, p->strides, \
            p->dilates, p->pad_low, p->pad_high, hint, attr);                                      \
    default:                                                                                       \
        return dnnl_##kind##_backward_weights_primitive_desc_create(                               \
            ret, engine, dnnl_##kind##_direct, p->src->md, p->weights->md, p->bias->md,            \
            p->dst->md, p->strides, p->dilates, p->pad_low, p->pad_high, hint, attr);              \
    }
#else
#define NN_CONV_PD(kind)                                                                           \
    dnnl_##kind##_desc_t desc;                                                                     \
    dnnl_status_t rc;                                                                              \
    if (dir == NN_CONV_FORWARD)                                                                    \
        rc = dnnl_##kind##_forward_desc_init(&desc, dnnl_forward_training, dnnl_##kind##_direct,   \
                                             &p->src->md, &p->weights->md, &p->bias->md,           \
                                             &p->dst->md, p->strides, p->pad_low, p->pad_high);    \
    else if (dir == NN_CONV_TO_DATA)                                                               \
        rc = dnnl_##kind##_backward_data_desc_init(&desc, dnnl_##kind##_direct, &p->src->md,       \
                                                   &p->weights->md, &p->dst->md, p->strides,       \
                                                   p->pad_low, p->pad_high);                       \
    else                                                                                           \
        rc = dnnl_##kind##_backward_weights_desc_init(&desc, dnnl_##kind##_direct, &p->src->md,    \
                                                      &p->weights->md, &p->bias->md, &p->dst->md,  \
                                                      p->strides, p->pad_low, p->pad_high);        \
    return rc != dnnl_success ? rc : dnnl_primitive_desc_create(ret, &desc, attr, engine, hint)
#endif

static inline dnnl_status_t nn_pd_conv_first(dnnl_primitive_desc_t *ret, dnnl_engine_t engine,
                                             const struct nn_conv_parts *p, enum nn_conv_dir dir,
                                             const_dnnl_primitive_desc_t hint,
                                             const_dnnl_primitive_attr_t attr)
{
    NN_CONV_PD(convolution);
}

/*
 * Step past an implementation whose results are wrong: in oneDNN 3.7.2 jit:avx512_core, from the
 * gradient of outputs to that of inputs, unless the output channels are a multiple of 16.  2.6
 * knows no such stepping and is right.
 */
static inline dnnl_status_t nn_pd_conv_right(dnnl_primitive_desc_t pd)
{
#if NN_DNNL_3
    static const char wrong[] = "jit:avx512";
    const char *name = NULL;
    dnnl_status_t rc;

    while ((rc = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name)) ==
               dnnl_success &&
           strncmp(name, wrong, sizeof(wrong) - 1) == 0) {
        rc = dnnl_primitive_desc_next_impl(pd);
        if (rc != dnnl_success)
            return rc;
    }
    return rc;
#else
    (void)pd;
    return dnnl_success;
#endif
}

static inline dnnl_status_t nn_pd_conv(dnnl_primitive_desc_t *ret, dnnl_engine_t engine,
                                       const struct nn_conv_parts *p, enum nn_conv_dir dir,
                                       const_dnnl_primitive_desc_t hint,
                                       const_dnnl_primitive_attr_t attr)
{
    dnnl_status_t rc = nn_pd_conv_first(ret, engine, p, dir, hint, attr);

    return rc == dnnl_success && dir == NN_CONV_TO_DATA ? nn_pd_conv_right(*ret) : rc;
}

static inline dnnl_status_t nn_pd_deconv(dnnl_primitive_desc_t *ret, dnnl_engine_t engine,
                                         const struct nn_conv_parts *p, enum nn_conv_dir dir,
                                         const_dnnl_primitive_desc_t hint,
                                         const_dnnl_primitive_attr_t attr)
{
    NN_CONV_PD(deconvolution);
}

#endif /* MODELS_NN_DNNL_H */
