/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/vault_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { BUCKETS = 1024 };

static const char *const tables[] = {"contact", "group"};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

struct row {
    struct row *next; /* in its bucket */
    size_t table;
    uint8_t id[VAULT_RECORD_ID_LEN];
    uint64_t number;
    struct vault_mark mark;
    size_t len;
    uint8_t data[];
};

struct ids {
    struct vault_mark mark; /* not settled: there are none */
    struct buf all;
};

struct vault_cache {
    pthread_mutex_t mutex; /* of all below */
    struct row *buckets[BUCKETS];
    size_t n, bytes;
    struct ids ids[TABLES];
};

/* TABLES: it is not kept. */
static size_t table_of(const char *table)
{
    size_t i = 0;

    while (i < TABLES && strcmp(tables[i], table) != 0)
        i++;
    return i;
}

bool vault_cache_has(const char *table)
{
    return table_of(table) < TABLES;
}

/* ---- marks ---- */

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* A time without a fraction may be of a file system that keeps none. */
static bool is_past(const struct timespec *t, int64_t now)
{
    int64_t tick = t->tv_nsec != 0 ? VAULT_CACHE_TICK_MS : VAULT_CACHE_COARSE_TICK_MS;

    return now - ns_of(t) > tick * 1000000;
}

bool vault_cache_look(const char *path, struct vault_mark *ret)
{
    struct timespec now;
    struct stat st;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || stat(path, &st) != 0)
        return false;
    *ret = (struct vault_mark){.device = st.st_dev,
                               .inode = st.st_ino,
                               .size = (uint64_t)st.st_size,
                               .modified = ns_of(&st.st_mtim),
                               .changed = ns_of(&st.st_ctim),
                               .settled = is_past(&st.st_mtim, ns_of(&now)) &&
                                          is_past(&st.st_ctim, ns_of(&now))};
    return true;
}

static bool same_mark(const struct vault_mark *a, const struct vault_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified == b->modified && a->changed == b->changed;
}

/* ---- rows ---- */

/* Where the row is linked, or where one would be; ${id} is an HMAC's and spreads by itself. */
static struct row **find(struct vault_cache *c, size_t table, const uint8_t *id)
{
    struct row **at = &c->buckets[(id[0] | (unsigned)id[1] << 8) % BUCKETS];

    while (*at != NULL && ((*at)->table != table || memcmp((*at)->id, id, sizeof((*at)->id)) != 0))
        at = &(*at)->next;
    return at;
}

static void drop(struct vault_cache *c, struct row **at)
{
    struct row *row = *at;

    *at = row->next;
    c->n--;
    c->bytes -= row->len;
    secret_wipe(row->data, row->len);
    free(row);
}

static void drop_all(struct vault_cache *c)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (c->buckets[i] != NULL)
            drop(c, &c->buckets[i]);
}

bool vault_cache_get(struct vault_cache *c, const struct vault_place *place,
                     const struct vault_mark *mark, struct buf *out, uint64_t *ret_number)
{
    size_t table = table_of(place->table);
    const struct row *row;
    bool good;

    if (table == TABLES)
        return false;
    pthread_mutex_lock(&c->mutex);
    row = *find(c, table, place->id);
    good = row != NULL && same_mark(&row->mark, mark);
    if (good) {
        buf_put(out, row->data, row->len);
        *ret_number = row->number;
    }
    pthread_mutex_unlock(&c->mutex);
    return good && buf_check(out, NULL) == ERR_OK;
}

static struct row *row_new(size_t table, const struct vault_place *place,
                           const struct vault_mark *mark, struct part plain)
{
    struct row *row = malloc(sizeof(*row) + plain.len);

    if (row == NULL)
        return NULL;
    *row = (struct row){.table = table, .number = place->number, .mark = *mark, .len = plain.len};
    memcpy(row->id, place->id, sizeof(row->id));
    memcpy(row->data, part_bytes(plain), plain.len);
    return row;
}

void vault_cache_put(struct vault_cache *c, const struct vault_place *place,
                     const struct vault_mark *mark, struct part plain)
{
    size_t table = table_of(place->table);
    bool keep = mark->settled && plain.len <= VAULT_CACHE_ROW_MAX;
    struct row **at, *row;

    if (table == TABLES)
        return;
    row = keep ? row_new(table, place, mark, plain) : NULL;
    pthread_mutex_lock(&c->mutex);
    at = find(c, table, place->id);
    if (*at != NULL)
        drop(c, at);
    if (row != NULL) {
        if (c->n == VAULT_CACHE_ROWS || c->bytes + plain.len > VAULT_CACHE_MAX)
            drop_all(c); /* what is in use comes back */
        at = find(c, table, place->id);
        row->next = *at;
        *at = row;
        c->n++;
        c->bytes += row->len;
    }
    pthread_mutex_unlock(&c->mutex);
}

/* ---- the rows of a table ---- */

bool vault_cache_get_ids(struct vault_cache *c, const char *table, const struct vault_mark *mark,
                         struct buf *out)
{
    size_t i = table_of(table);
    bool good;

    if (i == TABLES)
        return false;
    pthread_mutex_lock(&c->mutex);
    good = c->ids[i].mark.settled && same_mark(&c->ids[i].mark, mark);
    if (good)
        buf_put(out, c->ids[i].all.data, c->ids[i].all.len);
    pthread_mutex_unlock(&c->mutex);
    return good && buf_check(out, NULL) == ERR_OK;
}

void vault_cache_put_ids(struct vault_cache *c, const char *table, const struct vault_mark *mark,
                         struct part ids)
{
    size_t i = table_of(table);

    if (i == TABLES)
        return;
    pthread_mutex_lock(&c->mutex);
    buf_free(&c->ids[i].all);
    c->ids[i].mark = (struct vault_mark){0};
    if (mark->settled && ids.len <= VAULT_CACHE_ROWS * VAULT_RECORD_ID_LEN) {
        buf_put(&c->ids[i].all, ids.data, ids.len);
        if (buf_check(&c->ids[i].all, NULL) == ERR_OK)
            c->ids[i].mark = *mark;
        else
            buf_free(&c->ids[i].all);
    }
    pthread_mutex_unlock(&c->mutex);
}

/* ---- */

struct vault_cache *vault_cache_new(void)
{
    struct vault_cache *c = calloc(1, sizeof(*c));

    if (c != NULL)
        pthread_mutex_init(&c->mutex, NULL);
    return c;
}

void vault_cache_free(struct vault_cache *c)
{
    if (c == NULL)
        return;
    drop_all(c);
    for (size_t i = 0; i < TABLES; i++)
        buf_free(&c->ids[i].all);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}
