/* SPDX-License-Identifier: Apache-2.0 */
/* The names in the account record, while contacts and groups are still coming back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/backup_priv.h"
#include "client/local/group.h"

typedef Satchel__AccountContact Row;

/* ---- whose they are ---- */

const char *backup_username(const Row *row)
{
    if (row->named)
        return row->username;
    return ids_check_username(row->name, NULL) == ERR_OK ? row->name : "";
}

/* ${email} is ${name} folded, as contact_find() looks for it; "": it is no address. */
static enum backup_claim row_claim(const Row *row, const char *name, const char *email)
{
    if (row->named && strcmp(row->name, name) == 0)
        return BACKUP_PETNAME;
    if (strcmp(row->name, name) == 0 || strcmp(backup_username(row), name) == 0 ||
        (email[0] != '\0' && strcmp(row->email, email) == 0))
        return BACKUP_USERNAME;
    return BACKUP_NO_CLAIM;
}

static enum backup_claim claim_of(const Satchel__Account *m, const char *name,
                                  const struct uid *but)
{
    enum backup_claim claim = BACKUP_NO_CLAIM, own = BACKUP_NO_CLAIM;
    char email[IDS_EMAIL_TEXT] = "";

    if (ids_fold_email(name, email, NULL) != ERR_OK)
        email[0] = '\0';
    for (size_t i = 0; i < m->n_groups; i++)
        if (strcmp(m->groups[i]->name, name) == 0)
            return BACKUP_GROUP;
    for (size_t i = 0; i < m->n_contacts; i++) {
        const Row *row = m->contacts[i];
        enum backup_claim its = row_claim(row, name, email);

        if (but != NULL && memcmp(row->user_id.data, but->b, IDS_UID_LEN) == 0)
            own = its;
        else if (its > claim)
            claim = its;
    }
    return own > claim ? BACKUP_NO_CLAIM : claim;
}

int backup_claims(struct vault *v, const char *name, const struct uid *but, enum backup_claim *ret,
                  struct err *err)
{
    Satchel__Account *m = NULL;
    int rc = backup_load_rest(v, &m, err);

    *ret = rc == ERR_OK ? claim_of(m, name, but) : BACKUP_NO_CLAIM;
    satchel__account__free_unpacked(m, NULL);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* ---- groups ---- */

/* Those of its members who are contacts again. */
static int make_group(struct vault *v, const Satchel__Group *row, struct err *err)
{
    int rc = group_make(v, row->name, err);

    for (size_t i = 0; rc == ERR_OK && i < row->n_members; i++) {
        struct contact c = {0};
        struct uid uid;

        memcpy(uid.b, row->members[i].data, IDS_UID_LEN);
        rc = contact_load(v, &uid, &c, err);
        contact_free(&c);
        if (rc == ERR_OK)
            rc = group_add(v, row->name, &uid, err);
        else if (rc == ERR_NOTFOUND)
            rc = ERR_OK;
    }
    return rc;
}

static int note_lost(struct backup_lost *lost, const char *name, struct err *err)
{
    char(*more)[CONTACT_NAME_SIZE] = realloc(lost->names, (lost->n + 1) * sizeof(*more));

    if (more == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    lost->names = more;
    (void)snprintf(lost->names[lost->n++], sizeof(*more), "%s", name);
    return ERR_OK;
}

int backup_make_groups(struct vault *v, struct backup_lost *ret_lost, struct err *err)
{
    Satchel__Account *m = NULL;
    int rc = backup_load_rest(v, &m, err);

    for (size_t i = 0; rc == ERR_OK && i < m->n_groups; i++) {
        rc = make_group(v, m->groups[i], err);
        if (rc == ERR_EXISTS || rc == ERR_INVALID || rc == ERR_LIMIT)
            rc = note_lost(ret_lost, m->groups[i]->name, err);
    }
    satchel__account__free_unpacked(m, NULL);
    return rc;
}

void backup_lost_free(struct backup_lost *lost)
{
    free(lost->names);
    *lost = (struct backup_lost){0};
}
