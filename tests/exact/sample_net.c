/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exact/sample_net.h"

#include <stdlib.h>
#include <string.h>

#include "models/keynet.h"
#include "models/keynet_file.h"
#include "models/keynet_known.h"

void sample_net(struct keynet_params *ret_p, uint64_t seed)
{
    uint64_t x = seed;

    memset(ret_p, 0, sizeof(*ret_p));
    ret_p->entropy = 7000;
    for (int l = 0; l < KEYNET_LAYERS; l++) {
        const struct keynet_shape *s = &keynet_shapes[l];
        int32_t centre = l + 1 == KEYNET_LAYERS ? 65280 : 0;

        ret_p->shift[l] = 9;
        for (size_t i = 0; i < (size_t)s->k * s->n; i++)
            ret_p->weights[s->weights + i] = (int8_t)((int32_t)(keynet_known_next(&x) % 127) - 63);
        for (size_t j = 0; j < s->n; j++)
            ret_p->bias[s->bias + j] = (int32_t)(keynet_known_next(&x) % 8192) - 4096 + centre;
    }
}

int sample_net_file(uint64_t seed, struct buf *out, struct err *err)
{
    struct keynet_params *p = malloc(sizeof(*p));
    int rc;

    if (p == NULL)
        return err_set(err, ERR_NOMEM, "sample network");
    sample_net(p, seed);
    rc = keynet_known_answer(p, p->known, err);
    if (rc == ERR_OK)
        rc = keynet_file_encode(p, out, err);
    free(p);
    return rc;
}

void sample_net_inputs(uint8_t *ret_in, size_t n, uint64_t seed)
{
    uint64_t x = seed;

    for (size_t i = 0; i < n * KEYNET_IN; i++)
        ret_in[i] = (uint8_t)(keynet_known_next(&x) & KEYNET_IN_MAX);
    if (n > 0)
        memset(ret_in, 0, KEYNET_IN);
    if (n > 1)
        memset(ret_in + KEYNET_IN, KEYNET_IN_MAX, KEYNET_IN);
}
