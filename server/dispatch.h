/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch - from a frame to the handler of its message.
 *
 * One row for each request; it says in which states the request is legal and
 * what it costs.  Threads: loop thread only.  Never blocks.
 */
#ifndef SERVER_DISPATCH_H
#define SERVER_DISPATCH_H

#include <proto/satchel.pb-c.h>

#include "common/net/frame.h"
#include "server/call.h"

enum dispatch_rate {
    DISPATCH_FREE,
    DISPATCH_USER,    /* a request of the user */
    DISPATCH_LOOKUP,  /* the same, and a look-up */
    DISPATCH_RELEASE, /* the same, and a release */
    DISPATCH_REGISTER /* a registration of the address */
};

struct dispatch_row {
    Satchel__Envelope__BodyCase body;
    const char *name;
    unsigned states; /* bits 1 << enum conn_state */
    enum dispatch_rate rate;
    call_step *start;
    unsigned most; /* at work at once in a connection, the others wait; 0: no limit */
    bool room;     /* begins only while the connection takes bytes: its answers are large */
    bool tail;     /* may have one */
    bool code;     /* may bring a one-time password: its bytes are wiped */
    bool alone;    /* later requests wait until it is answered */
    bool finish;   /* see call.h */
};

/* NULL: no request has this body. */
const struct dispatch_row *dispatch_find(Satchel__Envelope__BodyCase body);

/* A frame has come; takes its parts. */
void dispatch_frame(struct conn *conn, struct frame *frame);

#endif /* SERVER_DISPATCH_H */
