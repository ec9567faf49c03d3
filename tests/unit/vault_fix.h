/* SPDX-License-Identifier: Apache-2.0 */
/* vault_fix - a vault in a folder of its own, for a test; and people whose keys it could pin. */
#ifndef TESTS_UNIT_VAULT_FIX_H
#define TESTS_UNIT_VAULT_FIX_H

#include "client/local/contact.h"
#include "client/local/identity.h"
#include "client/local/vault.h"
#include "tests/unit/tmpdir.h"

#define VAULT_FIX_NOW ((uint64_t)1800000000000)

struct vault_fix {
    char dir[TMPDIR_SIZE];
    struct vault *vault; /* without a passphrase, not locked */
};

/* A vault in ${folder}, not locked; ${passphrase} NULL: without one.  The caller closes it. */
struct vault *vault_fix_create(const char *folder, const struct secret *passphrase);

/* ${text} as a secret, without its end; the caller frees it. */
struct secret vault_fix_secret(const char *text);

/* Make one, close and remove it; the test fails if that does. */
void vault_fix_make(struct vault_fix *f);
void vault_fix_free(struct vault_fix *f);

/* The same as set-up and tear-down of cmocka, whose state is a struct vault_fix. */
int vault_fix_setup(void **state);
int vault_fix_teardown(void **state);

/* Somebody with one manifest. */
struct identity *vault_fix_somebody(struct vault_fix *f);

/* What a server would send of him. */
struct contact vault_fix_contact(const struct identity *id);

#endif /* TESTS_UNIT_VAULT_FIX_H */
