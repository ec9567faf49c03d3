/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "common/fs.h"
#include "common/transfer/ids.h"

/* Lower-case hex as a JSON string; NULL: no memory. */
static json_t *hex(const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * len + 1);
    json_t *value;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }
    text[2 * len] = '\0';
    value = json_string(text);
    free(text);
    return value;
}

static json_t *hex_of(struct satchel_bytes b)
{
    return hex(b.data, b.len);
}

static json_t *hex_of_user(const char *user_id)
{
    struct uid uid;

    return ids_uid_from_text(user_id, &uid, NULL) == ERR_OK ? hex(uid.b, sizeof(uid.b)) : NULL;
}

json_t *proof_new(void)
{
    return json_pack("{s:s,s:[],s:[]}", "format", "satchel/1 log", "manifests", "events");
}

void proof_begin(json_t *proof, const struct satchel_proof *b)
{
    (void)json_object_set_new(proof, "server_key", hex_of(b->server_key));
    (void)json_object_set_new(proof, "header", hex_of(b->header));
    (void)json_object_set_new(proof, "signature", hex_of(b->signature));
    (void)json_object_set_new(
        proof, "head",
        json_pack("{s:o,s:o}", "body", hex_of(b->head), "signature", hex_of(b->head_signature)));
}

void proof_event(json_t *proof, const struct satchel_logged *e)
{
    (void)json_array_append_new(
        json_object_get(proof, "events"),
        json_pack("{s:I,s:I,s:I,s:o,s:o,s:o}", "number", (json_int_t)e->number, "time",
                  (json_int_t)e->time, "kind", (json_int_t)e->kind, "user_id",
                  hex_of_user(e->who_id), "data", hex_of(e->data), "hash", hex_of(e->hash)));
}

void proof_manifest(json_t *proof, const char *user_id, struct satchel_bytes manifest)
{
    (void)json_array_append_new(
        json_object_get(proof, "manifests"),
        json_pack("{s:o,s:o}", "user_id", hex_of_user(user_id), "manifest", hex_of(manifest)));
}

int proof_write(json_t *proof, const char *id, const char *path, struct satchel_error *err)
{
    char *text;
    struct err why = {0};
    int rc;

    (void)json_object_set_new(proof, "id", json_string(id));
    text = json_dumps(proof, JSON_INDENT(1));
    if (text == NULL)
        return cli_error(err, SATCHEL_E_NOMEM, "out of memory");
    rc = fs_replace(path, text, strlen(text), 0644, &why);
    free(text);
    return rc == ERR_OK ? SATCHEL_OK : cli_error(err, SATCHEL_E_IO, "%s", why.msg);
}
