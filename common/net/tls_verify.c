/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_verify.h"

#include <netinet/in.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <uv.h>

/* 1: accepted, as OpenSSL wants it. */
static int judge_cert(X509_STORE_CTX *store, void *unused)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_judge *judge = SSL_get_app_data(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    bool ok = false;

    (void)unused;
    if (leaf == NULL || pin_of_cert(&judge->seen, leaf, NULL) != ERR_OK) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
        return 0;
    }
    judge->has_seen = true;
    if (judge->mode == TLS_VERIFY_CA)
        return X509_verify_cert(store) == 1;
    ok = judge->mode == TLS_VERIFY_COLLECT || pin_equal(&judge->wanted, &judge->seen) ||
         (judge->has_next && pin_equal(&judge->next, &judge->seen));
    X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return ok;
}

void tls_verify_ctx(SSL_CTX *ctx)
{
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, judge_cert, NULL);
}

static bool is_address(const char *host)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    return uv_ip4_addr(host, 0, &in) == 0 || uv_ip6_addr(host, 0, &in6) == 0;
}

/* RFC 6066 section 3: addresses do not go into SNI. */
static bool set_host(SSL *ssl, const struct tls_verify *verify)
{
    bool address = is_address(verify->host);

    if (!address && SSL_set_tlsext_host_name(ssl, verify->host) != 1)
        return false;
    if (verify->mode != TLS_VERIFY_CA)
        return true;
    if (address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), verify->host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, verify->host) == 1;
}

int tls_verify_attach(SSL *ssl, struct tls_judge *judge, const struct tls_verify *verify,
                      struct err *err)
{
    if (verify->mode == TLS_VERIFY_CA && (verify->host == NULL || verify->host[0] == '\0'))
        return err_set(err, ERR_INVALID, "a server cannot be verified without its name");
    if (verify->host != NULL && !set_host(ssl, verify)) {
        ERR_clear_error();
        return err_set(err, ERR_INVALID, "'%.253s' cannot be verified", verify->host);
    }
    *judge = (struct tls_judge){.mode = verify->mode,
                                .wanted = verify->pin,
                                .next = verify->next,
                                .has_next = verify->has_next};
    if (SSL_set_app_data(ssl, judge) != 1)
        return err_set(err, ERR_NOMEM, "out of memory");
    return ERR_OK;
}

int tls_verify_why(const SSL *ssl, const struct tls_judge *judge, struct err *err)
{
    long result = SSL_get_verify_result(ssl);
    char seen[PIN_CHARS + 1], wanted[PIN_CHARS + 1];

    if (!judge->has_seen || result == X509_V_OK)
        return ERR_OK;
    pin_encode(&judge->seen, seen);
    if (judge->mode == TLS_VERIFY_CA)
        return err_set(err, ERR_TLS, "the server's certificate is not trusted: %s (its pin is %s)",
                       X509_verify_cert_error_string(result), seen);
    pin_encode(&judge->wanted, wanted);
    (void)err_set(err, ERR_PIN, "the server's key has the pin %s, expected %s", seen, wanted);
    err_hint(err, "somebody may be between you and the server: ask its operator for the pin");
    return ERR_PIN;
}
