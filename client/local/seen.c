/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/seen.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/crypto/kdf.h"
#include "proto/vault.pb-c.h"

enum { KEY_LEN = 16, ROW_LEN = KEY_LEN + IDS_HASH_LEN + 8 };

static const char table[] = "seen";

struct segment {
    uint64_t number; /* of the record's writing; 0: there is none */
    uint64_t until;  /* of its last entry */
    struct buf rows; /* ROW_LEN bytes each */
};

struct seen {
    struct vault *vault;
    pthread_mutex_t mutex;
    struct segment *segments;
    uint32_t n;
};

int seen_new(struct vault *v, struct seen **ret, struct err *err)
{
    struct seen *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    pthread_mutex_init(&s->mutex, NULL);
    s->vault = v;
    *ret = s;
    return ERR_OK;
}

void seen_free(struct seen *s)
{
    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->n; i++)
        buf_free(&s->segments[i].rows);
    free(s->segments);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

static int key_of(const struct seen_entry *e, uint8_t ret_key[KEY_LEN], struct err *err)
{
    uint8_t hash[HASH_SHA256_LEN];
    int rc = hash_lp(HASH_SHA256, hash,
                     PARTS(part_str(KDF_PREFIX "seen"), PART_OF(e->sender.b), PART_OF(e->tid.b)));

    if (rc != ERR_OK)
        return err_set(err, rc, "cannot hash");
    memcpy(ret_key, hash, KEY_LEN);
    return ERR_OK;
}

static int segment_id(struct seen *s, uint32_t i, uint8_t ret_id[VAULT_RECORD_ID_LEN],
                      struct err *err)
{
    uint8_t number[4];

    put_be32(number, i);
    return vault_id(s->vault, table, PART_OF(number), ret_id, err);
}

/* ---- reading ---- */

