/* SPDX-License-Identifier: Apache-2.0 */
/* The handle, progress, notices and cancelling.  Rules: satchel.h. */
#ifndef SATCHEL_BASE_H
#define SATCHEL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct uv_loop_s; /* uv_loop_t of <uv.h> */

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SATCHEL_MAX_OPS = 32,    /* unfinished operations of a handle */
    SATCHEL_ID_SIZE = 33,    /* transfer ID: 32 hex digits */
    SATCHEL_UID_SIZE = 48,   /* user ID as text: "sat1..." */
    SATCHEL_NAME_SIZE = 64,  /* usernames and contacts' names: at most 63 bytes */
    SATCHEL_FILE_SIZE = 256, /* file names: at most 255 bytes */
    SATCHEL_PIN_SIZE = 44,   /* pin: 43 characters of base64url */
    SATCHEL_PATH_SIZE = 4096,
};

struct satchel;    /* a handle: a profile on a loop */
struct satchel_op; /* an operation; valid until its `done` has returned */

/* Something worth telling that is not an error. */
enum satchel_notice_kind {
    SATCHEL_NOTICE_PINNED = 1,     /* a user seen for the first time: keys pinned, not verified */
    SATCHEL_NOTICE_SUCCESSION = 2, /* a user replaced the identity key by recovery: verify again */
    SATCHEL_NOTICE_LAPSED = 3,     /* a recipient's newest encryption key is past its end */
    SATCHEL_NOTICE_ROTATED = 4,    /* a new encryption key of ours was published */
    SATCHEL_NOTICE_CLOCK = 5,      /* our clock and the server's differ by more than 5 min */
    SATCHEL_NOTICE_KEY_FAILED =
        6,                    /* a new key could not be published; the next login tries again */
    SATCHEL_NOTICE_RETRY = 7, /* the connection was lost: it is tried again, how soon is said */
    SATCHEL_NOTICE_KEPT = 8,  /* how much of an earlier attempt was kept */
    /* Something in a folder does not travel; or contacts do not fit into the copy for a recovery.
     */
    SATCHEL_NOTICE_LEFT_OUT = 9,
    SATCHEL_NOTICE_PIN = 10,     /* the server has the key that it had announced: it is pinned */
    SATCHEL_NOTICE_RENAMED = 11, /* a sender's name was no good here: another one was taken */
    SATCHEL_NOTICE_LOST = 12,    /* a contact or a group of the account record did not come back */
    /* A second factor of ours was enrolled elsewhere (at each login of its first 7 days), or
     * removed.
     */
    SATCHEL_NOTICE_FACTOR = 13,
    /* The server calls a contact that comes back otherwise than the account record does. */
    SATCHEL_NOTICE_USERNAME = 14,
};

struct satchel_notice {
    enum satchel_notice_kind kind;
    const char *who;     /* name of the user concerned, or "" */
    const char *message; /* for people */
};

/* A server whose key is neither pinned nor certified; answer with satchel_pin_answer(). */
struct satchel_pin_question {
    const char *server; /* as configured, "host:port" */
    const char *pin;    /* SATCHEL_PIN_SIZE text */
};

/* Where a profile lives.  NULL or "" take the defaults described at each. */
struct satchel_place {
    const char *home;    /* $SATCHEL_HOME, $XDG_DATA_HOME/satchel, ~/.local/share/satchel */
    const char *profile; /* $SATCHEL_PROFILE, "default" */
};

struct satchel_options {
    struct satchel_place place;
    unsigned connect_timeout; /* ms for connecting, TLS and login; 0: 15,000 */
    unsigned request_timeout; /* ms without anything from the server; 0: 60,000 */
    /*
     * A send or get whose connection is lost in the middle, or whose server restarts or is too
     * busy, goes on by itself: for so many ms without a step forward; 0: 300,000.
     */
    unsigned retry_time;
    void *cookie; /* for the callbacks below; each may be NULL */
    void (*on_notice)(void *cookie, const struct satchel_notice *n);
    /* The connection waits; without this callback such a server is refused (SATCHEL_E_PIN). */
    void (*on_pin)(void *cookie, const struct satchel_pin_question *q);
};

/*
 * Make a handle on ${loop}; nothing is read or connected yet.  A NULL ${loop}
 * makes a private one that only the satchel_sync_*() functions run.  Strings
 * are copied.  SATCHEL_E_INVALID: a profile's name is 1 to 32 of [a-z0-9._-],
 * not "." or ".."; no home folder can be found.
 */
SATCHEL_API int satchel_new(struct satchel **ret, struct uv_loop_s *loop,
                            const struct satchel_options *options, struct satchel_error *err);

/*
 * End: operations are cancelled (their `done` runs), the connection closes,
 * secrets are wiped, then ${closed} (may be NULL) is called and the handle is
 * gone.  Legal once, also inside callbacks.  NULL is fine.  With a private
 * loop it returns when all that is done.
 */
SATCHEL_API void satchel_close(struct satchel *s, void (*closed)(void *cookie), void *cookie);

/* End an operation soon: `done` with SATCHEL_E_CANCELED unless it was through already. */
SATCHEL_API void satchel_cancel(struct satchel_op *op);

/* Answer the pin question of ${s}, once, inside on_pin or later; accepting pins the key. */
SATCHEL_API void satchel_pin_answer(struct satchel *s, bool accept);

enum satchel_phase {
    SATCHEL_PHASE_CONNECT = 0,  /* connecting, logging in */
    SATCHEL_PHASE_PREPARE = 1,  /* looking up recipients, opening the transfer, checking it */
    SATCHEL_PHASE_TRANSFER = 2, /* pieces on their way */
    SATCHEL_PHASE_FINISH = 3,   /* sealing; or making the file durable */
};

struct satchel_progress {
    enum satchel_phase phase;
    uint64_t done, total; /* bytes of the file, in SATCHEL_PHASE_TRANSFER */
    uint64_t pieces_kept; /* pieces an earlier attempt left, not moved again */
    const char *id;       /* transfer ID, "" until known */
};

/*
 * Called at each new phase, then at most every 50 ms, and at the end of each phase.  Phases go
 * forward, but for SATCHEL_PHASE_CONNECT when the connection was lost; so do bytes.
 */
typedef void satchel_progress_cb(void *cookie, const struct satchel_progress *p);

/* The phase's name for programs: "connect", "prepare", "transfer", "finish". */
SATCHEL_API const char *satchel_phase_name(enum satchel_phase phase);

/* How an operation without a result ended; ${err} is NULL on success. */
typedef void satchel_done_cb(void *cookie, const struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_BASE_H */
