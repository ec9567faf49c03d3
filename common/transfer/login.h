/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login - the signatures of Register, Login, Recover, DeleteAccount and FactorRemove
 * (proto/FORMATS.md sections 5 and 19).
 *
 * Both sides fill in what they know themselves: server_id and exporter of the
 * connection, never what the peer says of them.
 * Errors: ERR_INVALID (a name over its size), ERR_INTEGRITY (signature),
 * ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_LOGIN_H
#define COMMON_TRANSFER_LOGIN_H

#include "common/secret.h"
#include "common/transfer/ids.h"
#include "common/transfer/signed.h"

enum { LOGIN_NONCE_LEN = 32, LOGIN_EXPORTER_LEN = 32 };

/* The daemon refuses a Login whose time is further than this from its own. */
#define LOGIN_CLOCK_MS ((uint64_t)24 * 3600 * 1000)

struct login_registration {
    struct server_id server;
    uint8_t exporter[LOGIN_EXPORTER_LEN];
    const char *username, *email; /* exactly as in the message */
    struct hash32 manifest;       /* hash of the manifest that is registered */
};

/* With the identity key: the 32-byte seed to sign, the public key to check. */
MUST_CHECK int login_register_sign(const struct login_registration *r,
                                   const struct secret *identity, uint8_t ret_sig[SIGNED_SIG_LEN],
                                   struct err *err);
MUST_CHECK int login_register_check(const struct login_registration *r,
                                    const uint8_t identity_key[IDS_KEY_LEN], struct part sig,
                                    struct err *err);

struct login_recovery {
    struct server_id server;
    uint8_t exporter[LOGIN_EXPORTER_LEN];
    struct part who;      /* user ID or username, as in the message */
    struct part manifest; /* body of the manifest in the message; empty without one */
};

/* With the recovery key. */
MUST_CHECK int login_recovery_sign(const struct login_recovery *r, const struct secret *recovery,
                                   uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err);
MUST_CHECK int login_recovery_check(const struct login_recovery *r,
                                    const uint8_t recovery_key[IDS_KEY_LEN], struct part sig,
                                    struct err *err);

struct login {
    struct server_id server;
    uint8_t nonce[LOGIN_NONCE_LEN]; /* of this connection's HelloReply */
    uint8_t exporter[LOGIN_EXPORTER_LEN];
    struct uid uid;
    struct device_id device;
    uint64_t time; /* milliseconds since 1970 UTC */
};

/* With the device key. */
MUST_CHECK int login_sign(const struct login *l, const struct secret *device,
                          uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err);
MUST_CHECK int login_check(const struct login *l, const uint8_t device_key[IDS_KEY_LEN],
                           struct part sig, struct err *err);

/* Removing the second factor without a code of it. */
struct login_factor {
    struct server_id server;
    uint8_t exporter[LOGIN_EXPORTER_LEN];
    struct uid uid;
};

/* With the recovery key. */
MUST_CHECK int login_factor_sign(const struct login_factor *f, const struct secret *recovery,
                                 uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err);
MUST_CHECK int login_factor_check(const struct login_factor *f,
                                  const uint8_t recovery_key[IDS_KEY_LEN], struct part sig,
                                  struct err *err);

/* Deleting the account. */
struct login_delete {
    struct server_id server;
    uint8_t exporter[LOGIN_EXPORTER_LEN];
    struct uid uid;
};

/* With the identity key, and again with the recovery key. */
MUST_CHECK int login_delete_sign(const struct login_delete *l, const struct secret *key,
                                 uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err);
MUST_CHECK int login_delete_check(const struct login_delete *l,
                                  const uint8_t public_key[IDS_KEY_LEN], struct part sig,
                                  struct err *err);

#endif /* COMMON_TRANSFER_LOGIN_H */
