/* SPDX-License-Identifier: Apache-2.0 */
/* Is the server's account record up to date?  The record "backup" of proto/vault.proto. */
#include "client/local/backup.h"

#include "proto/vault.pb-c.h"

static int damaged(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "the account record is damaged");
}

static int load_state(struct vault *v, Satchel__Vault__Backup **ret, uint8_t *id, struct err *err)
{
    struct buf plain = {0};
    int rc = vault_id(v, "backup", part_str("self"), id, err);

    if (rc == ERR_OK)
        rc = vault_get(v, "backup", id, &plain, NULL, err);
    *ret = rc == ERR_OK ? satchel__vault__backup__unpack(NULL, plain.len, plain.data) : NULL;
    buf_free(&plain);
    if (rc == ERR_OK && *ret == NULL)
        rc = damaged(err);
    return rc;
}

static int save_state(struct vault *v, const uint8_t *id, const Satchel__Vault__Backup *m,
                      struct err *err)
{
    uint8_t bytes[64]; /* four numbers */
    size_t len = satchel__vault__backup__get_packed_size(m);

    if (len > sizeof(bytes))
        return err_set(err, ERR_INTERNAL, "a state of %zu bytes", len);
    return vault_put(v, "backup", id, part(bytes, satchel__vault__backup__pack(m, bytes)), err);
}

/* A missing state: never kept, so every change is one too many to note. */
int backup_touch(struct vault *v, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    Satchel__Vault__Backup *m = NULL;
    int rc = load_state(v, &m, id, err);

    if (rc == ERR_NOTFOUND)
        return ERR_OK;
    if (rc == ERR_OK && (m->building || m->touched == m->kept)) {
        m->touched++;
        rc = save_state(v, id, m, err);
    }
    satchel__vault__backup__free_unpacked(m, NULL);
    return rc;
}

bool backup_is_due(struct vault *v)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    Satchel__Vault__Backup *m = NULL;
    bool due = load_state(v, &m, id, NULL) != ERR_OK || m->touched != m->kept;

    satchel__vault__backup__free_unpacked(m, NULL);
    return due;
}

int backup_building(struct vault *v, uint64_t *ret_mark, struct err *err)
{
    Satchel__Vault__Backup fresh = SATCHEL__VAULT__BACKUP__INIT, *m = NULL;
    uint8_t id[VAULT_RECORD_ID_LEN];
    int rc = load_state(v, &m, id, err);

    if (rc != ERR_OK && rc != ERR_NOTFOUND)
        return rc;
    fresh.touched = m != NULL ? m->touched : 1;
    fresh.kept = m != NULL ? m->kept : 0;
    fresh.number = m != NULL ? m->number : 0;
    fresh.building = true;
    satchel__vault__backup__free_unpacked(m, NULL);
    *ret_mark = fresh.touched;
    return save_state(v, id, &fresh, err);
}

int backup_mark(struct vault *v, uint64_t mark, uint64_t number, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    Satchel__Vault__Backup *m = NULL;
    int rc = load_state(v, &m, id, err);

    if (rc == ERR_OK) {
        m->kept = mark;
        m->number = number;
        m->building = false;
        rc = save_state(v, id, m, err);
    }
    satchel__vault__backup__free_unpacked(m, NULL);
    return rc;
}

uint64_t backup_number(struct vault *v)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    Satchel__Vault__Backup *m = NULL;
    uint64_t number = load_state(v, &m, id, NULL) == ERR_OK ? m->number : 0;

    satchel__vault__backup__free_unpacked(m, NULL);
    return number;
}

/* Without a state what is here was never kept, and stays so. */
int backup_note_number(struct vault *v, uint64_t number, struct err *err)
{
    Satchel__Vault__Backup fresh = SATCHEL__VAULT__BACKUP__INIT, *m = NULL;
    uint8_t id[VAULT_RECORD_ID_LEN];
    int rc = load_state(v, &m, id, err);

    if (rc == ERR_OK) {
        fresh = *m;
    } else if (rc == ERR_NOTFOUND) {
        fresh.touched = 1;
        rc = ERR_OK;
    }
    fresh.number = number;
    if (rc == ERR_OK)
        rc = save_state(v, id, &fresh, err);
    satchel__vault__backup__free_unpacked(m, NULL);
    return rc;
}
