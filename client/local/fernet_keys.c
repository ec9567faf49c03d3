/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/fernet_keys.h"

#include <stdio.h>
#include <string.h>

#include "common/crypto/b64url.h"
#include "common/crypto/pbkdf2.h"
#include "common/crypto/rng.h"

#define FIRST_LINE "satchel fernet passphrase 1\n"
#define KDF_NAME   "pbkdf2-hmac-sha256 "

enum { SALT_TEXT = 22, SALT_FILE_MAX = 128 };

void fernet_keys_free(struct fernet_keys *k)
{
    secret_free(&k->bytes);
}

/* ---- a list of keys ---- */

/* Room for ${more} further keys; what is there stays. */
static int grow(struct fernet_keys *k, size_t more, struct err *err)
{
    struct secret bigger = {0};
    int rc;

    if (k->bytes.len / FERNET_KEY_LEN + more > FERNET_KEYS_MAX)
        return err_set(err, ERR_INVALID, "more than %d keys", FERNET_KEYS_MAX);
    rc = secret_new(&bigger, k->bytes.len + more * FERNET_KEY_LEN, err);
    if (rc != ERR_OK)
        return rc;
    if (k->bytes.len > 0)
        memcpy(bigger.data, k->bytes.data, k->bytes.len);
    secret_move(&k->bytes, &bigger);
    return ERR_OK;
}

/* Every line is a key; the last line end may be missing. */
static int add_lines(struct fernet_keys *k, struct part file, const char *name, struct err *err)
{
    enum { LINE = FERNET_KEY_TEXT + 1 };
    const char *text = file.data;
    size_t n = (file.len + 1) / LINE, had = k->bytes.len;
    int rc;

    if (file.len == 0 || (file.len + 1) % LINE > 1)
        return err_set(err, ERR_INVALID, "'%s' is no file of Fernet keys: %d characters a line",
                       name, FERNET_KEY_TEXT);
    rc = grow(k, n, err);
    for (size_t i = 0; rc == ERR_OK && i < n; i++) {
        const char *line = text + i * LINE;
        bool ended = (i + 1) * LINE > file.len || line[FERNET_KEY_TEXT] == '\n';

        rc = ended ? fernet_key_read(k->bytes.data + had + i * FERNET_KEY_LEN,
                                     part(line, FERNET_KEY_TEXT))
                   : ERR_INVALID;
        if (rc != ERR_OK)
            rc = err_set(err, rc, "line %zu of '%s' is no Fernet key", i + 1, name);
    }
    return rc;
}

/* ---- a passphrase ---- */

int fernet_keys_salt_file(struct buf *out, struct err *err)
{
    uint8_t salt[FERNET_KEYS_SALT_LEN];
    char text[SALT_TEXT + 1], file[SALT_FILE_MAX];
    int rc = rng_bytes(salt, sizeof(salt)), len;

    if (rc != ERR_OK)
        return err_set(err, rc, "cannot draw a salt");
    b64url_encode(text, salt, sizeof(salt));
    len = snprintf(file, sizeof(file), FIRST_LINE KDF_NAME "%d %s\n", FERNET_KEYS_ROUNDS, text);
    buf_put(out, file, (size_t)len);
    return buf_check(out, err);
}

/* The one text of these numbers is what must stand there. */
static bool parse_salt(struct part file, uint32_t *ret_rounds, uint8_t salt[SALT_TEXT])
{
    char text[SALT_FILE_MAX + 1], again[SALT_FILE_MAX + 1], salt_text[SALT_TEXT + 1];
    unsigned rounds = 0;
    size_t len = 0;

    if (file.len > SALT_FILE_MAX || memchr(file.data, '\0', file.len) != NULL)
        return false;
    memcpy(text, file.data, file.len);
    text[file.len] = '\0';
    if (sscanf(text, FIRST_LINE KDF_NAME "%9u %22s", &rounds, salt_text) != 2)
        return false;
    (void)snprintf(again, sizeof(again), FIRST_LINE KDF_NAME "%u %s\n", rounds, salt_text);
    if (strcmp(text, again) != 0 || rounds < FERNET_KEYS_ROUNDS || rounds > FERNET_KEYS_ROUNDS_MAX)
        return false;
    *ret_rounds = rounds;
    return b64url_decode(salt, &len, salt_text, strlen(salt_text)) == ERR_OK &&
           len == FERNET_KEYS_SALT_LEN;
}

static int add_passphrase(struct fernet_keys *k, const struct fernet_keys_file *file,
                          struct err *err)
{
    struct secret passphrase = {0};
    uint8_t salt[SALT_TEXT];
    uint32_t rounds = 0;
    size_t had = k->bytes.len;
    int rc;

    if (!parse_salt(file->bytes, &rounds, salt))
        return err_set(err, ERR_INVALID,
                       "'%s' is damaged, or has fewer than %d or more than %d rounds", file->name,
                       FERNET_KEYS_ROUNDS, FERNET_KEYS_ROUNDS_MAX);
    rc = file->ask(file->cookie, &passphrase, err);
    if (rc == ERR_OK)
        rc = grow(k, 1, err);
    if (rc == ERR_OK) {
        rc = pbkdf2_sha256(part_secret(&passphrase), part(salt, FERNET_KEYS_SALT_LEN), rounds,
                           k->bytes.data + had, FERNET_KEY_LEN);
        if (rc != ERR_OK)
            rc = err_set(err, rc, "cannot make a key from the passphrase");
    }
    secret_free(&passphrase);
    return rc;
}

int fernet_keys_add(struct fernet_keys *k, const struct fernet_keys_file *file, struct err *err)
{
    static const char begins[] = "satchel fernet passphrase ";
    const size_t len = sizeof(begins) - 1;
    const struct part *p = &file->bytes;

    if (p->len < len || memcmp(p->data, begins, len) != 0)
        return add_lines(k, *p, file->name, err);
    if (p->len <= len + 1 || memcmp((const char *)p->data + len, "1\n", 2) != 0)
        return err_set(err, ERR_UNSUPPORTED, "'%s' was written by a newer version", file->name);
    return add_passphrase(k, file, err);
}

int fernet_keys_new_file(struct secret *ret, struct err *err)
{
    struct secret key = {0}, text = {0};
    int rc = secret_new(&key, FERNET_KEY_LEN, err);

    if (rc == ERR_OK)
        rc = secret_new(&text, FERNET_KEY_TEXT + 1, err);
    if (rc == ERR_OK) {
        rc = rng_bytes(key.data, key.len);
        if (rc != ERR_OK)
            rc = err_set(err, rc, "cannot draw a key");
    }
    if (rc == ERR_OK) {
        fernet_key_write((char *)text.data, key.data);
        text.data[FERNET_KEY_TEXT] = '\n';
        secret_move(ret, &text);
    }
    secret_free(&text);
    secret_free(&key);
    return rc;
}
