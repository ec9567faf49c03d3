/* SPDX-License-Identifier: Apache-2.0 */
/* actor - users of a daemon under test.  Functions abort() when they fail locally, and give the
 * daemon's code. */
#ifndef TESTS_INTEGRATION_ACTOR_H
#define TESTS_INTEGRATION_ACTOR_H

#include "tests/integration/peer.h"
#include "tests/sample/sample.h"

struct actor {
    struct sample_user u;
    char email[64];
};

void actor_make(struct actor *a, const char *name); /* ${name} must live as long */
void actor_free(struct actor *a);

Satchel__Code actor_register(struct peer *p, const struct actor *a, const char *invite);
Satchel__Code actor_login(struct peer *p, const struct actor *a);
uint64_t actor_send_login(struct peer *p, const struct actor *a); /* without waiting: the id */

Satchel__Code actor_put_manifest(struct peer *p, const struct manifest *m);

/* The manifest behind ${before}, with the same device and key, told from others by ${created}. */
struct manifest *actor_next_manifest(const struct actor *a, const struct manifest *before,
                                     uint64_t created);

/* The same by a new identity key ${isk} that the user's recovery key vouches for; it revokes the
 * device and has ${with} in its place, NULL: none. */
struct manifest *actor_succeed(const struct actor *a, const struct manifest *before,
                               const struct manifest_device *with, const struct secret *isk);

/* Connect, Hello, Login; aborts when it fails. */
void actor_enter(struct peer *p, uint16_t port, const struct actor *a);

#endif /* TESTS_INTEGRATION_ACTOR_H */
