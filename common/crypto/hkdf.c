/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/hkdf.h"

#include <string.h>

#include "common/crypto/mac.h"

int hkdf_extract(enum hash_id id, uint8_t *ret_prk, struct part salt, struct part ikm)
{
    /* HMAC pads its key with zeros, so an absent salt needs no zero bytes of its own. */
    return mac_parts(id, ret_prk, salt, &ikm, 1);
}

/* Section 2.3.  OpenSSL's own takes twice as long for the one block that nearly all ask for. */
int hkdf_expand(enum hash_id id, struct part prk, struct part info, uint8_t *out, size_t len)
{
    size_t block = hash_len(id), before = 0;
    uint8_t t[HASH_MAX_LEN], number = 0;
    int rc = ERR_OK;

    if (len == 0 || len > 255 * block || info.len > HKDF_INFO_MAX)
        return ERR_INVALID;
    for (size_t done = 0, n; rc == ERR_OK && done < len; done += n) {
        number++;
        rc = mac_parts(id, t, prk, PARTS({t, before}, info, {&number, 1}));
        before = block;
        n = len - done < block ? len - done : block;
        if (rc == ERR_OK)
            memcpy(out + done, t, n);
    }
    if (rc != ERR_OK)
        secret_wipe(out, len);
    secret_wipe(t, sizeof(t));
    return rc;
}

int hkdf_full(enum hash_id id, const struct hkdf_input *in, uint8_t *out, size_t len)
{
    uint8_t prk[HASH_MAX_LEN];
    int rc = hkdf_extract(id, prk, in->salt, in->ikm);

    if (rc == ERR_OK)
        rc = hkdf_expand(id, part(prk, hash_len(id)), in->info, out, len);
    secret_wipe(prk, sizeof(prk));
    return rc;
}
