/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/backup_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/group.h"
#include "client/local/pb_secret.h"
#include "common/crypto/x25519.h"
#include "common/transfer/account.h"

typedef Satchel__Account Record;
typedef Satchel__AccountContact Row;

enum { LIST_MAX = 4096 };

static int damaged(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "the account record is damaged");
}

/* ---- writing ---- */

/* Rows of all contacts or groups, made with strdup() and malloc(); freed as a message. */
struct draft {
    Record *m;
    size_t bytes;             /* of groups */
    size_t cap;               /* rows that there is room for */
    unsigned *ranks;          /* of the contacts */
    size_t rest, rest_groups; /* the first ones: what a recovery has still to bring back */
};

static Row *new_row(struct draft *d, unsigned rank, struct err *err)
{
    size_t n = d->m->n_contacts, cap = d->cap * 2 + 64;
    Row *row = calloc(1, sizeof(*row));

    if (row != NULL && n == d->cap) {
        Row **rows = realloc(d->m->contacts, cap * sizeof(*rows));
        unsigned *ranks = realloc(d->ranks, cap * sizeof(*ranks));

        d->m->contacts = rows != NULL ? rows : d->m->contacts;
        d->ranks = ranks != NULL ? ranks : d->ranks;
        d->cap = rows != NULL && ranks != NULL ? cap : d->cap;
    }
    if (row == NULL || n == d->cap) {
        free(row);
        (void)err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    satchel__account_contact__init(row);
    d->ranks[n] = rank;
    d->m->contacts[d->m->n_contacts++] = row;
    return row;
}

static int add_ranked(struct draft *d, const struct contact *c, const struct manifest *newest,
                      unsigned rank, struct err *err)
{
    Row *row = new_row(d, rank, err);

    if (row == NULL)
        return ERR_NOMEM;
    row->name = strdup(c->name);
    row->verified = strdup(c->verified);
    row->email = strdup(c->email);
    row->username = strdup(c->named ? c->username : ""); /* otherwise it is the name */
    row->named = c->named;
    row->blocked = c->blocked;
    row->replaced = c->replaced;
    row->user_id.data = malloc(IDS_UID_LEN);
    row->manifest.data = malloc(IDS_HASH_LEN);
    if (row->name == NULL || row->verified == NULL || row->email == NULL || row->username == NULL ||
        row->user_id.data == NULL || row->manifest.data == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    row->user_id.len = IDS_UID_LEN;
    row->manifest.len = IDS_HASH_LEN;
    memcpy(row->user_id.data, newest->uid.b, IDS_UID_LEN);
    memcpy(row->manifest.data, newest->hash.b, IDS_HASH_LEN);
    return ERR_OK;
}

/* Those that we would miss most stay; strangers are not missed. */
static int cut(struct draft *d, size_t *ret_left_out, struct err *err)
{
    Record *m = d->m;
    size_t n = 0, bytes = 0;
    Row **kept = calloc(m->n_contacts + 1, sizeof(*kept));

    if (kept == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_left_out = 0;
    for (unsigned rank = 0; rank <= CONTACT_STRANGER; rank++)
        for (size_t i = 0; i < m->n_contacts; i++) {
            Row *row = m->contacts[i];

            if (d->ranks[i] != rank)
                continue;
            bytes += satchel__account_contact__get_packed_size(row) + 4;
            if (n < LIST_MAX && bytes <= ACCOUNT_PLAIN_MAX / 2) {
                kept[n++] = row;
                continue;
            }
            *ret_left_out += rank < CONTACT_STRANGER;
            satchel__account_contact__free_unpacked(row, NULL);
        }
    free(m->contacts);
    m->contacts = kept;
    m->n_contacts = n;
    return ERR_OK;
}

static int add_group(void *cookie, const struct group *g, struct err *err)
{
    struct draft *d = cookie;
    Satchel__Group *row;

    if (d->m->n_groups == LIST_MAX || d->bytes > ACCOUNT_PLAIN_MAX / 4)
        return ERR_OK;
    row = calloc(1, sizeof(*row));
    if (row == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    satchel__group__init(row);
    d->m->groups[d->m->n_groups++] = row;
    row->version = 1;
    row->name = strdup(g->name);
    row->members = calloc(g->n + 1, sizeof(*row->members));
    if (row->name == NULL || row->members == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < g->n; i++) {
        row->members[i].data = malloc(IDS_UID_LEN);
        if (row->members[i].data == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
        row->members[row->n_members++].len = IDS_UID_LEN;
        memcpy(row->members[i].data, g->members[i].b, IDS_UID_LEN);
    }
    d->bytes += satchel__group__get_packed_size(row) + 4;
    return ERR_OK;
}

/* ---- what a recovery has not brought back yet stays in the record as it was ---- */

static int add_known(void *cookie, const struct contact *c, const struct manifest *newest,
                     struct err *err)
{
    struct draft *d = cookie;

    for (size_t i = 0; i < d->rest; i++)
        if (memcmp(d->m->contacts[i]->user_id.data, newest->uid.b, IDS_UID_LEN) == 0)
            return ERR_OK;
    return add_ranked(d, c, newest, contact_rank(c), err);
}

static int add_known_group(void *cookie, const struct group *g, struct err *err)
{
    const struct draft *d = cookie;

    for (size_t i = 0; i < d->rest_groups; i++)
        if (strcmp(d->m->groups[i]->name, g->name) == 0)
            return ERR_OK;
    return add_group(cookie, g, err);
}

static int add_rest_contact(struct draft *d, const Row *row, struct err *err)
{
    struct contact c = {.named = row->named, .blocked = row->blocked, .replaced = row->replaced};
    struct manifest newest = {0};

    (void)snprintf(c.name, sizeof(c.name), "%s", row->name);
    (void)snprintf(c.verified, sizeof(c.verified), "%s", row->verified);
    (void)snprintf(c.email, sizeof(c.email), "%s", row->email);
    (void)snprintf(c.username, sizeof(c.username), "%s", row->username);
    memcpy(newest.uid.b, row->user_id.data, IDS_UID_LEN);
    memcpy(newest.hash.b, row->manifest.data, IDS_HASH_LEN);
    c.chosen = true; /* as far as the record tells */
    return add_ranked(d, &c, &newest, contact_rank(&c), err);
}

static int add_rest_group(struct draft *d, const Satchel__Group *row, struct err *err)
{
    struct group *g = calloc(1, sizeof(*g));
    int rc = g != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK && row->n_members <= GROUP_MAX) {
        (void)snprintf(g->name, sizeof(g->name), "%s", row->name);
        for (size_t i = 0; i < row->n_members; i++)
            memcpy(g->members[g->n++].b, row->members[i].data, IDS_UID_LEN);
        rc = add_group(d, g, err);
    }
    free(g);
    return rc;
}

static int add_rest(struct vault *v, struct draft *d, struct err *err)
{
    Record *m = NULL;
    int rc = backup_load_rest(v, &m, err);

    if (rc == ERR_NOTFOUND)
        return ERR_OK;
    for (size_t i = 0; rc == ERR_OK && i < m->n_contacts; i++)
        rc = add_rest_contact(d, m->contacts[i], err);
    for (size_t i = 0; rc == ERR_OK && i < m->n_groups; i++)
        rc = add_rest_group(d, m->groups[i], err);
    d->rest = d->m->n_contacts;
    d->rest_groups = d->m->n_groups;
    satchel__account__free_unpacked(m, NULL);
    return rc;
}

/* Keys and names stay where they are, in the identity: they are taken out before it is freed. */
static int pack(Record *m, const struct identity *id, struct secret *ret, struct err *err)
{
    Satchel__OwnKey keys[IDENTITY_KEYS_MAX + 1], *list[IDENTITY_KEYS_MAX + 1];
    Satchel__DeviceName names[MANIFEST_DEVICES_MAX], *name_list[MANIFEST_DEVICES_MAX];
    size_t n = 0;
    int rc;

    for (size_t i = 0; i < id->n_names; i++) {
        satchel__device_name__init(&names[i]);
        names[i].device =
            (ProtobufCBinaryData){IDS_DEVICE_LEN, (uint8_t *)(uintptr_t)id->names[i].device.b};
        names[i].name = (char *)(uintptr_t)id->names[i].name;
        name_list[i] = &names[i];
    }
    for (size_t i = 0; i <= id->n_keys; i++) {
        const struct identity_key *k = i < id->n_keys ? &id->keys[i] : &id->next_key;

        if (k->key.len == 0)
            continue;
        satchel__own_key__init(&keys[n]);
        keys[n].suite = IDS_SUITE_X25519;
        keys[n].private_key = (ProtobufCBinaryData){k->key.len, k->key.data};
        keys[n].not_before = k->not_before;
        keys[n].not_after = k->not_after;
        list[n] = &keys[n];
        n++;
    }
    m->version = 1;
    m->n_keys = n;
    m->keys = list;
    m->n_names = id->n_names;
    m->names = name_list;
    rc = pb_secret_pack(&m->base, ret, err);
    m->n_keys = m->n_names = 0;
    m->keys = NULL;
    m->names = NULL;
    return rc;
}

int backup_build(struct vault *v, const struct identity *id, struct secret *ret_plain,
                 struct backup_made *ret, struct err *err)
{
    struct draft d = {.m = calloc(1, sizeof(*d.m))};
    int rc = d.m != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    if (rc != ERR_OK)
        return rc;
    satchel__account__init(d.m);
    d.m->groups = calloc(LIST_MAX, sizeof(*d.m->groups));
    if (d.m->groups == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK)
        rc = backup_building(v, &ret->mark, err);
    if (rc == ERR_OK)
        rc = add_rest(v, &d, err);
    if (rc == ERR_OK)
        rc = contact_each_ranked(v, add_known, &d, err);
    if (rc == ERR_OK)
        rc = group_each(v, add_known_group, &d, err);
    if (rc == ERR_OK)
        rc = cut(&d, &ret->left_out, err);
    if (rc == ERR_OK)
        rc = pack(d.m, id, ret_plain, err);
    satchel__account__free_unpacked(d.m, NULL);
    free(d.ranks);
    return rc;
}

/* ---- reading ---- */

/*
 * Is it the record that a recovery has taken, and did not come so far as to replace?  That recovery
 * has revoked the device that signed it.
 */
static bool was_taken(const struct chain *chain, struct part body)
{
    struct hash32 record;
    bool taken = false;

    if (account_hash(body, &record) != ERR_OK)
        return false;
    for (size_t i = 0; i < chain->n && !taken; i++)
        taken =
            chain->m[i]->has_account && memcmp(&chain->m[i]->account, &record, sizeof(record)) == 0;
    return taken;
}

static int check_signer(const struct chain *chain, const struct backup_sealed *record,
                        struct err *err)
{
    const struct manifest_device *d;
    struct account_claim claim;
    int rc = account_peek(record->body, &claim, err);

    if (rc != ERR_OK)
        return rc;
    if (memcmp(&claim.uid, &chain->uid, sizeof(claim.uid)) != 0)
        return err_set(err, ERR_INTEGRITY, "the account record is another user's");
    d = manifest_device(chain_newest(chain), &claim.device);
    if (d == NULL || d->revoked != 0)
        return err_set(err, ERR_INTEGRITY, "a revoked device has signed the account record");
    return signed_check(SIGNED_ACCOUNT, d->key, record->body,
                        part(record->signature, SIGNED_SIG_LEN), err);
}

int backup_open(const struct chain *chain, const struct backup_sealed *record,
                const struct secret *box, struct secret *ret_plain, struct err *err)
{
    int rc = was_taken(chain, record->body) ? ERR_OK : check_signer(chain, record, err);

    return rc == ERR_OK ? account_open(record->body, box, ret_plain, err) : rc;
}

static bool is_sound(const Record *m)
{
    if (m == NULL || m->version != 1 || m->n_keys > IDENTITY_KEYS_MAX + 1)
        return false;
    for (size_t i = 0; i < m->n_keys; i++)
        if (m->keys[i]->private_key.len != X25519_LEN || m->keys[i]->suite != IDS_SUITE_X25519)
            return false;
    for (size_t i = 0; i < m->n_contacts; i++)
        if (m->contacts[i]->user_id.len != IDS_UID_LEN ||
            m->contacts[i]->manifest.len != IDS_HASH_LEN ||
            strlen(m->contacts[i]->name) >= CONTACT_NAME_SIZE ||
            strlen(m->contacts[i]->email) >= IDS_EMAIL_TEXT ||
            strlen(m->contacts[i]->username) >= IDS_USERNAME_TEXT ||
            strlen(m->contacts[i]->verified) >= SAFETY_TEXT)
            return false;
    for (size_t i = 0; i < m->n_groups; i++)
        for (size_t k = 0; k < m->groups[i]->n_members; k++)
            if (m->groups[i]->members[k].len != IDS_UID_LEN)
                return false;
    for (size_t i = 0; i < m->n_names; i++)
        if (m->names[i]->device.len != IDS_DEVICE_LEN || !identity_name_fits(m->names[i]->name))
            return false;
    return true;
}

/* With the keys: free with pb_secret_allocator. */
static int unpack(struct part plain, Record **ret, struct err *err)
{
    ProtobufCMessage *m = NULL;
    int rc = pb_secret_unpack(&satchel__account__descriptor, plain, &m, err);

    if (rc == ERR_NOMEM)
        return rc;
    *ret = (Record *)m;
    if (is_sound(*ret))
        return ERR_OK;
    satchel__account__free_unpacked(*ret, &pb_secret_allocator);
    *ret = NULL;
    return damaged(err);
}

int backup_keys(struct part plain, struct identity_key *ret, size_t *ret_n, struct err *err)
{
    Record *m = NULL;
    int rc = unpack(plain, &m, err);
    size_t n = 0, first = rc == ERR_OK && m->n_keys > IDENTITY_KEYS_MAX;

    for (size_t i = first; rc == ERR_OK && i < m->n_keys; i++) {
        const Satchel__OwnKey *k = m->keys[i];
        uint8_t public[IDS_KEY_LEN];

        rc = secret_copy(&ret[n].key, k->private_key.data, k->private_key.len, err);
        if (rc == ERR_OK)
            rc = x25519_public(public, ret[n].key.data);
        if (rc == ERR_OK)
            rc = ids_ek(IDS_SUITE_X25519, PART_OF(public), &ret[n].id);
        ret[n].not_before = k->not_before;
        ret[n].not_after = k->not_after;
        n++;
    }
    *ret_n = n;
    satchel__account__free_unpacked(m, &pb_secret_allocator);
    return rc;
}

int backup_names(struct part plain, struct identity *id, struct err *err)
{
    Record *m = NULL;
    int rc = unpack(plain, &m, err);

    for (size_t i = 0; rc == ERR_OK && i < m->n_names; i++) {
        struct device_id device;

        memcpy(device.b, m->names[i]->device.data, sizeof(device.b));
        identity_keep_name(id, &device, m->names[i]->name);
    }
    satchel__account__free_unpacked(m, &pb_secret_allocator);
    return rc;
}

/* ---- what is still to be done ---- */

int backup_note_rest(struct vault *v, const struct secret *plain, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct secret rest = {0};
    Record *m = NULL;
    int rc = vault_id(v, "restore", part_str("self"), id, err);

    if (rc != ERR_OK || plain == NULL)
        return rc == ERR_OK ? vault_delete(v, "restore", id, err) : rc;
    rc = unpack(part_secret(plain), &m, err);
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < m->n_keys; i++)
        satchel__own_key__free_unpacked(m->keys[i], &pb_secret_allocator);
    m->n_keys = 0;
    rc = pb_secret_pack(&m->base, &rest, err);
    if (rc == ERR_OK)
        rc = vault_put(v, "restore", id, part_secret(&rest), err);
    secret_free(&rest);
    satchel__account__free_unpacked(m, &pb_secret_allocator);
    return rc;
}

int backup_load_rest(struct vault *v, Record **ret, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct buf plain = {0};
    Record *m = NULL;
    int rc = vault_id(v, "restore", part_str("self"), id, err);

    if (rc == ERR_OK)
        rc = vault_get(v, "restore", id, &plain, NULL, err);
    if (rc == ERR_OK) {
        m = satchel__account__unpack(NULL, plain.len, plain.data);
        rc = is_sound(m) && m->n_keys == 0 ? ERR_OK : damaged(err);
    }
    buf_free(&plain);
    if (rc == ERR_OK)
        *ret = m;
    else
        satchel__account__free_unpacked(m, NULL);
    return rc;
}

int backup_rest(struct vault *v, struct backup_contact **ret, size_t *ret_n, struct err *err)
{
    struct backup_contact *list = NULL;
    Record *m = NULL;
    int rc = backup_load_rest(v, &m, err);

    if (rc != ERR_OK)
        return rc;
    list = calloc(m->n_contacts + 1, sizeof(*list));
    if (list == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; rc == ERR_OK && i < m->n_contacts; i++) {
        const Row *row = m->contacts[i];

        list[i] = (struct backup_contact){
            .named = row->named, .blocked = row->blocked, .replaced = row->replaced};
        memcpy(list[i].uid.b, row->user_id.data, IDS_UID_LEN);
        memcpy(list[i].manifest.b, row->manifest.data, IDS_HASH_LEN);
        (void)snprintf(list[i].name, sizeof(list[i].name), "%s", row->name);
        (void)snprintf(list[i].verified, sizeof(list[i].verified), "%s", row->verified);
        (void)snprintf(list[i].email, sizeof(list[i].email), "%s", row->email);
        (void)snprintf(list[i].username, sizeof(list[i].username), "%s", backup_username(row));
    }
    if (rc == ERR_OK) {
        *ret = list;
        *ret_n = m->n_contacts;
    }
    satchel__account__free_unpacked(m, NULL);
    return rc;
}
