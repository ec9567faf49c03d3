/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/cursor.h"

#include "proto/vault.pb-c.h"

static const char *const table = "cursor";

int cursor_load(struct vault *v, const char *name, uint64_t *ret, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    Satchel__Vault__Counter *m = NULL;
    struct buf plain = {0};
    int rc = vault_id(v, table, part_str(name), id, err);

    if (rc == ERR_OK)
        rc = vault_get(v, table, id, &plain, NULL, err);
    if (rc == ERR_OK) {
        m = satchel__vault__counter__unpack(NULL, plain.len, plain.data);
        if (m == NULL)
            rc = err_set(err, ERR_CORRUPT, "a record of what was told last is damaged");
        else
            *ret = m->next;
    }
    satchel__vault__counter__free_unpacked(m, NULL);
    buf_free(&plain);
    return rc;
}

uint64_t cursor_known(struct vault *v, const char *name)
{
    uint64_t ret = 0;

    return cursor_load(v, name, &ret, NULL) == ERR_OK ? ret : 0;
}

int cursor_save(struct vault *v, const char *name, uint64_t value, struct err *err)
{
    Satchel__Vault__Counter m = SATCHEL__VAULT__COUNTER__INIT;
    uint8_t id[VAULT_RECORD_ID_LEN], plain[16];
    int rc = vault_id(v, table, part_str(name), id, err);

    m.next = value;
    if (rc == ERR_OK)
        rc = vault_lock(v, err);
    if (rc != ERR_OK)
        return rc;
    rc = vault_put(v, table, id, part(plain, satchel__vault__counter__pack(&m, plain)), err);
    vault_unlock(v);
    return rc;
}
