/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join - what two devices of a user say to each other before the new one is in the account, sealed
 * under a one-time code (proto/FORMATS.md section 22): its request, the opening of the code, the
 * answer.
 *
 * Whoever has the code can ask for the account: it is a secret for as long as the offer stands.
 * The answer is sealed to a key of the request as well, so that a code that is found later opens
 * nothing.  Who has the code and the server, too, still cannot choose the number that people
 * compare: it depends on a nonce that is opened only when the request is there.
 *
 * Errors: ERR_INVALID (not a message), ERR_INTEGRITY (made with another code, or damaged),
 * ERR_UNSUPPORTED (of another version), ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef CLIENT_LOCAL_JOIN_H
#define CLIENT_LOCAL_JOIN_H

#include "client/local/identity.h"
#include "client/local/join_code.h"
#include "common/net/pin.h"

enum {
    JOIN_VERSION = 2,            /* of all that is said here, and of OfferJoin and Join */
    JOIN_SALT_LEN = 32,          /* bytes */
    JOIN_CHECK_TEXT = 8,         /* "123 456" with its NUL */
    JOIN_REQUEST_MAX = 1024,     /* bytes, sealed */
    JOIN_ANSWER_MAX = 160 * 1024 /* bytes, sealed */
};

/* What a new device asks for. */
struct join_request {
    uint8_t device_key[IDS_KEY_LEN], box[IDS_KEY_LEN], key[IDS_KEY_LEN];
    bool has_pin;
    struct pin pin; /* of the server that it talks to, which nobody has vouched for */
    char name[IDENTITY_NAME_SIZE];
};

/* Where two devices meet, and what both of them know. */
struct join_meeting {
    const struct join_code *code;
    struct server_id server;
    struct part request;               /* as it was sent, sealed; empty: not yet */
    const struct join_request *joiner; /* what it says; NULL: not opened here */
};

/* Append the sealed request to ${out}; ${salt} is JOIN_SALT_LEN random bytes. */
MUST_CHECK int join_request_seal(const struct join_request *r, const struct join_meeting *m,
                                 const uint8_t *salt, struct buf *out, struct err *err);

/* What the request of ${m} says. */
MUST_CHECK int join_request_open(struct join_request *ret, const struct join_meeting *m,
                                 struct err *err);

/*
 * Append nonce and user of the code, for who has sent the request.  For a code this must be done
 * for one request only: whoever else has seen it can make another with the same number.
 */
MUST_CHECK int join_opening_seal(const struct join_meeting *m, struct buf *out, struct err *err);

/* Set them in ${code}, which is that of ${m}.  ERR_INTEGRITY: also if it was not made of them. */
MUST_CHECK int join_opening_open(struct join_code *code, const struct join_meeting *m,
                                 struct part sealed, struct err *err);

/* What it gets.  Free with join_answer_free(). */
struct join_answer {
    struct secret isk;
    char username[IDS_USERNAME_TEXT], email[IDS_EMAIL_TEXT];
    bool has_box;
    uint8_t recovery_box[IDS_KEY_LEN];
    struct hash32 manifest;
    struct secret account;         /* plaintext of an account record: backup.h */
    char name[IDENTITY_NAME_SIZE]; /* of the device that answers */
};
void join_answer_free(struct join_answer *a);

/* Append the answer, sealed to the key of m->joiner; ${ephemeral} is 32 hedged bytes. */
MUST_CHECK int join_answer_seal(const struct join_answer *a, const struct join_meeting *m,
                                const struct secret *ephemeral, struct buf *out, struct err *err);

/* With the private half of that key. */
MUST_CHECK int join_answer_open(struct join_answer *ret, const struct join_meeting *m,
                                const struct secret *key, struct part sealed, struct err *err);

/*
 * Six digits, "123 456", that follow from the code's nonce and user, which must be known, from the
 * server and the request: the new device shows them and the one that is there, too, so that people
 * see whether they mean the same machine.
 */
MUST_CHECK int join_check(const struct join_meeting *m, char ret_text[JOIN_CHECK_TEXT],
                          struct err *err);

#endif /* CLIENT_LOCAL_JOIN_H */
