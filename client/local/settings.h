/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings - the text file `settings` of a profile: what is needed before the
 * vault is open.  Nothing in it is secret, and nothing in it is trusted where
 * the vault says it as well (server ID, user ID, username).
 *
 * Touches the disk: not for the loop thread.  Threads: one at a time for each object.
 */
#ifndef CLIENT_LOCAL_SETTINGS_H
#define CLIENT_LOCAL_SETTINGS_H

#include <stdint.h>

#include "common/err.h"

enum settings_state {
    SETTINGS_PENDING, /* a registration was begun */
    SETTINGS_ACTIVE
};

enum settings_receipts { SETTINGS_RECEIPTS_ON, SETTINGS_RECEIPTS_OFF };

/* Zero-initialised is empty.  Strings are owned, NULL where there is none. */
struct settings {
    unsigned state;    /* enum settings_state */
    unsigned receipts; /* enum settings_receipts */
    uint64_t lifetime; /* ms: settings_lifetime() */
    char *server;      /* host and port, as addr_format() writes it */
    char *pin;         /* 43 characters; NULL: a CA vouches for the server */
    char *next_pin;    /* what the server has announced to take its place; NULL: nothing */
    char *ca_file;     /* PEM file, or "system" */
    char *username, *user_id;
};

/* ERR_NOTFOUND: no file; ERR_CORRUPT: not to be read; ERR_IO. */
MUST_CHECK int settings_read(const char *folder, struct settings *ret, struct err *err);

/* Replace the file, durably. */
MUST_CHECK int settings_write(const char *folder, const struct settings *s, struct err *err);

/* With copies of its strings; free with settings_free().  ERR_NOMEM. */
MUST_CHECK int settings_copy(const struct settings *s, struct settings *ret, struct err *err);

/* Replace one of the strings by a copy of ${text}, which may be NULL. */
MUST_CHECK int settings_set(char **field, const char *text, struct err *err);

/*
 * How long transfers may live for whose sake old encryption keys are kept, whatever the server says
 * later: 60 days, or what it said when the profile was made, if that was more.
 */
uint64_t settings_lifetime(const struct settings *s);

/* Note what it says now: for a new profile. */
void settings_pin_lifetime(struct settings *s, uint64_t max_lifetime);

void settings_free(struct settings *s); /* empties it */

#endif /* CLIENT_LOCAL_SETTINGS_H */
