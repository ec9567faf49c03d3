/* SPDX-License-Identifier: Apache-2.0 */
#include "net_pair.h"

#include "common/net/tls_cert.h"
#include "common/net/tls_ctx.h"

int net_keys_make(struct net_keys *k)
{
    static const char *const names[] = {"127.0.0.1", "::1", "localhost"};
    int rc;

    *k = (struct net_keys){0};
    rc = tls_cert_make("satchel test", names, 3, &k->key, &k->cert, NULL);
    if (rc == ERR_OK)
        rc = tls_ctx_server(&k->server, k->cert.data, k->cert.len, &k->key, NULL);
    if (rc == ERR_OK)
        rc = tls_ctx_client(&k->client, NULL);
    if (rc == ERR_OK)
        rc = pin_of_pem(&k->pin, k->cert.data, k->cert.len, NULL);
    return rc;
}

void net_keys_free(struct net_keys *k)
{
    SSL_CTX_free(k->server);
    SSL_CTX_free(k->client);
    buf_free(&k->cert);
    secret_free(&k->key);
}

int pair_open_ctx(struct pair *p, SSL_CTX *server, SSL_CTX *client, const struct tls_verify *verify)
{
    int rc;

    *p = (struct pair){0};
    rc = tls_engine_server(&p->server.engine, server, NULL);
    if (rc == ERR_OK)
        rc = tls_engine_client(&p->client.engine, client, verify, NULL);
    return rc;
}

int pair_open(struct pair *p, const struct net_keys *k, const struct tls_verify *verify)
{
    struct tls_verify pinned = {.mode = TLS_VERIFY_PIN, .pin = k->pin};

    return pair_open_ctx(p, k->server, k->client, verify != NULL ? verify : &pinned);
}

static void end_close(struct pair_end *end)
{
    tls_engine_free(end->engine);
    buf_free(&end->wire);
    buf_free(&end->plain);
}

void pair_close(struct pair *p)
{
    end_close(&p->server);
    end_close(&p->client);
}

void pair_collect(struct pair_end *from)
{
    struct buf out = {0};

    tls_engine_swap_out(from->engine, &out);
    buf_put(&from->wire, out.data, out.len);
    buf_free(&out);
}

static void note(struct pair_end *end, int rc, const struct err *err)
{
    if (rc != ERR_OK && rc != ERR_AGAIN && end->rc == ERR_OK) {
        end->rc = rc;
        end->err = *err;
    }
}

/* Everything that the bytes at hand allow. */
static void advance(struct pair_end *end)
{
    struct err err = {0};
    uint8_t plain[5000];
    size_t got = 0;
    int rc;

    if (!end->ready) {
        rc = tls_engine_handshake(end->engine, &err);
        note(end, rc, &err);
        end->ready = rc == ERR_OK;
    }
    if (end->ready) {
        while ((rc = tls_engine_read(end->engine, plain, sizeof(plain), &got, &err)) == ERR_OK)
            buf_put(&end->plain, plain, got);
        note(end, rc, &err);
    }
    pair_collect(end);
}

void pair_deliver(struct pair_end *to, const void *data, size_t len, size_t step)
{
    const uint8_t *at = data;

    while (len > 0 && to->rc == ERR_OK) {
        size_t n = len < step ? len : step;
        struct err err = {0};

        note(to, tls_engine_feed(to->engine, at, n, &err), &err);
        advance(to);
        at += n;
        len -= n;
    }
}

static bool carry(struct pair_end *from, struct pair_end *to, size_t step)
{
    struct buf wire = from->wire;

    from->wire = (struct buf){0};
    pair_deliver(to, wire.data, wire.len, step);
    buf_free(&wire);
    return wire.len > 0 || to->wire.len > 0;
}

void pair_run(struct pair *p, size_t step)
{
    bool moved = true;

    advance(&p->client);
    advance(&p->server);
    while (moved) {
        moved = p->client.wire.len > 0 || p->server.wire.len > 0;
        (void)carry(&p->client, &p->server, step);
        (void)carry(&p->server, &p->client, step);
    }
}

bool pair_shake(struct pair *p, size_t step)
{
    pair_run(p, step);
    return p->client.ready && p->server.ready;
}
