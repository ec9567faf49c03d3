/* SPDX-License-Identifier: Apache-2.0 */
/* A picture's preview: its latent under a Fernet token, in the metadata (proto/FORMATS.md
 * section 8). */
#include <stdlib.h>

#include "client/local/preview_codec.h"
#include "client/op/send.h"
#include "common/transfer/preview.h"

_Static_assert((int)METADATA_WEIGHTS_LEN == (int)PREVIEW_ID_LEN, "the same names");

static bool read_all(struct send *s, uint8_t *to, size_t len)
{
    struct source_range range = {.to = to, .len = len};
    size_t got = 0;

    return source_read(s->source, &range, &s->stop, &got, NULL) == ERR_OK && got == len;
}

/* The latent of the file, if it is a picture. */
static bool make(struct send *s, size_t len, uint8_t latent[PREVIEW_CLASS],
                 uint8_t weights[PREVIEW_ID_LEN])
{
    uint8_t magic[PREVIEW_MAGIC_LEN], *file;
    bool made;

    if (!read_all(s, magic, sizeof(magic)) || !preview_wanted(magic, sizeof(magic)))
        return false;
    file = malloc(len);
    made = file != NULL && read_all(s, file, len) &&
           preview_of_picture(file, len, latent, weights, NULL) == ERR_OK;
    free(file);
    return made;
}

void send_preview(struct send *s, struct metadata *m)
{
    const struct source_facts *facts = source_facts(s->source);
    uint8_t latent[PREVIEW_CLASS];

    if (!facts->again || facts->kind != METADATA_FILE || facts->length < PREVIEW_MAGIC_LEN ||
        facts->length > PREVIEW_SOURCE_MAX ||
        !make(s, (size_t)facts->length, latent, m->preview_weights))
        return;
    m->weights_told = preview_seal(m, &s->mek, &s->header.tid, handle_now() / 1000, PART_OF(latent),
                                   NULL) == ERR_OK;
    if (!m->weights_told)
        m->preview = NULL;
}
