/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_cert.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/net/addr.h"

enum {
    CN_MAX = 64, /* RFC 5280 appendix A.1, ub-common-name */
    SERIAL_BYTES = 16,
    DAYS = 3652,
    SECONDS_A_DAY = 24 * 60 * 60
};

struct ext_row {
    int nid;
    const char *value;
};

static const struct ext_row ext_rows[] = {
    {NID_basic_constraints, "critical,CA:FALSE"},
    {NID_key_usage, "critical,digitalSignature"},
    {NID_ext_key_usage, "serverAuth"},
    {NID_subject_key_identifier, "hash"},
};

/* One name for the list, as address when it is one. */
static GENERAL_NAME *general_name(const char *text, struct err *err)
{
    struct addr a = {0};
    GENERAL_NAME *name = NULL;
    ASN1_STRING *value = NULL;

    /* addr_parse() would also take a port, which no host contains. */
    if (addr_parse(&a, text, err) != ERR_OK || strcmp(a.host, text) != 0) {
        (void)err_set(err, ERR_INVALID, "'%.253s' is neither a host name nor an address", text);
        return NULL;
    }
    name = GENERAL_NAME_new();
    if (a.literal) {
        value = a2i_IPADDRESS(a.host);
    } else {
        value = ASN1_IA5STRING_new();
        if (value != NULL && ASN1_STRING_set(value, a.host, -1) != 1) {
            ASN1_STRING_free(value);
            value = NULL;
        }
    }
    if (name == NULL || value == NULL) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        (void)err_set(err, ERR_INVALID, "'%.253s' does not fit a certificate", text);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, a.literal ? GEN_IPADD : GEN_DNS, value);
    return name;
}

static int add_names(X509 *cert, const char *const *names, size_t n, struct err *err)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    int rc = ERR_OK;

    if (list == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n && rc == ERR_OK; i++) {
        GENERAL_NAME *name = general_name(names[i], err);

        if (name == NULL) {
            rc = ERR_INVALID;
        } else if (sk_GENERAL_NAME_push(list, name) <= 0) {
            GENERAL_NAME_free(name);
            rc = err_set(err, ERR_NOMEM, "out of memory");
        }
    }
    if (rc == ERR_OK && X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, 0) != 1)
        rc = err_set(err, ERR_TLS, "cannot write the certificate's names");
    GENERAL_NAMES_free(list);
    return rc;
}

/* Positive and unpredictable (RFC 5280 section 4.1.2.2). */
static bool set_serial(X509 *cert)
{
    unsigned char raw[SERIAL_BYTES];
    BIGNUM *bn = NULL;
    bool ok = false;

    if (RAND_bytes(raw, sizeof(raw)) != 1)
        return false;
    raw[0] = (unsigned char)((raw[0] & 0x7f) | 0x40);
    bn = BN_bin2bn(raw, sizeof(raw), NULL);
    ok = bn != NULL && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL;
    BN_free(bn);
    return ok;
}

static bool set_fields(X509 *cert, const char *cn, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(cert);
    X509V3_CTX v3;

    /* A day of grace for clocks that are behind. */
    if (X509_set_version(cert, X509_VERSION_3) != 1 || !set_serial(cert) ||
        X509_gmtime_adj(X509_getm_notBefore(cert), -SECONDS_A_DAY) == NULL ||
        X509_time_adj_ex(X509_getm_notAfter(cert), DAYS, 0, NULL) == NULL ||
        X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)cn,
                                   -1, -1, 0) != 1 ||
        X509_set_issuer_name(cert, name) != 1 || X509_set_pubkey(cert, key) != 1)
        return false;
    X509V3_set_ctx(&v3, cert, cert, NULL, NULL, 0);
    for (size_t i = 0; i < sizeof(ext_rows) / sizeof(ext_rows[0]); i++) {
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &v3, ext_rows[i].nid, ext_rows[i].value);
        bool ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;

        X509_EXTENSION_free(ext);
        if (!ok)
            return false;
    }
    return true;
}

static int write_pem(X509 *cert, EVP_PKEY *key, struct secret *ret_key, struct buf *ret_cert,
                     struct err *err)
{
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_secmem());
    struct secret secret = {0};
    struct buf pem = {0};
    char *data = NULL;
    long len = 0;
    int rc = ERR_NOMEM;

    if (cert_bio == NULL || key_bio == NULL || PEM_write_bio_X509(cert_bio, cert) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        rc = err_set(err, ERR_NOMEM, "cannot write the certificate");
        goto out;
    }
    len = BIO_get_mem_data(key_bio, &data);
    rc = secret_copy(&secret, data, (size_t)len, err);
    if (rc != ERR_OK)
        goto out;
    len = BIO_get_mem_data(cert_bio, &data);
    buf_put(&pem, data, (size_t)len);
    rc = buf_check(&pem, err);
    if (rc != ERR_OK)
        goto out;
    secret_move(ret_key, &secret);
    buf_free(ret_cert);
    *ret_cert = pem;
    pem = (struct buf){0};
out:
    buf_free(&pem);
    secret_free(&secret);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    return rc;
}

int tls_cert_make(const char *cn, const char *const *names, size_t n, struct secret *ret_key,
                  struct buf *ret_cert, struct err *err)
{
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    int rc = ERR_OK;

    if (cn[0] == '\0' || strlen(cn) > CN_MAX || n == 0)
        return err_set(err, ERR_INVALID, "a certificate needs a name of 1 to %d characters",
                       CN_MAX);
    if (!secret_setup()) /* before the key exists: OpenSSL keeps it in the same heap */
        return err_set(err, ERR_NOMEM, "no memory that is kept out of dumps, for a key");
    cert = X509_new();
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (cert == NULL || key == NULL || !set_fields(cert, cn, key)) {
        rc = err_set(err, ERR_TLS, "cannot make a certificate");
        goto out;
    }
    rc = add_names(cert, names, n, err);
    if (rc != ERR_OK)
        goto out;
    if (X509_sign(cert, key, NULL) == 0) { /* Ed25519 has its digest built in */
        rc = err_set(err, ERR_TLS, "cannot sign the certificate");
        goto out;
    }
    rc = write_pem(cert, key, ret_key, ret_cert, err);
out:
    ERR_clear_error();
    EVP_PKEY_free(key);
    X509_free(cert);
    return rc;
}
