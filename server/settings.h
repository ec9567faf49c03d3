/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings - what satcheld.conf says, checked; and where the daemon's files are.
 *
 * Everything a daemon keeps is below its data folder; the names are in
 * settings_file().  Times are milliseconds, sizes bytes.
 *
 * Threads: one at a time for each object.  settings_read() and settings_check() touch the disk.
 */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/net/pin.h"

enum settings_registration { SETTINGS_CLOSED, SETTINGS_INVITE, SETTINGS_OPEN };

struct settings {
    /* [server] */
    char *data;
    struct config_list listen;
    unsigned registration; /* enum settings_registration */
    unsigned log_level;    /* enum log_level */
    uint64_t drain;

    /* [tls]; NULL: the daemon's own in the data folder */
    char *certificate, *key;
    char *next_certificate; /* NULL: no change is announced */

    /* [store] */
    unsigned engine;
    uint64_t bodies, index_max, body_max;
    uint64_t quota, lease;

    /* [limits] */
    uint64_t connections, connections_per_address, handshakes, handshakes_per_address,
        registrations;
    uint64_t requests, lookups, releases;
    uint64_t manifests, uploads, queued, queued_total; /* manifests: a day */
    uint64_t max_transfer, max_recipients, min_lifetime, max_lifetime;
    uint64_t window, page;

    /* [timeouts] */
    uint64_t handshake, login, idle, stall, store;
};

extern const struct config_schema settings_schema;

/* As the file has it: "closed", "invite" or "open". */
const char *settings_registration_name(const struct settings *s);

/*
 * Read and check ${path}, as config_read(), with the rules between options.  Free with
 * settings_free().
 */
MUST_CHECK int settings_read(const char *path, struct settings *ret_s, struct config_report *rep,
                             struct err *err);

/* The defaults, with ${data} and, unless NULL, one listen address. */
MUST_CHECK int settings_defaults(const char *data, const char *listen, struct settings *ret_s,
                                 struct err *err);

/*
 * Everything that is wrong with ${path}: the text, and as settings_check_files().  ERR_INVALID:
 * ${rep} has it; others as config_read().
 */
MUST_CHECK int settings_check(const char *path, struct config_report *rep, struct err *err);

/* Body environments that the store of the data folder was made with; 0: there is none yet. */
unsigned settings_made_bodies(const struct settings *s);

/*
 * What cannot be seen in the text: the data folder is initialised, certificate
 * and key are there and belong together, the store was made with as many bodies.  Adds to ${rep};
 * false if it did.
 */
bool settings_check_files(const struct settings *s, struct config_report *rep);

/* The pin of the certificate that is announced; *ret_has: there is one.  ERR_NOTFOUND, ERR_INVALID,
 * ERR_IO: its file is not good. */
MUST_CHECK int settings_next_pin(const struct settings *s, struct pin *ret_pin, bool *ret_has,
                                 struct err *err);

void settings_free(struct settings *s);

/* Files of the data folder. */
enum settings_name {
    SETTINGS_SERVER_KEY,   /* Ed25519 seed, 32 bytes: the daemon's identity */
    SETTINGS_TLS_KEY,      /* PEM */
    SETTINGS_TLS_CERT,     /* PEM */
    SETTINGS_HEDGE_KEY,    /* hedge.h */
    SETTINGS_FACTOR_KEY,   /* factor_row.h, 32 bytes */
    SETTINGS_WEIGHTS,      /* keynet.h */
    SETTINGS_CARD,         /* model card of the instance, text */
    SETTINGS_NEXT_WEIGHTS, /* the same two of one that satcheld train has made */
    SETTINGS_NEXT_CARD,
    SETTINGS_INSTANCES, /* folder of old ones, instance_files.h */
    SETTINGS_ERASABLE,  /* erasable_file.h */
    SETTINGS_STORE,     /* folder, store.h */
    SETTINGS_SOCKET,    /* ctl.h */
    SETTINGS_CONFIG,    /* satcheld.conf, unless named otherwise */
    SETTINGS_NAMES
};

/* "${data}/<name>" as a new string; free() it.  NULL when out of memory. */
char *settings_file(const char *data, enum settings_name name);

/* The certificate and key in use: those named, or those of the data folder.  As settings_file(). */
char *settings_cert_path(const struct settings *s);
char *settings_key_path(const struct settings *s);

#endif /* SERVER_SETTINGS_H */
