/* SPDX-License-Identifier: Apache-2.0 */
/* pin and tls_cert: fingerprints, and the certificate a daemon makes for itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/net/pin.h"
#include "common/net/tls_cert.h"

/* The certificate of RFC 8410 section 10.2: an X25519 key signed with Ed25519. */
static const char rfc8410[] = "-----BEGIN CERTIFICATE-----\n"
                              "MIIBLDCB36ADAgECAghWAUdKKo3DMDAFBgMrZXAwGTEXMBUGA1UEAwwOSUVURiBUZX\n"
                              "N0IERlbW8wHhcNMTYwODAxMTIxOTI0WhcNNDAxMjMxMjM1OTU5WjAZMRcwFQYDVQQD\n"
                              "DA5JRVRGIFRlc3QgRGVtbzAqMAUGAytlbgMhAIUg8AmJMKdUdIt93LQ+91oNvzoNJj\n"
                              "ga9OukqY6qm05qo0UwQzAPBgNVHRMBAf8EBTADAQEAMA4GA1UdDwEBAAQEAwIDCDAg\n"
                              "BgNVHQ4BAQAEFgQUmx9e7e0EM4Xk97xiPFl1uQvIuzswBQYDK2VwA0EAryMB/t3J5v\n"
                              "/BzKc9dNZIpDmAgs3babFOTQbs+BolzlDUwsPrdGxO3YNGhW7Ibz3OGhhlxXrCe1Cg\n"
                              "w1AH9efZBw==\n"
                              "-----END CERTIFICATE-----\n";

/* openssl x509 -noout -pubkey | openssl pkey -pubin -outform der | sha256, base64url */
static const char rfc8410_pin[] = "KRxSk-AwRSpZmFGnxymPPxbD_xvfr8tZiSfyYx-fpkE";

static void test_text_round_trip(void **state)
{
    struct pin pin, back;
    char text[PIN_CHARS + 1];

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        for (size_t k = 0; k < PIN_BYTES; k++)
            pin.b[k] = (uint8_t)(i * 31 + k * 7);
        pin_encode(&pin, text);
        assert_int_equal(strlen(text), PIN_CHARS);
        assert_int_equal(pin_decode(&back, text, NULL), ERR_OK);
        assert_true(pin_equal(&pin, &back));
    }
}

static void test_known_text(void **state)
{
    struct pin pin;
    char text[PIN_CHARS + 1];

    (void)state;
    memset(pin.b, 0xff, sizeof(pin.b));
    pin_encode(&pin, text);
    assert_string_equal(text, "__________________________________________8");
    memset(pin.b, 0, sizeof(pin.b));
    pin.b[0] = 0xfb;
    pin_encode(&pin, text);
    assert_string_equal(text, "-wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}

static void test_bad_text(void **state)
{
    static const char *const bad[] = {
        "",
        "__________________________________________",   /* 42 */
        "__________________________________________8_", /* 44 */
        "__________________________________________8=", /* padded */
        "__________________________________________9",  /* unused bits */
        "__________________________________________-",  /* unused bits */
        "+_________________________________________8",  /* base64, not base64url */
        " _________________________________________8",
        "\xc3\xa9________________________________________8",
    };
    struct pin pin, before;
    struct err err = {0};

    (void)state;
    memset(&pin, 0x5a, sizeof(pin));
    before = pin;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(pin_decode(&pin, bad[i], &err), ERR_INVALID);
        assert_true(err.msg[0] != '\0');
        assert_true(pin_equal(&pin, &before));
    }
}

static void test_pin_of_a_published_certificate(void **state)
{
    struct pin pin;
    char text[PIN_CHARS + 1];

    (void)state;
    assert_int_equal(pin_of_pem(&pin, rfc8410, sizeof(rfc8410) - 1, NULL), ERR_OK);
    pin_encode(&pin, text);
    assert_string_equal(text, rfc8410_pin);
    assert_int_equal(pin_of_pem(&pin, rfc8410, 100, NULL), ERR_INVALID);
    assert_int_equal(pin_of_pem(&pin, "", 0, NULL), ERR_INVALID);
}

static X509 *read_cert(const struct buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    return cert;
}

static void test_certificate_fields(void **state)
{
    static const char *const names[] = {"mail.example.org", "192.0.2.7", "2001:db8::7"};
    struct secret key = {0};
    struct buf pem = {0};
    X509 *cert = NULL;
    int days = 0, seconds = 0;

    (void)state;
    assert_int_equal(tls_cert_make("mail.example.org", names, 3, &key, &pem, NULL), ERR_OK);
    cert = read_cert(&pem);
    assert_non_null(cert);
    assert_int_equal(X509_get_version(cert), X509_VERSION_3);
    assert_int_equal(EVP_PKEY_get_id(X509_get0_pubkey(cert)), EVP_PKEY_ED25519);
    assert_int_equal(X509_verify(cert, X509_get0_pubkey(cert)), 1);
    assert_int_equal(X509_check_host(cert, names[0], 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(cert, "example.org", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(cert, names[1], 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, names[2], 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "192.0.2.8", 0), 0);
    assert_int_equal(X509_check_ca(cert), 0);
    assert_int_equal(X509_check_purpose(cert, X509_PURPOSE_SSL_SERVER, 0), 1);
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)), 1);
    assert_in_range(days, 3650, 3653);
    assert_true(key.len > 50 && memcmp(key.data, "-----BEGIN PRIVATE KEY-----", 27) == 0);
    X509_free(cert);
    buf_free(&pem);
    secret_free(&key);
}

static void test_certificates_differ(void **state)
{
    static const char *const names[] = {"localhost"};
    struct secret key = {0};
    struct buf pem = {0};
    struct pin a, b;

    (void)state;
    assert_int_equal(tls_cert_make("a", names, 1, &key, &pem, NULL), ERR_OK);
    assert_int_equal(pin_of_pem(&a, pem.data, pem.len, NULL), ERR_OK);
    assert_int_equal(tls_cert_make("a", names, 1, &key, &pem, NULL), ERR_OK);
    assert_int_equal(pin_of_pem(&b, pem.data, pem.len, NULL), ERR_OK);
    assert_false(pin_equal(&a, &b));
    buf_free(&pem);
    secret_free(&key);
}

static void test_bad_certificate_names(void **state)
{
    static const char *const bad[] = {"",        "a b",       "host:7743", "[::1]",
                                      "a,DNS:b", "256.1.1.1", "x\ny"};
    static const char *const good[] = {"localhost"};
    char long_cn[66] = {0};
    struct secret key = {0};
    struct buf pem = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(tls_cert_make("x", &bad[i], 1, &key, &pem, NULL), ERR_INVALID);
    memset(long_cn, 'x', sizeof(long_cn) - 1);
    assert_int_equal(tls_cert_make(long_cn, good, 1, &key, &pem, NULL), ERR_INVALID);
    assert_int_equal(tls_cert_make("", good, 1, &key, &pem, NULL), ERR_INVALID);
    assert_int_equal(tls_cert_make("x", good, 0, &key, &pem, NULL), ERR_INVALID);
    assert_null(key.data);
    assert_null(pem.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_known_text),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_pin_of_a_published_certificate),
        cmocka_unit_test(test_certificate_fields),
        cmocka_unit_test(test_certificates_differ),
        cmocka_unit_test(test_bad_certificate_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
