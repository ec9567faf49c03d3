/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_fix - two streams over a socket pair, or one stream and a free end for
 * a peer that misbehaves; what happens to each is counted.
 */
#ifndef TESTS_UNIT_STREAM_FIX_H
#define TESTS_UNIT_STREAM_FIX_H

#include "common/net/stream.h"
#include "net_pair.h"

enum event { READY, FRAME, DRAIN, RELEASE, FAULT, EVENTS };
enum act { NOTHING, DROP, CLOSE, PAUSE, ANSWER };

/* One stream and what has happened to it. */
struct side {
    struct stream *s; /* NULL when closed */
    enum act on[EVENTS];
    unsigned seen[EVENTS], closed, late;
    unsigned to_send, sent, released;
    size_t tail_len, head_len, bytes, queued_max;
    bool close_when_sent, clean;
    struct err why;
};

struct fix {
    uv_loop_t loop;
    struct net_loop *net;
    struct stream_limits limits;
    struct side server, client;
    int spy;  /* a second descriptor of the server's end */
    int peer; /* the descriptor of the other */
};

/* For both sides, made by fix_setup(); what every frame is filled with. */
extern struct net_keys fix_keys;
extern uint8_t fix_filler[FRAME_TAIL_MAX];

/* Of a group of tests. */
int fix_setup(void **state);
int fix_teardown(void **state);

/* A loop without streams; the limits may be changed before they are opened. */
void fix_open(struct fix *fix);

/* Options of a stream whose events are counted in ${side}. */
struct stream_opts fix_opts(struct fix *fix, struct side *side);

/* The server on one end of a socket pair; gives the other end. */
int fix_server(struct fix *fix);

/* The client on ${fd}; ${verify} NULL means the right pin. */
void fix_client(struct fix *fix, int fd, const struct tls_verify *verify);

/* Server and client on the two ends. */
void fix_both(struct fix *fix);

/* Let the loop do what can be done now. */
void fix_turn(struct fix *fix);

/* Run until everything is closed; nothing may be left behind. */
void fix_close(struct fix *fix);

/* It was closed once, with this code. */
void fix_end(const struct side *side, int code);

/* A frame of the side's lengths; send what is left to send until the queue is full. */
struct frame_out fix_frame(struct side *side);
void fix_send_some(struct side *side);

#endif /* TESTS_UNIT_STREAM_FIX_H */
