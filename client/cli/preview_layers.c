/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/preview_layers.h"

#include <time.h>

#include "client/cli/ui.h"
#include "common/crypto/fernet.h"
#include "common/crypto/gcm.h"
#include "common/crypto/rng.h"
#include "common/secret.h"
#include "models/preview.h"

enum { SHOWN = 12, TOKEN_MAX = 1024 };

struct layers {
    uint8_t fernet_key[FERNET_KEY_LEN], gcm_key[GCM_KEY_LEN], nonce[GCM_NONCE_LEN];
    struct buf token;
    uint8_t sealed[TOKEN_MAX + GCM_TAG_LEN], opened[TOKEN_MAX], latent[TOKEN_MAX];
};

/* Name, length, and the first bytes. */
static void row(const char *name, json_t *all, const uint8_t *data, size_t len)
{
    char hex[2 * SHOWN + 1] = "";

    for (size_t i = 0; i < SHOWN && i < len; i++) {
        hex[2 * i] = "0123456789abcdef"[data[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[data[i] & 15];
    }
    ui_line("%-33s %4zu bytes  %s...", name, len, hex);
    (void)json_array_append_new(
        all, json_pack("{s:s,s:I,s:s}", "step", name, "bytes", (json_int_t)len, "begin", hex));
}

static int seal(struct layers *l, struct part latent)
{
    int rc = rng_bytes(l->fernet_key, sizeof(l->fernet_key));

    if (rc == ERR_OK)
        rc = rng_bytes(l->gcm_key, sizeof(l->gcm_key));
    if (rc == ERR_OK)
        rc = rng_bytes(l->nonce, sizeof(l->nonce));
    if (rc == ERR_OK)
        rc = fernet_seal(part(l->fernet_key, sizeof(l->fernet_key)), (uint64_t)time(NULL), NULL,
                         latent, &l->token);
    if (rc == ERR_OK && l->token.len > TOKEN_MAX)
        rc = ERR_INVALID;
    if (rc == ERR_OK)
        rc = gcm_seal_once(l->gcm_key, l->nonce, part(NULL, 0), part(l->token.data, l->token.len),
                           l->sealed);
    return rc;
}

static int open_again(struct layers *l, struct part latent)
{
    struct fernet_opened got = {0};
    size_t len = l->token.len;
    int rc = gcm_open_once(l->gcm_key, l->nonce, part(NULL, 0), part(l->sealed, len + GCM_TAG_LEN),
                           l->opened);

    if (rc == ERR_OK)
        rc = fernet_open(part(l->fernet_key, sizeof(l->fernet_key)), &(struct fernet_age){0},
                         part(l->opened, len), l->latent, &got);
    if (rc == ERR_OK &&
        (got.len != latent.len || !secret_equal(l->latent, latent.data, latent.len) ||
         !secret_equal(l->opened, l->token.data, len)))
        rc = ERR_INTEGRITY;
    return rc;
}

int preview_layers(const uint8_t *latent, size_t len, struct err *err)
{
    struct layers l = {0};
    int rc = seal(&l, part(latent, len));

    if (rc == ERR_OK)
        rc = open_again(&l, part(latent, len));
    if (rc == ERR_OK) {
        json_t *rows = json_array();

        row("latent of the first picture", rows, latent, len);
        row("first encryption (Fernet)", rows, l.token.data, l.token.len);
        row("second encryption (AES-256-GCM)", rows, l.sealed, l.token.len + GCM_TAG_LEN);
        row("decryption of the second", rows, l.opened, l.token.len);
        row("decryption of the first", rows, l.latent, len);
        ui_event("layers", json_pack("{s:o}", "rows", rows));
    } else {
        (void)err_set(err, rc, "the two layers do not give back what went in");
    }
    buf_free(&l.token);
    secret_wipe(&l, sizeof(l));
    return rc;
}
