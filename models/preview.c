/* SPDX-License-Identifier: Apache-2.0 */
#include "models/preview.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "models/preview_file.h"
#include "models/preview_linear.h"
#include "models/preview_search.h"

enum { FLOAT_ROUNDS = 2 }; /* of aiming again; the third gains nothing */

struct preview {
    struct preview_net *net;
    struct preview_costs costs;
    struct conv *repair; /* made when it is first needed */
};

static int take(struct preview_net *net, struct preview **ret_p, struct err *err)
{
    struct preview *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        preview_net_free(net);
        return err_set(err, ERR_NOMEM, "previews");
    }
    p->net = net;
    preview_costs(&p->costs, net);
    *ret_p = p;
    return ERR_OK;
}

int preview_make(struct preview **ret_p, const uint8_t *weights, size_t len, struct err *err)
{
    struct preview_net *net = NULL;
    int rc = preview_file_decode(&net, weights, len, err);

    return rc == ERR_OK ? take(net, ret_p, err) : rc;
}

int preview_make_file(struct preview **ret_p, const char *path, struct err *err)
{
    struct buf file = {0};
    int rc = fs_read(path, PREVIEW_FILE_MAX, &file, err);

    if (rc == ERR_OK) {
        rc = preview_make(ret_p, file.data, file.len, err);
        if (rc != ERR_OK)
            err_wrap(err, "%s", path);
    }
    buf_free(&file);
    return rc;
}

void preview_close(struct preview *p)
{
    if (p == NULL)
        return;
    conv_free(p->repair);
    preview_net_free(p->net);
    free(p);
}

const uint8_t *preview_id(const struct preview *p)
{
    return p->net->id;
}

/* Eight to an octave: what width to height is, and back as sides of 64 at most. */
static uint8_t aspect_of(unsigned width, unsigned height)
{
    long a = PREVIEW_SQUARE + lrint(8 * log2((double)width / height));

    return (uint8_t)(a < 0 ? 0 : a >= PREVIEW_ASPECTS ? PREVIEW_ASPECTS - 1 : a);
}

static void sides_of(uint8_t aspect, struct preview_image *image)
{
    double ratio = exp2((aspect - PREVIEW_SQUARE) / 8.0);

    image->width = (unsigned)lrint(ratio >= 1 ? 64 : 64 * ratio);
    image->height = (unsigned)lrint(ratio >= 1 ? 64 / ratio : 64);
}

static void latents_of(const struct preview *p, const uint8_t *rgb, float latents[PREVIEW_LATENTS])
{
    float features[PREVIEW_FEATURES];

    preview_features(rgb, features);
    preview_latents(p->net, features, latents);
}

static int make_repair(struct preview *p, struct err *err)
{
    struct conv_spec spec = preview_repair_spec(p->net->widths, 1, false);
    const float *at = p->net->repair;
    int rc = conv_new(&p->repair, &spec, err);

    for (unsigned i = 0; i < spec.layers && rc == ERR_OK; i++) {
        struct conv_params to = conv_params(p->repair, i);

        if (to.weights_len == 0)
            continue;
        memcpy(to.weights, at, (to.weights_len + to.biases_len) * sizeof(float));
        at += to.weights_len + to.biases_len;
    }
    return rc;
}

/* From latents to a repaired picture, from 0 to 1 and a little beyond. */
static int synthesise(struct preview *p, const float *latents, float hint, float *ret_rgb,
                      struct err *err)
{
    float features[PREVIEW_FEATURES];
    int rc = p->repair == NULL ? make_repair(p, err) : ERR_OK;

    if (rc != ERR_OK)
        return rc;
    preview_unlatents(p->net, latents, features);
    preview_pixels(features, ret_rgb);
    preview_repair_put(conv_input(p->repair), ret_rgb, hint);
    rc = conv_forward(p->repair, err);
    for (int i = 0; i < PREVIEW_BYTES && rc == ERR_OK; i++)
        ret_rgb[i] += conv_output(p->repair)[i];
    return rc;
}

