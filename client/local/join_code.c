/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/join_code.h"

#include <string.h>

#include "common/crypto/base32.h"
#include "common/crypto/hash.h"
#include "common/crypto/kdf.h"

enum {
    SUM_LEN = 4, /* behind the secret, against typing errors */
    CODE_LEN = JOIN_SECRET_LEN + SUM_LEN,
    CODE_CHARS = 32, /* base32_len(CODE_LEN) */
    GROUP = 4
};

static const char none[] = "a code has eight groups of four letters and digits";

void join_code_free(struct join_code *c)
{
    secret_free(&c->secret);
    secret_free(&c->nonce);
}

static int sum_of(const struct secret *s, uint8_t ret[SUM_LEN])
{
    uint8_t h[HASH_SHA256_LEN];
    int rc = hash_lp(HASH_SHA256, h, PARTS(part_str(KDF_PREFIX "join code"), part_secret(s)));

    if (rc == ERR_OK)
        memcpy(ret, h, SUM_LEN);
    secret_wipe(h, sizeof(h));
    return rc;
}

/* The secret is a commitment to both: proto/FORMATS.md section 22. */
static int secret_of(const struct secret *nonce, const struct uid *uid,
                     uint8_t ret[JOIN_SECRET_LEN])
{
    uint8_t h[HASH_SHA256_LEN];
    int rc = nonce->len == JOIN_NONCE_LEN ? hash_lp(HASH_SHA256, h,
                                                    PARTS(part_str(KDF_PREFIX "join secret"),
                                                          part_secret(nonce), PART_OF(uid->b)))
                                          : ERR_INTERNAL;

    if (rc == ERR_OK)
        memcpy(ret, h, JOIN_SECRET_LEN);
    secret_wipe(h, sizeof(h));
    return rc;
}

/* What follows from the secret, which is moved. */
static int set_secret(struct join_code *c, struct secret *secret)
{
    uint8_t id[KDF_LEN];
    int rc = kdf_f(id, part_secret(secret), "join id", NULL, 0);

    if (rc == ERR_OK) {
        memcpy(c->id, id, JOIN_ID_LEN);
        secret_move(&c->secret, secret);
    }
    return rc;
}

int join_code_make(struct join_code *ret, struct secret *nonce, const struct uid *uid,
                   struct err *err)
{
    struct join_code c = {.uid = *uid};
    struct secret s = {0};
    int rc = secret_new(&s, JOIN_SECRET_LEN, NULL);

    if (rc == ERR_OK)
        rc = secret_of(nonce, uid, s.data);
    if (rc == ERR_OK)
        rc = set_secret(&c, &s);
    secret_free(&s);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot make a code");
    secret_move(&c.nonce, nonce);
    *ret = c;
    return ERR_OK;
}

int join_code_open(struct join_code *c, struct secret *nonce, const struct uid *uid,
                   struct err *err)
{
    uint8_t s[JOIN_SECRET_LEN] = {0};
    int rc = secret_of(nonce, uid, s);

    if (rc != ERR_OK)
        rc = err_set(err, rc, "cannot hold the other device's number against the code");
    else if (!secret_equal(s, c->secret.data, sizeof(s)))
        rc = err_set(err, ERR_INTEGRITY, "the code was not made by the device that answers");
    secret_wipe(s, sizeof(s));
    if (rc == ERR_OK) {
        secret_move(&c->nonce, nonce);
        c->uid = *uid;
    }
    return rc;
}

int join_code_show(const struct join_code *c, struct secret *ret_text, struct err *err)
{
    struct secret plain = {0}, text = {0};
    char digits[CODE_CHARS + 1];
    int rc = secret_new(&plain, CODE_LEN, err);

    if (rc == ERR_OK)
        rc = secret_new(&text, JOIN_CODE_TEXT, err);
    if (rc == ERR_OK) {
        memcpy(plain.data, c->secret.data, JOIN_SECRET_LEN);
        rc = sum_of(&c->secret, plain.data + JOIN_SECRET_LEN);
    }
    if (rc == ERR_OK) {
        char *to = (char *)text.data;

        base32_encode(digits, plain.data, CODE_LEN);
        for (size_t i = 0; i < CODE_CHARS; i++) {
            if (i > 0 && i % GROUP == 0)
                *to++ = '-';
            *to++ = digits[i];
        }
        secret_move(ret_text, &text);
    }
    secret_wipe(digits, sizeof(digits));
    secret_free(&plain);
    secret_free(&text);
    return rc;
}

/* The digits alone, in capitals; letters and numbers that look alike are told apart: base32 has no
 * 0, 1 and 8. */
static bool tidy(const char *text, char ret[CODE_CHARS + 1])
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        char c = *text;

        if (c == ' ' || c == '-' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (n == CODE_CHARS)
            return false;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        ret[n++] = c;
        if (c == '0')
            ret[n - 1] = 'O';
        else if (c == '1')
            ret[n - 1] = 'I';
        else if (c == '8')
            ret[n - 1] = 'B';
    }
    ret[n] = '\0';
    return n == CODE_CHARS;
}

/* The secret of a code, if its last digits fit. */
static int unpack(const char *digits, struct secret *ret, struct err *err)
{
    struct secret plain = {0}, s = {0};
    uint8_t sum[SUM_LEN] = {0};
    int rc = secret_new(&plain, CODE_LEN, err);

    if (rc == ERR_OK && !base32_decode(plain.data, CODE_LEN, digits))
        rc = err_set(err, ERR_INVALID, "%s", none);
    if (rc == ERR_OK)
        rc = secret_copy(&s, plain.data, JOIN_SECRET_LEN, err);
    if (rc == ERR_OK && sum_of(&s, sum) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "cannot check a code");
    if (rc == ERR_OK && !secret_equal(sum, plain.data + JOIN_SECRET_LEN, SUM_LEN))
        rc = err_set(err, ERR_INVALID, "the code was mistyped: its letters do not fit together");
    if (rc == ERR_OK)
        secret_move(ret, &s);
    secret_free(&plain);
    secret_free(&s);
    return rc;
}

int join_code_read(struct join_code *ret, const char *text, struct err *err)
{
    char digits[CODE_CHARS + 1];
    struct join_code c = {0};
    struct secret s = {0};
    int rc = tidy(text, digits) ? unpack(digits, &s, err) : err_set(err, ERR_INVALID, "%s", none);

    if (rc == ERR_OK && set_secret(&c, &s) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "cannot read a code");
    if (rc == ERR_OK)
        *ret = c;
    secret_wipe(digits, sizeof(digits));
    secret_free(&s);
    return rc;
}
