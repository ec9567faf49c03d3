/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/pin.h"

#include <limits.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void pin_encode(const struct pin *pin, char ret_text[PIN_CHARS + 1])
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t n = 0;

    for (size_t i = 0; i < PIN_BYTES; i++) {
        bits = bits << 8 | pin->b[i];
        for (held += 8; held >= 6; held -= 6)
            ret_text[n++] = alphabet[bits >> (held - 6) & 63];
    }
    /* 256 bits are 42 characters and 4 bits more. */
    ret_text[n++] = alphabet[bits << (6 - held) & 63];
    ret_text[n] = '\0';
}

int pin_decode(struct pin *ret, const char *text, struct err *err)
{
    struct pin pin = {{0}};
    uint32_t bits = 0;
    unsigned held = 0;
    size_t n = 0;

    if (strnlen(text, PIN_CHARS + 1) != PIN_CHARS)
        return err_set(err, ERR_INVALID, "'%.64s' is no pin: a pin has %d characters", text,
                       PIN_CHARS);
    for (size_t i = 0; i < PIN_CHARS; i++) {
        const char *at = strchr(alphabet, text[i]);

        if (at == NULL)
            return err_set(err, ERR_INVALID, "a pin is base64url: letters, digits, '-' and '_'");
        bits = bits << 6 | (uint32_t)(at - alphabet);
        held += 6;
        if (held >= 8) {
            held -= 8;
            pin.b[n++] = (uint8_t)(bits >> held);
        }
    }
    /* One pin, one text: the two bits that carry nothing must be zero. */
    if ((bits & ((1u << held) - 1)) != 0)
        return err_set(err, ERR_INVALID, "the last character of the pin is wrong");
    *ret = pin;
    return ERR_OK;
}

int pin_of_cert(struct pin *ret, X509 *cert, struct err *err)
{
    struct pin pin = {{0}};
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    int rc = ERR_OK;

    if (len <= 0 || EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)len, pin.b, NULL) != 1) {
        ERR_clear_error();
        rc = err_set(err, ERR_TLS, "cannot hash the certificate's public key");
    } else {
        *ret = pin;
    }
    OPENSSL_free(der);
    return rc;
}

int pin_of_pem(struct pin *ret, const void *pem, size_t len, struct err *err)
{
    BIO *bio = NULL;
    X509 *cert = NULL;
    int rc;

    if (len > INT_MAX)
        return err_set(err, ERR_INVALID, "the certificate is too long");
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (cert != NULL)
        rc = pin_of_cert(ret, cert, err);
    else
        rc = err_set(err, ERR_INVALID, "no certificate in PEM form");
    ERR_clear_error();
    X509_free(cert);
    BIO_free(bio);
    return rc;
}

bool pin_equal(const struct pin *a, const struct pin *b)
{
    return CRYPTO_memcmp(a->b, b->b, PIN_BYTES) == 0;
}