static int picture_of(void *arg, const float *latents, unsigned step, float *ret_rgb,
                      struct err *err)
{
    return synthesise(arg, latents, preview_repair_hint(step), ret_rgb, err);
}

static void to_bytes(const float *rgb, uint8_t *out)
{
    for (int i = 0; i < PREVIEW_BYTES; i++) {
        float v = rgb[i] * 255;

        out[i] = (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : lrintf(v));
    }
}

int preview_encode(struct preview *p, const struct preview_image *image, size_t class, uint8_t *out,
                   struct err *err)
{
    float latents[PREVIEW_LATENTS], rgb[PREVIEW_BYTES];
    const struct preview_choice choice = {.net = p->net,
                                          .costs = &p->costs,
                                          .latents = latents,
                                          .rgb = rgb,
                                          .picture = picture_of,
                                          .arg = p};
    struct preview_symbols s = {0};
    bool known = false;
    int rc;

    for (int i = 0; i < PREVIEW_CLASSES; i++)
        known |= preview_classes[i] == class;
    if (!known || image->width < 1 || image->height < 1)
        return err_set(err, ERR_INVALID, "preview of %zu bytes for %u x %u pixels", class,
                       image->width, image->height);
    latents_of(p, image->rgb, latents);
    for (int i = 0; i < PREVIEW_BYTES; i++)
        rgb[i] = (float)image->rgb[i] / 255;
    s.aspect = aspect_of(image->width, image->height);
    rc = preview_search(&choice, class, &s, err);
    if (rc != ERR_OK)
        return rc;
    memset(out, 0, class);
    (void)preview_symbols_encode(p->net, &s, out, class);
    return ERR_OK;
}

int preview_decode(struct preview *p, const uint8_t *data, size_t len,
                   struct preview_image *ret_image, struct err *err)
{
    float rgb[PREVIEW_BYTES], details[PREVIEW_BYTES];
    struct preview_values v;
    struct preview_symbols s;
    int rc;

    if (len != preview_classes[0] && len != preview_classes[1] && len != preview_classes[2])
        return err_set(err, ERR_CORRUPT, "preview of %zu bytes", len);
    rc = preview_symbols_decode(p->net, part(data, len), &s, &v, err);
    if (rc == ERR_OK)
        rc = picture_of(p, v.latents, s.step, rgb, err);
    if (rc != ERR_OK)
        return rc;
    if (preview_has_details(&s)) {
        preview_unwave(v.details, details);
        for (int i = 0; i < PREVIEW_BYTES; i++)
            rgb[i] += details[i];
    }
    sides_of(s.aspect, ret_image);
    to_bytes(rgb, ret_image->rgb);
    return ERR_OK;
}

int preview_float(struct preview *p, const struct preview_image *image, float ret_numbers[512],
                  struct preview_image *ret_image, struct err *err)
{
    float wanted[PREVIEW_LATENTS], latents[PREVIEW_LATENTS], rgb[PREVIEW_BYTES];
    int rc = ERR_OK;

    latents_of(p, image->rgb, wanted);
    memcpy(latents, wanted, sizeof(latents));
    for (int round = 0; round <= FLOAT_ROUNDS && rc == ERR_OK; round++) {
        if (round > 0)
            preview_aim(p->net, wanted, latents, rgb, latents, PREVIEW_FLOATS);
        memset(latents + PREVIEW_FLOATS, 0, sizeof(latents) - PREVIEW_FLOATS * sizeof(float));
        rc = synthesise(p, latents, preview_repair_floats, rgb, err);
    }
    if (rc != ERR_OK)
        return rc;
    memcpy(ret_numbers, latents, PREVIEW_FLOATS * sizeof(float));
    ret_image->width = image->width;
    ret_image->height = image->height;
    to_bytes(rgb, ret_image->rgb);
    return ERR_OK;
}
