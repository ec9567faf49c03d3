/* SPDX-License-Identifier: Apache-2.0 */
/* Events as they happen.  Rules: satchel.h. */
#ifndef SATCHEL_WATCH_H
#define SATCHEL_WATCH_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum satchel_event_kind {
    SATCHEL_EVENT_STORED = 1,   /* ours can be opened now */
    SATCHEL_EVENT_ARRIVED = 2,  /* somebody sent us something */
    SATCHEL_EVENT_RELEASED = 3, /* a recipient's device was given the key of ours */
    SATCHEL_EVENT_RECEIVED = 4, /* a recipient of ours sent a receipt */
    SATCHEL_EVENT_EXPIRED = 5,
    SATCHEL_EVENT_REVOKED = 6,
    SATCHEL_EVENT_DELETED = 7,  /* a recipient of ours deleted it */
    SATCHEL_EVENT_EXTENDED = 8, /* one that we can open has another end */
    SATCHEL_EVENT_FACTOR = 9, /* wrong one-time passwords came for our account; id means nothing */
    SATCHEL_EVENT_FACTOR_ENROLLED = 10, /* a second factor of ours; id is the device that did it */
    SATCHEL_EVENT_FACTOR_REMOVED = 11,
};

/* "stored", "arrived", ...; "" for a kind that this version does not know. */
SATCHEL_API const char *satchel_event_name(enum satchel_event_kind kind);

/* Is it about the account, not about a transfer? */
SATCHEL_API bool satchel_event_of_account(enum satchel_event_kind kind);

/* Whose transfer it is.  Unknown: it ended before it was seen, or cannot be checked. */
enum satchel_side { SATCHEL_SIDE_UNKNOWN = 0, SATCHEL_SIDE_OURS = 1, SATCHEL_SIDE_THEIRS = 2 };

struct satchel_event {
    uint64_t number; /* rises, for each profile's user */
    uint64_t time;
    enum satchel_event_kind kind;
    char id[SATCHEL_ID_SIZE];      /* of the transfer, or what its kind says */
    char who_id[SATCHEL_UID_SIZE]; /* the other one: the sender, or the recipient it is about */
    char who[SATCHEL_NAME_SIZE];   /* what we call him; "" unknown */
    enum satchel_side side;
    /* Of the file, as its sender gave it; "" it is not known, or who_id is not who sent it. */
    char name[SATCHEL_FILE_SIZE];
};

struct satchel_watch_options {
    void *cookie;
    void (*on_ready)(void *cookie); /* connected and subscribed; may be NULL */
    void (*on_event)(void *cookie, const struct satchel_event *e);
    satchel_done_cb *done;
};

/*
 * Tell events until it is cancelled or the connection is lost: then `done` says
 * why, and starting again goes on behind the last one told.  The profile
 * remembers that one, durably, after on_event() has returned; an event is told
 * again only when the machine fails in between.  The first watch of a profile
 * begins with what is to come.  One at a time for a handle: SATCHEL_E_BADSTATE.
 */
SATCHEL_API int satchel_watch_start(struct satchel *s, const struct satchel_watch_options *o,
                                    struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_WATCH_H */
