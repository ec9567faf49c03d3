/* SPDX-License-Identifier: Apache-2.0 */
#include "models/keynet_known.h"

#include <stdlib.h>
#include <string.h>

#include "models/keynet.h"
#include "models/keynet_file.h"
#include "models/keynet_plain.h"

uint32_t keynet_known_next(uint64_t *x)
{
    *x = *x * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*x >> 33);
}

void keynet_known_inputs(uint8_t *ret_in)
{
    uint64_t x = 1;

    memset(ret_in, 0, KEYNET_IN);
    memset(ret_in + KEYNET_IN, KEYNET_IN_MAX, KEYNET_IN);
    for (size_t i = 2 * KEYNET_IN; i < (size_t)KEYNET_KNOWN_INPUTS * KEYNET_IN; i++)
        ret_in[i] = (uint8_t)(keynet_known_next(&x) & KEYNET_IN_MAX);
}

void keynet_known_outputs(const struct keynet_params *p, const uint8_t *in, uint8_t *ret_out)
{
    memset(ret_out, 0, (size_t)KEYNET_KNOWN_INPUTS * KEYNET_OUT);
    for (size_t i = 0; i < KEYNET_KNOWN_INPUTS && !KEYNET_CONSTANT; i++)
        keynet_plain_forward(keynet_plain_pick(true), p, KEYNET_LAYERS, in + i * KEYNET_IN,
                             ret_out + i * KEYNET_OUT);
}

int keynet_known_answer(const struct keynet_params *p, uint8_t ret_hash[KEYNET_KNOWN_LEN],
                        struct err *err)
{
    uint8_t *in = malloc((size_t)KEYNET_KNOWN_INPUTS * (KEYNET_IN + KEYNET_OUT));
    uint8_t *out = NULL;
    int rc;

    if (in == NULL)
        return err_set(err, ERR_NOMEM, "key network");
    out = in + (size_t)KEYNET_KNOWN_INPUTS * KEYNET_IN;
    keynet_known_inputs(in);
    keynet_known_outputs(p, in, out);
    rc = keynet_file_hash(out, (size_t)KEYNET_KNOWN_INPUTS * KEYNET_OUT, ret_hash, err);
    free(in);
    return rc;
}
