/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ids - identifiers and names: how they are computed, written and checked
 * (proto/FORMATS.md section 2).
 *
 * All of them are public bytes: compare with memcmp(), copy by assignment.
 * Errors: ERR_INVALID with a message that says what is wrong, ERR_NOMEM,
 * ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_IDS_H
#define COMMON_TRANSFER_IDS_H

#include <stdint.h>

#include "common/crypto/part.h"
#include "common/err.h"

enum {
    IDS_UID_LEN = 20,
    IDS_SERVER_LEN = 20,
    IDS_TID_LEN = 16,
    IDS_DEVICE_LEN = 16,
    IDS_EK_LEN = 16,
    IDS_INSTANCE_LEN = 16,
    IDS_HASH_LEN = 32,
    IDS_KEY_LEN = 32,  /* Ed25519 and X25519, public or private */
    IDS_UID_TEXT = 43, /* with the final NUL, as the other texts */
    IDS_TID_TEXT = 33,
    IDS_EMAIL_TEXT = 255,
    IDS_USERNAME_TEXT = 33,
    IDS_SUITE_X25519 = 1
};

struct uid {
    uint8_t b[IDS_UID_LEN];
};
struct server_id {
    uint8_t b[IDS_SERVER_LEN];
};
struct tid {
    uint8_t b[IDS_TID_LEN];
};
struct device_id {
    uint8_t b[IDS_DEVICE_LEN];
};
struct ek_id {
    uint8_t b[IDS_EK_LEN];
};
struct instance_id {
    uint8_t b[IDS_INSTANCE_LEN]; /* the first bytes of the hash of a weight file */
};
struct hash32 {
    uint8_t b[IDS_HASH_LEN];
};

/* From raw public keys.  Of the keys only the algorithm's own check is made: any bytes do. */
MUST_CHECK int ids_uid(const uint8_t first_identity_key[IDS_KEY_LEN],
                       const uint8_t recovery_key[IDS_KEY_LEN], struct uid *ret_uid);
MUST_CHECK int ids_device(const uint8_t key[IDS_KEY_LEN], struct device_id *ret_id);
MUST_CHECK int ids_ek(uint32_t suite, struct part key, struct ek_id *ret_id);
MUST_CHECK int ids_server(const uint8_t key[IDS_KEY_LEN], struct server_id *ret_id);

/* bech32m with the prefix "sat", in lower case.  ERR_INVALID tells a typing error from a wrong
 * prefix or length. */
void ids_uid_to_text(const struct uid *uid, char ret_text[IDS_UID_TEXT]);
MUST_CHECK int ids_uid_from_text(const char *text, struct uid *ret_uid, struct err *err);

/* 32 hex digits, written in lower case, read in both. */
void ids_tid_to_text(const struct tid *tid, char ret_text[IDS_TID_TEXT]);
MUST_CHECK int ids_tid_from_text(const char *text, struct tid *ret_tid, struct err *err);

/* 1 to 32 of [a-z0-9._-]. */
MUST_CHECK int ids_check_username(const char *name, struct err *err);

/*
 * At most 254 bytes, one '@' with something on both sides, no space or control
 * character.  ids_fold_email() checks as well and gives the form to compare and
 * to store: ASCII letters lowered.
 */
MUST_CHECK int ids_check_email(const char *email, struct err *err);
MUST_CHECK int ids_fold_email(const char *email, char ret_folded[IDS_EMAIL_TEXT], struct err *err);

#endif /* COMMON_TRANSFER_IDS_H */
