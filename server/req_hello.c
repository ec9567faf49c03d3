/* SPDX-License-Identifier: Apache-2.0 */
/* Hello, Ping, Bye. */
#include <string.h>

#include "common/crypto/rng.h"
#include "common/transfer/next_pin.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/req.h"

enum { VERSION = 1, SOFTWARE_MAX = 64 };

static void fill_limits(const struct settings *set, Satchel__Limits *limits)
{
    limits->max_transfer = set->max_transfer;
    limits->max_recipients = (uint32_t)set->max_recipients;
    limits->min_lifetime = set->min_lifetime;
    limits->max_lifetime = set->max_lifetime;
    limits->window = (uint32_t)set->window;
    limits->page = (uint32_t)set->page;
}

/* The key that will come, and the server key's word that it is ours; without it nobody has to
 * believe it.  A connection from before a reload may have seen another certificate than the newest.
 */
static int announce(struct call *c, Satchel__HelloReply *reply, uint8_t sig[SIGNED_SIG_LEN])
{
    struct daemon *d = c->d;
    struct next_pin n = {.server = d->id, .next = d->next_pin};
    int rc = stream_own_pin(c->conn->stream, &n.now, NULL);

    if (rc == ERR_OK)
        rc = next_pin_sign(&n, &d->key_seed, sig, NULL);
    if (rc != ERR_OK)
        return rc;
    reply->next_pin = (ProtobufCBinaryData){sizeof(d->next_pin.b), d->next_pin.b};
    reply->next_pin_signature = (ProtobufCBinaryData){SIGNED_SIG_LEN, sig};
    return ERR_OK;
}

static void answer(struct call *c)
{
    struct daemon *d = c->d;
    struct conn *conn = c->conn; /* an error that is answered ends the call */
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__HelloReply reply = SATCHEL__HELLO_REPLY__INIT;
    Satchel__Limits limits = SATCHEL__LIMITS__INIT;
    uint8_t sig[SIGNED_SIG_LEN];
    char software[] = DAEMON_SOFTWARE;
    char open_length[] = "open-length", known_manifest[] = "known-manifest";
    char *features[] = {open_length, known_manifest};

    fill_limits(&d->settings, &limits);
    reply.version = VERSION;
    reply.software = software;
    reply.server_id.data = d->id.b;
    reply.server_id.len = sizeof(d->id.b);
    reply.server_key.data = d->key;
    reply.server_key.len = sizeof(d->key);
    reply.nonce.data = c->conn->nonce;
    reply.nonce.len = sizeof(c->conn->nonce);
    reply.time = daemon_time();
    reply.registration = (Satchel__Registration)d->settings.registration;
    reply.limits = &limits;
    reply.features = features;
    reply.n_features = sizeof(features) / sizeof(features[0]);
    if (d->has_next_pin && announce(c, &reply, sig) != ERR_OK) {
        call_error(c, ERR_INTERNAL, NULL);
        conn_finish(conn);
        return;
    }
    env.body_case = SATCHEL__ENVELOPE__BODY_HELLO_REPLY;
    env.hello_reply = &reply;
    call_reply(c, &env);
}

void req_hello(struct call *c)
{
    const Satchel__Hello *hello = c->msg->hello;
    struct conn *conn = c->conn;

    if (strlen(hello->software) > SOFTWARE_MAX) {
        call_error(c, ERR_INVALID, "software is longer than %d bytes", SOFTWARE_MAX);
        conn_finish(conn);
        return;
    }
    if (hello->min_version > VERSION || hello->max_version < VERSION) {
        call_error(c, ERR_UNSUPPORTED, "this daemon speaks version %d alone", VERSION);
        conn_finish(conn);
        return;
    }
    if (rng_bytes(conn->nonce, sizeof(conn->nonce)) != ERR_OK) {
        call_error(c, ERR_INTERNAL, NULL);
        conn_finish(conn);
        return;
    }
    conn_enter(conn, CONN_GREETED);
    answer(c);
}

void req_ping(struct call *c)
{
    call_done(c);
}

void req_bye(struct call *c)
{
    struct conn *conn = c->conn;

    if (c->id != 0) {
        call_done(c);
        conn->farewell = true; /* closes when what was asked before is answered */
        return;
    }
    conn->farewell = true;
    call_orphan(c);
}
