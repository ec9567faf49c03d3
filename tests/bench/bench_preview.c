/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-preview - learned previews, in processor time, so that others on the machine do not count.
 *
 *   bench-preview train SECONDS      pictures a second that the layers which repair are trained on
 *   bench-preview encode WEIGHTS PICTURE...  milliseconds for a preview of 256 bytes: of each
 *                                    picture, and of each square of 64 x 64 pixels in it
 *   bench-preview decode WEIGHTS PICTURE...  the same back
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "models/conv.h"
#include "models/picture.h"
#include "models/preview.h"
#include "models/preview_net.h"

/* As the trainer has them: pictures at a time, and for each step of Adam. */
enum { BATCH = 4, STEP = 16, CLASS = 256, CUT = 64 };

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int step(struct conv *net, struct err *err)
{
    float times = 2.0F * BATCH / ((float)conv_output_len(net) * STEP);
    int rc = ERR_OK;

    for (int part = 0; part < STEP / BATCH && rc == ERR_OK; part++) {
        rc = conv_forward(net, err);
        for (size_t i = 0; i < conv_output_len(net) && rc == ERR_OK; i++)
            conv_output_grad(net)[i] = conv_output(net)[i] * times;
        if (rc == ERR_OK)
            rc = conv_backward(net, err);
    }
    if (rc == ERR_OK)
        conv_adam(net, 0.001F);
    return rc;
}

static int train(const char *seconds, double *ret, struct err *err)
{
    const struct conv_spec spec = preview_repair_spec(preview_usual_widths, BATCH, true);
    double limit = strtod(seconds, NULL), start;
    struct conv *net = NULL;
    struct prg *prg = NULL;
    unsigned steps = 0;
    int rc = prg_new(&prg, "bench", part(NULL, 0), 0, err);

    if (rc == ERR_OK)
        rc = conv_new(&net, &spec, err);
    if (rc == ERR_OK) {
        conv_randomise(net, prg);
        for (size_t i = 0; i < (size_t)BATCH * 4 * PREVIEW_PIXELS; i++)
            conv_input(net)[i] = prg_between(prg, -0.5F, 0.5F);
        rc = step(net, err);
    }
    start = now();
    while (rc == ERR_OK && now() - start < limit) {
        rc = step(net, err);
        steps++;
    }
    *ret = steps * STEP / (now() - start);
    conv_free(net);
    prg_free(prg);
    return rc;
}

struct times {
    double encoding, decoding;
    unsigned n;
};

static int one(struct preview *p, const struct preview_image *image, struct times *t,
               struct err *err)
{
    static struct preview_image back;
    uint8_t bytes[CLASS];
    double start = now(), middle;
    int rc = preview_encode(p, image, CLASS, bytes, err);

    middle = now();
    if (rc == ERR_OK)
        rc = preview_decode(p, bytes, CLASS, &back, err);
    t->encoding += middle - start;
    t->decoding += now() - middle;
    t->n++;
    return rc;
}

/* A picture, and where it is large squares out of it, evenly. */
static int pictures(struct preview *p, const char *path, struct times *t, struct err *err)
{
    struct preview_image image = {.width = PREVIEW_SIDE, .height = PREVIEW_SIDE};
    struct picture whole = {0};
    int rc = picture_read(&whole, path, 0, err);
    unsigned across = rc == ERR_OK ? whole.width / CUT : 0, down = whole.height / CUT;

    for (unsigned i = 0; i <= across * down && rc == ERR_OK; i++) {
        struct picture_part part = {0, 0, whole.width, whole.height};

        if (i > 0)
            part = (struct picture_part){(i - 1) % across * CUT, (i - 1) / across * CUT, CUT, CUT};
        picture_scale(&whole, &part, PREVIEW_SIDE, PREVIEW_SIDE, image.rgb);
        rc = one(p, &image, t, err);
    }
    picture_free(&whole);
    return rc;
}

/* Mean milliseconds; the first picture, for which is made what is made once, counts too. */
static int code(int argc, char **argv, double *ret, struct err *err)
{
    struct preview *p = NULL;
    struct times t = {0};
    int rc = preview_make_file(&p, argv[2], err);

    for (int i = 3; i < argc && rc == ERR_OK; i++)
        rc = pictures(p, argv[i], &t, err);
    preview_close(p);
    if (rc == ERR_OK)
        *ret = (argv[1][0] == 'd' ? t.decoding : t.encoding) * 1e3 / t.n;
    return rc;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    double figure = 0;
    int rc;

    if (argc == 3 && strcmp(argv[1], "train") == 0)
        rc = train(argv[2], &figure, &err);
    else if (argc > 3 && (strcmp(argv[1], "encode") == 0 || strcmp(argv[1], "decode") == 0))
        rc = code(argc, argv, &figure, &err);
    else
        rc = err_set(&err, ERR_INVALID, "see the source");
    if (rc == ERR_OK)
        printf("%.2f\n", figure);
    else
        (void)fprintf(stderr, "bench-preview: %s\n", err.msg);
    return rc == ERR_OK ? 0 : 1;
}
