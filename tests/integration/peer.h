/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - a client for tests: speaks satchel/1 over a blocking TLS socket, well
 * or badly as the test wants.  Nothing waits longer than PEER_WAIT_S.
 *
 * Threads: one at a time for each peer.
 */
#ifndef TESTS_INTEGRATION_PEER_H
#define TESTS_INTEGRATION_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include <proto/satchel.pb-c.h>

#include "common/buf.h"
#include "common/transfer/login.h"

enum { PEER_WAIT_S = 20 };

/* A frame that came. */
struct message {
    struct message *next;
    Satchel__Envelope *env;
    struct buf tail;
};

struct peer {
    int fd;
    SSL *ssl;
    void *link;             /* of connections of another kind */
    uint64_t id;            /* last one used */
    struct message *queued; /* came while another was waited for */
    /* From HelloReply. */
    struct server_id server;
    uint8_t nonce[LOGIN_NONCE_LEN];
    uint64_t time;
    Satchel__Limits limits;
};

/*
 * The connection itself, in peer_tls.c; a program that links other functions in their place has
 * peers of another kind.
 */

/* Connect to 127.0.0.1 and set up TLS; false: refused.  From another address: 127.0.0.${from}. */
extern uint8_t peer_from; /* 0: the system's choice */
bool peer_open(struct peer *p, uint16_t port);

/* Close the socket at once; one that is not open is fine. */
void peer_hang_up(struct peer *p);

/* Raw plaintext, for what is no frame.  False: the connection is gone. */
bool peer_write(struct peer *p, const void *data, size_t len);

/* Exactly ${len} bytes.  False: the connection has ended, or nothing came. */
bool peer_read(struct peer *p, void *to, size_t len);

/* The daemon has closed politely, or there never was a connection. */
bool peer_said_goodbye(const struct peer *p);

/* tls-exporter of the connection. */
bool peer_exporter(struct peer *p, uint8_t ret[LOGIN_EXPORTER_LEN]);

/* Hang up, and forget what came. */
void peer_close(struct peer *p);

/* A frame of any two parts. */
bool peer_frame(struct peer *p, const void *head, size_t head_len, const void *tail,
                size_t tail_len);

/* Send an envelope; an id of 0 in it becomes the next one.  Returns its id, 0: the connection is
 * gone. */
uint64_t peer_send(struct peer *p, Satchel__Envelope *env, const void *tail, size_t tail_len);

/* The next frame, or the next with this id; NULL: the connection ended, or nothing came. */
struct message *peer_next(struct peer *p);
struct message *peer_wait(struct peer *p, uint64_t id);
void message_free(struct message *m); /* NULL is fine */

/* Send and wait. */
struct message *peer_call(struct peer *p, Satchel__Envelope *env);

/* The code of an answer, CODE_NONE if it is no Error; frees ${m}.  NULL gives INTERNAL. */
Satchel__Code peer_code(struct message *m);

/* peer_call() and peer_code(). */
Satchel__Code peer_ask(struct peer *p, Satchel__Envelope *env);

/* True if the daemon closes the connection politely, and nothing but queued frames comes before. */
bool peer_ended(struct peer *p);

/* Hello; fills in what HelloReply says. */
Satchel__Code peer_hello(struct peer *p);

/* An envelope whose body is ${member}: PEER_ENV(env, PING, ping, &ping). */
#define PEER_ENV(name, CASE, member, value)                                                        \
    Satchel__Envelope name = SATCHEL__ENVELOPE__INIT;                                              \
    name.body_case = SATCHEL__ENVELOPE__BODY_##CASE;                                               \
    name.member = (value)

/* Bytes of an array as a field. */
#define PEER_BYTES(field, array)                                                                   \
    do {                                                                                           \
        (field).data = (uint8_t *)(uintptr_t)(array);                                              \
        (field).len = sizeof(array);                                                               \
    } while (0)

#endif /* TESTS_INTEGRATION_PEER_H */
