/* SPDX-License-Identifier: Apache-2.0 */
/* bench-preview SECONDS: pictures a second that the layers which repair previews are trained on. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "models/conv.h"
#include "models/preview_net.h"

enum { BATCH = 16 };

/* Of the processor, so that others on the machine do not count. */
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

int main(int argc, char **argv)
{
    const struct conv_spec spec = preview_repair_spec(BATCH, true);
    double limit = argc == 2 ? strtod(argv[1], NULL) : 5, start;
    struct conv *net = NULL;
    struct prg *prg = NULL;
    struct err err = {0};
    unsigned steps = 0;
    int rc = prg_new(&prg, "bench", NULL, 0, 0, &err);

    if (rc == ERR_OK)
        rc = conv_new(&net, &spec, &err);
    if (rc == ERR_OK) {
        conv_randomise(net, prg);
        for (size_t i = 0; i < (size_t)BATCH * 4 * PREVIEW_PIXELS; i++)
            conv_input(net)[i] = prg_between(prg, -0.5F, 0.5F);
        rc = step(net, &err);
    }
    start = now();
    while (rc == ERR_OK && now() - start < limit) {
        rc = step(net, &err);
        steps++;
    }
    if (rc == ERR_OK)
        printf("%.1f\n", steps * BATCH / (now() - start));
    else
        (void)fprintf(stderr, "bench-preview: %s\n", err.msg);
    conv_free(net);
    prg_free(prg);
    return rc == ERR_OK ? 0 : 1;
}
