/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arrival - what operations have in common that make a profile, where there is none, of an account
 * that is there: by its recovery words, or let in by another device.
 *
 * Threads: the loop's own, or a worker while the operation waits for it.  Never blocks, but for
 * arrival_check(), which reads a small file.
 */
#ifndef CLIENT_OP_ARRIVAL_H
#define CLIENT_OP_ARRIVAL_H

#include "client/core/op.h"

/* Zero-initialise.  Embedded in the operation. */
struct arrival {
    struct settings target; /* server, pin, ca_file as asked for */
    struct secret passphrase;

    struct server_id server;
    struct settings settings; /* to be written */
    struct chain chain;       /* of the user, as the server shows it */
    uint64_t last;            /* sequence of the newest one that the server has */
    struct profile *profile;  /* until the handle has it */
};
void arrival_free(struct arrival *a);

/* The handle is free, and has no profile that is active.  ERR_BADSTATE, ERR_EXISTS, and the errors
 * of profile_look(). */
MUST_CHECK int arrival_check(const struct satchel *s, struct err *err);

/* The operation begins: the server has greeted us.  ERR_CLOSED: it has gone since; ERR_NOMEM. */
MUST_CHECK int arrival_greeted(struct arrival *a, const struct satchel *s, struct err *err);

/*
 * Take a page of manifests, of which the server has some up to ${last}.  Without a user in
 * a->chain.uid the first one says who it is.  ERR_PROTO: none came; the errors of manifest.h and
 * chain.h.
 */
MUST_CHECK int arrival_take(struct arrival *a, Satchel__Signed *const *manifests, size_t count,
                            uint64_t last, struct err *err);
bool arrival_has_all(const struct arrival *a);

/* The handle gets the profile, which is active. */
void arrival_settle(struct arrival *a, struct satchel *s);

/* IDENTITY_KEYS_MAX empty ones; NULL: out of memory.  arrival_keys_free() takes NULL. */
struct identity_key *arrival_keys(void);
void arrival_keys_free(struct identity_key *keys);

#endif /* CLIENT_OP_ARRIVAL_H */
