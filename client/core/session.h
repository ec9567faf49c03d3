/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - one connection to the server: greeting, then requests and their
 * answers, many at a time.
 *
 *     CONNECTING -> GREETING -> OPEN -> CLOSED
 *
 * Requests leave in the order asked, at most 64 unanswered (PROTOCOL.md
 * section 2) and of PutPiece at most the server's window; the others wait
 * here.  An answer that does not belong to a request, or is of another kind
 * than it, ends the connection with ERR_PROTO.  Nothing from the server for the time
 * given while something is asked: ERR_TIMEOUT.
 *
 * Promises: no callback from inside a call; on_closed comes exactly once and last,
 * after each open request was failed; the session is freed when it returns.
 *
 * Threads: the loop's own.  Never blocks.
 */
#ifndef CLIENT_CORE_SESSION_H
#define CLIENT_CORE_SESSION_H

#include "common/net/stream.h"
#include "common/transfer/ids.h"
#include "common/transfer/login.h"
#include "proto/satchel.pb-c.h"

enum { SESSION_SOFTWARE_SIZE = 65, SESSION_REQUESTS_MAX = 64, SESSION_WINDOW_MAX = 64 };

struct session;
struct request;

/* What the server said of itself; checked. */
struct session_hello {
    char software[SESSION_SOFTWARE_SIZE]; /* printable */
    struct server_id server;
    uint8_t server_key[IDS_KEY_LEN]; /* Ed25519, fits `server` */
    uint8_t nonce[LOGIN_NONCE_LEN];
    uint64_t time;
    int64_t clock_difference; /* ms its clock is ahead of ours */
    unsigned registration;    /* Satchel__Registration */
    uint64_t max_transfer, min_lifetime, max_lifetime;
    uint32_t max_recipients, window, page;
    struct pin next_pin;                        /* of the key that will replace the server's, */
    bool has_next_pin;                          /* if it announces one, */
    bool signed_next;                           /* and signs it: */
    uint8_t next_pin_signature[SIGNED_SIG_LEN]; /* not checked yet */
    /* Features. */
    bool open_length;    /* a transfer's length may be known at its end only */
    bool known_manifest; /* OpenTransfer may say whose manifest is known: then Lookup is spared */
};

struct session_opts {
    struct net_loop *net;
    SSL_CTX *ctx;
    const struct addr *to;           /* copied */
    const struct tls_verify *verify; /* copied */
    unsigned connect_ms;             /* for connecting, and again for TLS and the greeting */
    unsigned request_ms;
    void *cookie;
    /* TLS_VERIFY_COLLECT alone: nothing has been sent; the connection ends now with ERR_PIN. */
    void (*on_pin)(void *cookie, const struct pin *pin);
    void (*on_greeted)(void *cookie);
    void (*on_event)(void *cookie, const Satchel__Event *e); /* NULL: they are ignored */
    void (*on_closed)(void *cookie, const struct err *why);
};

/* Dial and greet; the events come later, never from inside.  As in a start: an error or events. */
MUST_CHECK int session_open(struct session **ret, const struct session_opts *opts, struct err *err);

/* Valid from on_greeted on. */
const struct session_hello *session_hello(const struct session *s);
/* The server's key in this connection; from on_greeted on. */
const struct pin *session_peer_pin(const struct session *s);
MUST_CHECK int session_binding(struct session *s, uint8_t ret[LOGIN_EXPORTER_LEN], struct err *err);

/* An answer, or why there will be none. */
struct answer {
    const struct err *err; /* NULL: it is an answer of the kind expected */
    Satchel__Envelope *e;  /* valid in the callback, which may take parts out of it */
    struct buf *tail;      /* may be taken */
    bool last;             /* no further answer to this request */
};
typedef void answer_cb(void *cookie, const struct answer *a);

struct ask {
    Satchel__Envelope *e; /* body set; serialised in the call */
    Satchel__Envelope__BodyCase expect;
    Satchel__Envelope__BodyCase more; /* answers that come before it, or 0 */
    /* As in struct frame_out. */
    const void *tail;
    size_t tail_len;
    void (*release)(void *arg);
    void *arg;
    answer_cb *cb; /* NULL: the answer does not matter */
    void *cookie;
};

/*
 * Ask.  ${ret} (may be NULL) is valid until the last answer.  If it fails
 * (ERR_BADSTATE, ERR_TOOLARGE, ERR_NOMEM), nothing is taken or called.
 */
MUST_CHECK int session_ask(struct session *s, const struct ask *a, struct request **ret,
                           struct err *err);

/* Do not call back for this request any more; it is not sent if it has not left. */
void session_forget(struct request *r);

/* False once its end has begun. */
bool session_alive(const struct session *s);

/* End: politely, after what waits has left; or at once, for a reason. */
void session_close(struct session *s);
void session_drop(struct session *s, const struct err *why);

#endif /* CLIENT_CORE_SESSION_H */
