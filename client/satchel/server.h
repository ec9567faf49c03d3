/* SPDX-License-Identifier: Apache-2.0 */
/* The server: ping, and doctor.  Rules: satchel.h. */
#ifndef SATCHEL_SERVER_H
#define SATCHEL_SERVER_H

#include "profile.h"

#ifdef __cplusplus
extern "C" {
#endif

enum satchel_registration {
    SATCHEL_REGISTRATION_CLOSED = 0,
    SATCHEL_REGISTRATION_INVITE = 1,
    SATCHEL_REGISTRATION_OPEN = 2,
};

struct satchel_pong {
    double ms; /* round trip of the ping alone */
    char software[SATCHEL_NAME_SIZE + 1], server_id[SATCHEL_UID_SIZE];
    int64_t clock_difference; /* ms the server's clock is ahead of ours */
    enum satchel_registration registration;
    uint64_t max_transfer, min_lifetime, max_lifetime;
    uint32_t max_recipients;
    uint64_t quota, used; /* quota 0: no limit */
};

struct satchel_ping_options {
    void *cookie;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_pong *r);
};

/* Connect, log in and ask for a sign of life. */
SATCHEL_API int satchel_ping_start(struct satchel *s, const struct satchel_ping_options *o,
                                   struct satchel_op **ret_op, struct satchel_error *err);

enum satchel_verdict {
    SATCHEL_CHECK_OK = 0,
    SATCHEL_CHECK_WARN = 1,
    SATCHEL_CHECK_FAIL = 2,
    SATCHEL_CHECK_SKIP = 3, /* could not be looked at because an earlier one failed */
};

struct satchel_check {
    const char *name; /* "profile", "permissions", "vault", "connect", "pin", "server", "login",
                         "clock", "keys", "quota", "limits", "uploads" */
    enum satchel_verdict verdict;
    const char *detail, *hint; /* hint may be "" */
};

struct satchel_doctor_options {
    void *cookie;
    satchel_passphrase_cb *ask; /* used if the profile is not open yet; NULL: vault is skipped */
    void (*on_check)(void *cookie, const struct satchel_check *c); /* in the order above */
    satchel_done_cb *done; /* the error of the first failed check, NULL when none failed */
};

/* Look at everything that has to work, whether or not the profile can be opened. */
SATCHEL_API int satchel_doctor_start(struct satchel *s, const struct satchel_doctor_options *o,
                                     struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_SERVER_H */
