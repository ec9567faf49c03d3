/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the records of a vault hold.  The first byte chooses the table, the rest is the
 * plaintext: sealed into a vault of the target's own, then read by the module
 * that owns the table.  What a module accepts it writes, and reads again.
 */
#include <string.h>
#include <unistd.h>

#include "client/local/contact.h"
#include "client/local/identity.h"
#include "client/local/seen.h"
#include "client/local/settings.h"
#include "common/fs.h"
#include "tests/fuzz/fuzz.h"

static char folder[] = "/dev/shm/satchel-fuzz-XXXXXX";
static struct vault *vault;

static void remove_folder(void)
{
    char path[64];

    vault_close(vault);
    MUST(vault_destroy(folder, NULL) == ERR_OK);
    (void)snprintf(path, sizeof(path), "%s/lock", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/settings", folder);
    (void)unlink(path);
    (void)rmdir(folder);
}

static void make_vault(void)
{
    struct lock *lock = NULL;
    char path[64];

    if (access("/dev/shm", W_OK) != 0)
        memcpy(folder, "/var/tmp/", 9);
    MUST(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof(path), "%s/lock", folder);
    MUST(lock_open(path, &lock, NULL) == ERR_OK && lock_take(lock, 0, NULL) == ERR_OK);
    MUST(vault_create(folder, NULL, lock, &vault, NULL) == ERR_OK);
    vault_unlock(vault);
    atexit(remove_folder);
}

static void put(const char *table, struct part key, struct part plain)
{
    uint8_t id[VAULT_RECORD_ID_LEN];

    MUST(vault_id(vault, table, key, id, NULL) == ERR_OK);
    MUST(vault_lock(vault, NULL) == ERR_OK);
    MUST(vault_put(vault, table, id, plain, NULL) == ERR_OK);
    vault_unlock(vault);
}

static void drop(const char *table, struct part key)
{
    uint8_t id[VAULT_RECORD_ID_LEN];

    MUST(vault_id(vault, table, key, id, NULL) == ERR_OK);
    MUST(vault_lock(vault, NULL) == ERR_OK);
    MUST(vault_delete(vault, table, id, NULL) == ERR_OK);
    vault_unlock(vault);
}

/* ${plain} holds both records: u32 length of the chain, the chain, the identity. */
static void try_identity(struct part plain)
{
    struct identity *id = NULL;
    struct rd r = rd_make(plain.data, plain.len);
    uint32_t len = rd_u32(&r);
    const uint8_t *chain = rd_take(&r, len);

    if (chain == NULL)
        return;
    put("chain", part_str("self"), part(chain, len));
    put("identity", part_str("self"), part(r.p, r.left));
    if (identity_load(vault, &id, NULL) != ERR_OK)
        return;
    MUST(vault_lock(vault, NULL) == ERR_OK);
    MUST(identity_save(id, vault, NULL) == ERR_OK);
    vault_unlock(vault);
    identity_unref(id);
    id = NULL;
    MUST(identity_load(vault, &id, NULL) == ERR_OK);
    identity_unref(id);
}

static int on_contact(void *cookie, const struct contact *c, const struct manifest *newest,
                      struct err *err)
{
    (void)cookie;
    (void)err;
    MUST(strlen(c->name) < CONTACT_NAME_SIZE && newest != NULL);
    return ERR_OK;
}

static void try_contact(struct part plain)
{
    static const struct uid nobody;
    struct contact c = {0};
    struct uid uid = nobody, found;

    /* Its own user ID, if it has one: field 2, 20 bytes. */
    for (size_t i = 0; i + 22 <= plain.len; i++)
        if (memcmp((const uint8_t *)plain.data + i, "\x12\x14", 2) == 0) {
            memcpy(uid.b, (const uint8_t *)plain.data + i + 2, sizeof(uid.b));
            break;
        }
    put("contact", PART_OF(uid.b), plain);
    /* Nothing but this record is there; an empty message is no contact. */
    if (contact_each(vault, on_contact, NULL, NULL) == ERR_OK)
        MUST(plain.len > 0);
    if (contact_find(vault, "somebody", &found, NULL) == ERR_OK)
        MUST(contact_each(vault, on_contact, NULL, NULL) == ERR_OK ||
             contact_load(vault, &found, &c, NULL) != ERR_OK);
    if (contact_load(vault, &uid, &c, NULL) == ERR_OK) {
        MUST(vault_lock(vault, NULL) == ERR_OK);
        MUST(contact_save(vault, &c, NULL) == ERR_OK);
        vault_unlock(vault);
        contact_free(&c);
        MUST(contact_load(vault, &uid, &c, NULL) == ERR_OK);
    }
    contact_free(&c);
    drop("contact", PART_OF(uid.b));
}

static void try_seen(struct part plain)
{
    static const uint8_t first[4];
    struct seen *s = NULL;
    struct seen_entry e = {.until = 1};
    int rc;

    put("seen", PART_OF(first), plain);
    MUST(seen_new(vault, &s, NULL) == ERR_OK);
    if (seen_refresh(s, NULL) == ERR_OK) {
        rc = seen_add(s, &e, 1, 0, NULL);
        MUST(rc == ERR_OK || rc == ERR_INTEGRITY);
        MUST(seen_find(s, &e, NULL) == ERR_OK);
    }
    seen_free(s);
    drop("seen", PART_OF(first));
    drop("seen", part("\0\0\0\1", 4));
}

static void try_counter(struct part plain)
{
    static uint8_t zeros[HEDGE_LEN];
    struct secret key = {.data = zeros, .len = sizeof(zeros)}, drawn = {0};
    struct hedge *h = NULL;

    put("counter", part_str("hedge"), plain);
    MUST(hedge_new(vault, &key, false, &h, NULL) == ERR_OK);
    if (hedge_draw(h, "fuzz", part(NULL, 0), &drawn, NULL) == ERR_OK)
        MUST(drawn.len == HEDGE_LEN);
    secret_free(&drawn);
    hedge_free(h);
}

static void try_settings(struct part plain)
{
    struct settings s = {0};
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/settings", folder);
    MUST(fs_replace(path, plain.data, plain.len, 0600, NULL) == ERR_OK);
    if (settings_read(folder, &s, NULL) != ERR_OK)
        return;
    MUST(settings_write(folder, &s, NULL) == ERR_OK);
    settings_free(&s);
    MUST(settings_read(folder, &s, NULL) == ERR_OK);
    settings_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct part plain) = {try_identity, try_contact, try_seen,
                                                       try_counter, try_settings};

    if (vault == NULL)
        make_vault();
    if (size > 0)
        tries[data[0] % (sizeof(tries) / sizeof(tries[0]))](part(data + 1, size - 1));
    return 0;
}
