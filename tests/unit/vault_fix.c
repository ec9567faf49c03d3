/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vault_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/lock.h"
#include "common/fs.h"

struct vault *vault_fix_create(const char *folder, const struct secret *passphrase)
{
    char *path = fs_join(folder, "lock");
    struct lock *lock = NULL;
    struct vault *v = NULL;

    assert_int_equal(lock_open(path, &lock, NULL), ERR_OK);
    assert_int_equal(lock_take(lock, 0, NULL), ERR_OK);
    assert_int_equal(vault_create(folder, passphrase, lock, &v, NULL), ERR_OK);
    vault_unlock(v);
    free(path);
    return v;
}

struct secret vault_fix_secret(const char *text)
{
    struct secret s = {0};

    assert_int_equal(secret_copy(&s, text, strlen(text), NULL), ERR_OK);
    return s;
}

void vault_fix_make(struct vault_fix *f)
{
    assert_non_null(tmpdir_make(f->dir));
    f->vault = vault_fix_create(f->dir, NULL);
}

void vault_fix_free(struct vault_fix *f)
{
    vault_close(f->vault);
    assert_int_equal(tmpdir_remove(f->dir), 0);
}

int vault_fix_setup(void **state)
{
    struct vault_fix *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    vault_fix_make(f);
    *state = f;
    return 0;
}

int vault_fix_teardown(void **state)
{
    vault_fix_free(*state);
    free(*state);
    return 0;
}

struct identity *vault_fix_somebody(struct vault_fix *f)
{
    struct identity_plan plan = {.username = "x", .email = "x@example.org", .now = VAULT_FIX_NOW};
    struct identity *id = NULL;

    assert_int_equal(vault_lock(f->vault, NULL), ERR_OK);
    assert_int_equal(identity_make(&plan, f->vault, &id, NULL), ERR_OK);
    vault_unlock(f->vault);
    return id;
}

struct contact vault_fix_contact(const struct identity *id)
{
    struct contact c = {.added = VAULT_FIX_NOW, .changed = VAULT_FIX_NOW};
    enum chain_change change;

    c.chain.uid = id->uid;
    for (size_t i = 0; i < id->chain.n; i++) {
        const struct manifest *m = id->chain.m[i];
        struct manifest *copy = NULL;

        assert_int_equal(manifest_parse(m->body, PART_OF(m->signature), &copy, NULL), ERR_OK);
        assert_int_equal(chain_add(&c.chain, copy, &change, NULL), ERR_OK);
    }
    return c;
}
