/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody who registered a while ago, and whose keys the test holds: it can publish what another
 * device, or a thief, would. */
#ifndef TESTS_CLIENT_OLD_USER_H
#define TESTS_CLIENT_OLD_USER_H

#include "common/transfer/manifest.h"
#include "common/transfer/manifest_build.h"
#include "tests/client/scene.h"

struct old_user {
    struct actor_handle h;
    struct secret isk, recovery;
    struct manifest *first;
};

/* "dave", registered ${days} ago and away since. To be freed with old_user_free(). */
void old_user_make(struct scene *g, struct old_user *u, unsigned days);
void old_user_free(struct old_user *u);

/* A plan for a manifest of now behind ${before}, with the same devices and keys; borrows
 * ${before}. */
struct manifest_build_plan old_user_plan(const struct manifest *before);

/* Sign what ${plan} says, and publish it as the newest of Dave's manifests. To be freed with
 * manifest_free(). */
struct manifest *old_user_publish(struct scene *g, const struct manifest_build_plan *plan,
                                  const struct secret *isk);

/* As it goes over the wire. To be freed with satchel__signed__free_unpacked(). */
Satchel__Signed *old_user_signed(const struct manifest *m);

#endif /* TESTS_CLIENT_OLD_USER_H */
