/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/preview.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto/fernet.h"

int preview_seal(struct metadata *m, const struct secret *mek, const struct tid *tid, uint64_t now,
                 struct part latent, struct err *err)
{
    struct secret key = {0};
    struct buf token = {0};
    int rc;

    if (latent.len == 0 || latent.len > PREVIEW_LATENT_MAX)
        return err_set(err, ERR_INVALID, "a preview of %zu bytes", latent.len);
    rc = metadata_preview_key(mek, tid, &key, err);
    if (rc == ERR_OK) {
        rc = fernet_seal(part_secret(&key), now, NULL, latent, &token);
        if (rc != ERR_OK)
            (void)err_set(err, rc, "cannot seal the preview");
    }
    secret_free(&key);
    if (rc != ERR_OK) {
        buf_free(&token);
        return rc;
    }
    free(m->preview); /* ciphertext */
    m->preview = token.data;
    m->preview_len = token.len;
    return ERR_OK;
}

int preview_open(const struct metadata *m, const struct secret *mek, const struct tid *tid,
                 uint8_t out[PREVIEW_LATENT_MAX], size_t *ret_len, struct err *err)
{
    uint8_t plain[METADATA_PREVIEW_MAX];
    struct fernet_opened got = {0};
    struct secret key = {0};
    int rc;

    if (m->preview_len == 0)
        return err_set(err, ERR_NOTFOUND, "there is no preview");
    if (m->preview_len > sizeof(plain))
        return err_set(err, ERR_INTEGRITY, "the preview is too long");
    rc = metadata_preview_key(mek, tid, &key, err);
    if (rc != ERR_OK)
        return rc;
    rc = fernet_open(part_secret(&key), &(struct fernet_age){0}, part(m->preview, m->preview_len),
                     plain, &got);
    if (rc == ERR_OK && (got.len == 0 || got.len > PREVIEW_LATENT_MAX))
        rc = ERR_INTEGRITY;
    if (rc == ERR_OK) {
        memcpy(out, plain, got.len);
        *ret_len = got.len;
    } else {
        (void)err_set(err, rc, "the preview does not open");
    }
    secret_wipe(plain, sizeof(plain));
    secret_free(&key);
    return rc;
}