static int grow(struct seen *s, uint32_t n, struct err *err)
{
    struct segment *more;

    if (n <= s->n)
        return ERR_OK;
    more = realloc(s->segments, n * sizeof(*more));
    if (more == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    memset(more + s->n, 0, (n - s->n) * sizeof(*more));
    s->segments = more;
    s->n = n;
    return ERR_OK;
}

/* Take over what a record holds. */
static int take(struct segment *g, struct part plain, uint64_t number, struct err *err)
{
    Satchel__Vault__Seen *m = satchel__vault__seen__unpack(NULL, plain.len, plain.data);
    int rc = ERR_OK;

    if (m == NULL || m->entries.len % ROW_LEN != 0 || m->entries.len > SEEN_SEGMENT * ROW_LEN)
        rc = err_set(err, ERR_CORRUPT, "the headers in the vault are damaged");
    if (rc == ERR_OK) {
        buf_reset(&g->rows);
        buf_put(&g->rows, m->entries.data, m->entries.len);
        rc = buf_check(&g->rows, err);
    }
    if (rc == ERR_OK) {
        g->number = number;
        g->until = 0;
        for (size_t at = 0; at < g->rows.len; at += ROW_LEN) {
            uint64_t until = get_be64(g->rows.data + at + KEY_LEN + IDS_HASH_LEN);

            g->until = until > g->until ? until : g->until;
        }
    }
    satchel__vault__seen__free_unpacked(m, NULL);
    return rc;
}

static int read_segment(struct seen *s, uint32_t i, struct err *err)
{
    struct segment *g = &s->segments[i];
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct buf plain = {0};
    uint64_t number = 0;
    int rc = segment_id(s, i, id, err);

    if (rc == ERR_OK)
        rc = vault_get(s->vault, table, id, &plain, &number, err);
    if (rc == ERR_OK && number != g->number)
        rc = take(g, part(plain.data, plain.len), number, err);
    if (rc == ERR_NOTFOUND) {
        buf_reset(&g->rows);
        g->number = g->until = 0;
    }
    buf_free(&plain);
    return rc;
}

/* Dropped segments leave gaps, so the walk ends behind two missing ones past all that is known. */
static int refresh(struct seen *s, struct err *err)
{
    uint32_t missing = 0, known = s->n;

    for (uint32_t i = 0; (i < known || missing < 2) && i < SEEN_SEGMENTS_MAX; i++) {
        int rc = grow(s, i + 1, err);

        if (rc == ERR_OK)
            rc = read_segment(s, i, err);
        if (rc != ERR_OK && rc != ERR_NOTFOUND)
            return rc;
        missing = rc == ERR_NOTFOUND ? missing + 1 : 0;
    }
    return ERR_OK;
}

int seen_refresh(struct seen *s, struct err *err)
{
    int rc;

    pthread_mutex_lock(&s->mutex);
    rc = refresh(s, err);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

static const uint8_t *find(const struct seen *s, const uint8_t key[KEY_LEN])
{
    for (uint32_t i = s->n; i-- > 0;)
        for (size_t at = s->segments[i].rows.len; at > 0; at -= ROW_LEN)
            if (memcmp(s->segments[i].rows.data + at - ROW_LEN, key, KEY_LEN) == 0)
                return s->segments[i].rows.data + at - ROW_LEN;
    return NULL;
}

int seen_find(struct seen *s, struct seen_entry *e, struct err *err)
{
    uint8_t key[KEY_LEN];
    const uint8_t *row;
    int rc = key_of(e, key, err);

    if (rc != ERR_OK)
        return rc;
    pthread_mutex_lock(&s->mutex);
    row = find(s, key);
    if (row != NULL)
        memcpy(e->header.b, row + KEY_LEN, IDS_HASH_LEN);
    pthread_mutex_unlock(&s->mutex);
    return row != NULL ? ERR_OK : err_set(err, ERR_NOTFOUND, "no header is known");
}

/* ---- writing ---- */

static int write_segment(struct seen *s, uint32_t i, struct err *err)
{
    struct segment *g = &s->segments[i];
    Satchel__Vault__Seen m = SATCHEL__VAULT__SEEN__INIT;
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct buf plain = {0};
    int rc = segment_id(s, i, id, err);

    m.entries.data = g->rows.data;
    m.entries.len = g->rows.len;
    if (rc == ERR_OK && buf_reserve(&plain, satchel__vault__seen__get_packed_size(&m)) == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK) {
        plain.len = satchel__vault__seen__pack(&m, plain.data);
        rc = vault_put(s->vault, table, id, part(plain.data, plain.len), err);
    }
    buf_free(&plain);
    return rc;
}

/* Segments in which nothing is worth keeping. */
static int drop_old(struct seen *s, uint64_t now, struct err *err)
{
    int rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < s->n; i++) {
        uint8_t id[VAULT_RECORD_ID_LEN];

        if (s->segments[i].rows.len == 0 || s->segments[i].until >= now)
            continue;
        rc = segment_id(s, i, id, err);
        if (rc == ERR_OK)
            rc = vault_delete(s->vault, table, id, err);
        if (rc == ERR_OK) {
            buf_reset(&s->segments[i].rows);
            s->segments[i].number = s->segments[i].until = 0;
        }
    }
    return rc;
}

/* The first segment with room. */
static int open_segment(struct seen *s, uint32_t *ret_i, struct err *err)
{
    uint32_t i = 0;
    int rc;

    while (i < s->n && s->segments[i].rows.len == SEEN_SEGMENT * ROW_LEN)
        i++;
    if (i == SEEN_SEGMENTS_MAX)
        return err_set(err, ERR_LIMIT, "more transfers than can be remembered");
    rc = grow(s, i + 1, err);
    if (rc == ERR_OK)
        *ret_i = i;
    return rc;
}

static int add_one(struct seen *s, const struct seen_entry *e, uint32_t *at, bool *dirty,
                   struct err *err)
{
    uint8_t key[KEY_LEN];
    struct segment *g;
    int rc = key_of(e, key, err);

    if (rc != ERR_OK || find(s, key) != NULL)
        return rc;
    if (s->segments[*at].rows.len == SEEN_SEGMENT * ROW_LEN) {
        rc = write_segment(s, *at, err);
        if (rc == ERR_OK)
            rc = open_segment(s, at, err);
        if (rc != ERR_OK)
            return rc;
    }
    g = &s->segments[*at];
    buf_put(&g->rows, key, sizeof(key));
    buf_put(&g->rows, e->header.b, sizeof(e->header.b));
    buf_u64(&g->rows, e->until);
    g->until = e->until > g->until ? e->until : g->until;
    *dirty = true;
    return buf_check(&g->rows, err);
}

/* All of them are new, or known with the same header. */
static int agree(struct seen *s, const struct seen_entry *e, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t key[KEY_LEN];
        const uint8_t *row;
        int rc = key_of(&e[i], key, err);

        if (rc != ERR_OK)
            return rc;
        row = find(s, key);
        if (row != NULL && memcmp(row + KEY_LEN, e[i].header.b, IDS_HASH_LEN) != 0)
            return err_set(err, ERR_INTEGRITY,
                           "another header was seen before under the same transfer ID");
    }
    return ERR_OK;
}

static int add_all(struct seen *s, const struct seen_entry *e, size_t n, uint64_t now,
                   struct err *err)
{
    bool dirty = false;
    uint32_t at = 0;
    int again, rc = refresh(s, err);

    if (rc == ERR_OK)
        rc = agree(s, e, n, err);
    if (rc == ERR_OK)
        rc = drop_old(s, now, err);
    if (rc == ERR_OK)
        rc = open_segment(s, &at, err);
    for (size_t i = 0; rc == ERR_OK && i < n; i++)
        rc = add_one(s, &e[i], &at, &dirty, err);
    if (rc == ERR_OK && dirty)
        rc = write_segment(s, at, err);
    if (rc == ERR_OK || !dirty)
        return rc;
    /* What is in memory but not on the disk goes; what is on the disk is read again. */
    for (uint32_t i = 0; i < s->n; i++) {
        buf_reset(&s->segments[i].rows);
        s->segments[i].number = s->segments[i].until = 0;
    }
    again = refresh(s, NULL);
    (void)again; /* what could not be read now is read before it is used next */
    return rc;
}

int seen_add(struct seen *s, const struct seen_entry *e, size_t n, uint64_t now, struct err *err)
{
    int rc = vault_lock(s->vault, err);

    if (rc != ERR_OK)
        return rc;
    pthread_mutex_lock(&s->mutex);
    rc = add_all(s, e, n, now, err);
    pthread_mutex_unlock(&s->mutex);
    vault_unlock(s->vault);
    return rc;
}
