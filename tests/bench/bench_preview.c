/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-preview - learned previews, in processor time, so that others on the machine do not count.
 *
 *   bench-preview train SECONDS      pictures a second that the layers which repair are trained on
 *   bench-preview encode WEIGHTS     milliseconds for a preview of 256 bytes
 *   bench-preview decode WEIGHTS     the same back
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "models/conv.h"
#include "models/preview.h"
#include "models/preview_net.h"
#include "tests/exact/sample_preview.h"

enum { BATCH = 16, PICTURES = 24, CLASS = 256 };

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int step(struct conv *net, struct err *err)
{
    int rc = conv_forward(net, err);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < conv_output_len(net); i++)
        conv_output_grad(net)[i] = conv_output(net)[i] * 2 / (float)conv_output_len(net);
    rc = conv_backward(net, err);
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
    int rc = prg_new(&prg, "bench", NULL, 0, 0, err);

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
    *ret = steps * BATCH / (now() - start);
    conv_free(net);
    prg_free(prg);
    return rc;
}

static int code(bool decode, const char *weights, double *ret, struct err *err)
{
    static struct preview_image image = {.width = 64, .height = 48}, back;
    uint8_t bytes[CLASS];
    struct preview *p = NULL;
    double encoding = 0, decoding = 0;
    int rc = preview_make_file(&p, weights, err);

    for (unsigned n = 0; n <= PICTURES && rc == ERR_OK; n++) {
        double start = now(), middle;

        sample_picture(n, image.rgb);
        rc = preview_encode(p, &image, CLASS, bytes, err);
        middle = now();
        if (rc == ERR_OK)
            rc = preview_decode(p, bytes, CLASS, &back, err);
        if (n > 0) { /* the first one makes what is made once */
            encoding += middle - start;
            decoding += now() - middle;
        }
    }
    preview_close(p);
    *ret = (decode ? decoding : encoding) * 1e3 / PICTURES;
    return rc;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    double figure = 0;
    int rc;

    if (argc == 3 && strcmp(argv[1], "train") == 0)
        rc = train(argv[2], &figure, &err);
    else if (argc == 3 && (strcmp(argv[1], "encode") == 0 || strcmp(argv[1], "decode") == 0))
        rc = code(argv[1][0] == 'd', argv[2], &figure, &err);
    else
        rc = err_set(&err, ERR_INVALID, "see the source");
    if (rc == ERR_OK)
        printf("%.2f\n", figure);
    else
        (void)fprintf(stderr, "bench-preview: %s\n", err.msg);
    return rc == ERR_OK ? 0 : 1;
}
