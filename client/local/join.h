/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join - the one-time code by which a new device joins an account, and what is
 * sealed under it (proto/FORMATS.md section 22).
 *
 * Whoever has the code can ask for the account: it is a secret for as long as
 * the offer stands.  The answer is sealed to a key of the request as well, so
 * that a code that is found later opens nothing.
 *
 * Errors: ERR_INVALID (not a code, not a message), ERR_INTEGRITY (made with another code,
 * or damaged), ERR_UNSUPPORTED, ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef CLIENT_LOCAL_JOIN_H
#define CLIENT_LOCAL_JOIN_H

#include "client/local/identity.h"
#include "common/net/pin.h"

enum {
    JOIN_SECRET_LEN = 16,
    JOIN_ID_LEN = 16,
    JOIN_CODE_TEXT = 40, /* eight groups of four with '-' between, and a NUL */
    JOIN_CHECK_TEXT = 8,
    JOIN_REQUEST_MAX = 1024,
    JOIN_ANSWER_MAX = 160 * 1024
};

/* A code as bytes, with what follows from it alone. */
struct join_code {
    struct secret secret;
    uint8_t id[JOIN_ID_LEN]; /* under which both sides meet; tells nothing of the secret */
};
void join_code_free(struct join_code *c);

/* From ${secret} (JOIN_SECRET_LEN bytes, moved), or from what somebody has typed: blanks, '-' and
 * the case of letters do not count.  ERR_INVALID: mistyped. */
MUST_CHECK int join_code_make(struct join_code *ret, struct secret *secret, struct err *err);
MUST_CHECK int join_code_read(struct join_code *ret, const char *text, struct err *err);

/* As text: JOIN_CODE_TEXT bytes with the NUL. */
MUST_CHECK int join_code_show(const struct join_code *c, struct secret *ret_text, struct err *err);

/* What a new device asks for. */
struct join_request {
    uint8_t device_key[IDS_KEY_LEN], box[IDS_KEY_LEN], key[IDS_KEY_LEN];
    bool has_pin;
    struct pin pin; /* of the server that it talks to, which nobody has vouched for */
    char name[IDENTITY_NAME_SIZE];
};

/* Append the sealed request to ${out}. */
MUST_CHECK int join_request_seal(const struct join_request *r, const struct join_code *c,
                                 const struct server_id *server, struct buf *out, struct err *err);
MUST_CHECK int join_request_open(struct join_request *ret, const struct join_code *c,
                                 const struct server_id *server, struct part sealed,
                                 struct err *err);

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

/* What both sides of an answer know: ${request} as it was sent, sealed. */
struct join_meeting {
    const struct join_code *code;
    struct server_id server;
    struct part request;
};

/* Append the answer, sealed to ${key} of the request; ${ephemeral} is 32 hedged bytes. */
MUST_CHECK int join_answer_seal(const struct join_answer *a, const struct join_meeting *m,
                                const uint8_t key[IDS_KEY_LEN], const struct secret *ephemeral,
                                struct buf *out, struct err *err);

/* With the private half of `key`. */
MUST_CHECK int join_answer_open(struct join_answer *ret, const struct join_meeting *m,
                                const struct secret *key, struct part sealed, struct err *err);

/*
 * Six digits that follow from the code, the server and the request, "123 456": the new device shows
 * them and the one that is there, too, so that people see whether they mean the same machine.
 */
MUST_CHECK int join_check(const struct join_meeting *m, char ret_text[JOIN_CHECK_TEXT],
                          struct err *err);

#endif /* CLIENT_LOCAL_JOIN_H */
