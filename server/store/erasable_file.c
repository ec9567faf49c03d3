/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erasable_file - layout: two headers, the journal, the cells of days, the cells of slots.
 *
 * The header counts up and lives in two places in turn: a torn one leaves the one
 * before.  It promises numbers ahead: those below ${reserved} may have been used, so a
 * crash skips some and repeats none.
 */
#include "server/store/erasable_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "server/store/erasable_block.h"

enum {
    GROWTH = 1024, /* cells made, and numbers promised, at a time */
    REGION = 128   /* cells punched together: 64 KiB */
};

static const char journal_magic[8] = "sjournal";
static const uint64_t day_ms = 86400000;

int erasable_file_sync(struct erasable_file *f, struct err *err)
{
    if (fdatasync(f->fd) == 0)
        return ERR_OK;
    f->failures++;
    return err_sys(err, errno, "cannot sync erasable keys");
}

uint64_t erasable_file_failures(const struct erasable_file *f)
{
    return f->failures;
}

/* Where ${cell} is, counted from the first; false if it is not of this file. */
static bool index_of(const struct erasable_file *f, uint64_t cell, uint64_t *ret)
{
    if (cell < f->first || cell - f->first >= f->cells)
        return false;
    *ret = cell - f->first;
    return true;
}

/* ---- make, open, close ---- */

/* Zeros, written and not just promised by the file system, up to ${cells} cells. */
static int write_zeros(const struct erasable_file *f, uint64_t from, uint64_t cells,
                       struct err *err)
{
    static const uint8_t zeros[64 * ERASABLE_CELL_LEN];
    int rc = ERR_OK;

    for (; from < cells && rc == ERR_OK; from += 64)
        rc = erasable_block_write(
            f, zeros, (size_t)(cells - from < 64 ? cells - from : 64) * ERASABLE_CELL_LEN,
            erasable_block_place(from), err);
    return rc;
}

static int fill_new(struct erasable_file *f, uint64_t now, struct err *err)
{
    struct erasable_file want = *f;
    int rc;

    /* The time makes the numbers of a new file larger than those of one that was lost. */
    want.first = now << 16;
    want.base_day = want.gone_day = (uint32_t)(now / day_ms);
    want.time = now;
    want.reserved = want.cells = ERASABLE_DAYS;
    rc = write_zeros(&want, 0, want.cells, err);
    if (rc == ERR_OK)
        rc = erasable_file_sync(f, err);
    return rc == ERR_OK ? erasable_block_put_header(f, &want, err) : rc;
}

int erasable_file_create(const char *path, uint64_t now, struct err *err)
{
    struct erasable_file f = {0};
    char *tmp = NULL;
    int rc;

    f.fd = -1;
    if (asprintf(&tmp, "%s.new", path) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    f.fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f.fd < 0) {
        rc = err_sys(err, errno, "cannot create '%s'", tmp);
        free(tmp);
        return rc;
    }
    rc = fill_new(&f, now, err);
    /* link() refuses an existing name, which rename() does not. */
    if (rc == ERR_OK && link(tmp, path) != 0)
        rc = errno == EEXIST ? err_set(err, ERR_EXISTS, "'%s' exists already", path)
                             : err_sys(err, errno, "cannot create '%s'", path);
    (void)unlink(tmp);
    close(f.fd);
    free(tmp);
    return rc == ERR_OK ? fs_sync_parent(path, err) : rc;
}

/*
 * Behind the numbers that the header speaks of nothing is used, unless it is an older one because
 * the newest got damaged: then its numbers show by their cells, and are skipped.
 */
static int skip_used(struct erasable_file *f, struct err *err)
{
    static const uint8_t zeros[ERASABLE_CELL_LEN];
    uint8_t block[ERASABLE_CELL_LEN];
    struct erasable_file want = *f;
    struct stat st;
    uint64_t cells;
    int rc = ERR_OK;

    if (fstat(f->fd, &st) != 0)
        return err_sys(err, errno, "cannot look at the file of erasable keys");
    if ((uint64_t)st.st_size < erasable_block_place(f->cells))
        return err_set(err, ERR_CORRUPT, "the file of erasable keys is shorter than it says");
    cells = ((uint64_t)st.st_size - ERASABLE_CELLS_AT) / ERASABLE_CELL_LEN;
    for (uint64_t i = f->reserved; i < cells && rc == ERR_OK; i++) {
        rc = erasable_block_read(f, block, sizeof(block), erasable_block_place(i), err);
        if (rc == ERR_OK && memcmp(block, zeros, sizeof(block)) != 0)
            want.reserved = want.next = i + 1;
    }
    secret_wipe(block, sizeof(block));
    if (rc != ERR_OK || want.reserved == f->reserved)
        return rc;
    want.cells = cells;
    return erasable_block_put_header(f, &want, err);
}

static int redo_journal(struct erasable_file *f, struct err *err);

int erasable_file_open(struct erasable_file **ret_f, const char *path, struct err *err)
{
    struct erasable_file *f = calloc(1, sizeof(*f));
    int rc = ERR_OK;

    if (f == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    f->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (f->fd < 0)
        rc = errno == ENOENT ? err_set(err, ERR_NOTFOUND, "'%s' does not exist", path)
                             : err_sys(err, errno, "cannot open '%s'", path);
    else if (flock(f->fd, LOCK_EX | LOCK_NB) != 0)
        rc = errno == EWOULDBLOCK ? err_set(err, ERR_BUSY, "'%s' is open in another process", path)
                                  : err_sys(err, errno, "cannot lock '%s'", path);
    if (rc == ERR_OK)
        rc = erasable_block_get_header(f, err);
    if (rc == ERR_OK)
        rc = skip_used(f, err);
    if (rc == ERR_OK)
        rc = redo_journal(f, err);
    if (rc != ERR_OK) {
        if (f->fd >= 0)
            close(f->fd);
        free(f);
        return rc;
    }
    *ret_f = f;
    return ERR_OK;
}

void erasable_file_close(struct erasable_file *f)
{
    struct erasable_file want;
    int rc;

    if (f == NULL)
        return;
    want = *f;
    want.reserved = f->next;
    rc = want.reserved != f->reserved ? erasable_block_put_header(f, &want, NULL) : ERR_OK;
    (void)rc; /* a failure only skips numbers */
    close(f->fd);
    free(f);
}

/* ---- numbers ---- */

/* Promise ${n} numbers more: first the cells, then the header that speaks of them. */
static int promise(struct erasable_file *f, size_t n, struct err *err)
{
    struct erasable_file want = *f;
    int rc = ERR_OK;

    want.reserved = f->next + n + GROWTH - 1;
    want.reserved -= want.reserved % GROWTH;
    if (want.reserved > f->cells) {
        want.cells = want.reserved;
        rc = write_zeros(f, f->cells, want.cells, err);
        if (rc == ERR_OK)
            rc = erasable_file_sync(f, err);
    }
    return rc == ERR_OK ? erasable_block_put_header(f, &want, err) : rc;
}

int erasable_file_alloc(struct erasable_file *f, size_t n, uint64_t *ret_first, struct err *err)
{
    int rc = ERR_OK;

    if (n > f->reserved - f->next)
        rc = promise(f, n, err);
    if (rc != ERR_OK)
        return rc;
    *ret_first = f->first + f->next;
    f->next += n;
    return ERR_OK;
}

/* ---- keys ---- */

int erasable_file_write(struct erasable_file *f, uint64_t cell, const struct secret *key,
                        struct err *err)
{
    uint64_t index;

    if (key->len != ERASABLE_KEY_LEN || !index_of(f, cell, &index) || index >= f->next)
        return err_set(err, ERR_INVALID, "no such cell of erasable keys");
    return erasable_block_put_cell(f, index, ERASABLE_STATE_KEY, key, err);
}

int erasable_file_read(struct erasable_file *f, uint64_t cell, struct secret *key, struct err *err)
{
    uint8_t block[ERASABLE_CELL_LEN], state = 0;
    uint64_t index;
    int rc;

    if (!index_of(f, cell, &index) || index >= f->next)
        return err_set(err, ERR_NOTFOUND, "no such cell of erasable keys");
    rc = erasable_block_read(f, block, sizeof(block), erasable_block_place(index), err);
    if (rc == ERR_OK)
        rc = erasable_block_state(block, cell, &state);
    if (rc == ERR_CORRUPT)
        (void)err_set(err, rc, "a cell of erasable keys is damaged");
    else if (rc == ERR_OK && state == 0 && index < ERASABLE_DAYS &&
             f->base_day + index >= f->gone_day)
        rc = err_set(err, ERR_NOTFOUND, "no key for this day");
    else if (rc == ERR_OK && state != ERASABLE_STATE_KEY) /* a hole was erased too */
        rc = err_set(err, ERR_EXPIRED, "the key is erased");
    else if (rc == ERR_OK)
        rc = secret_copy(key, block + 16, ERASABLE_KEY_LEN, err);
    secret_wipe(block, sizeof(block));
    return rc;
}

int erasable_file_day(struct erasable_file *f, uint32_t day, uint64_t *ret_cell, bool *ret_keyed,
                      struct err *err)
{
    struct secret key = {0};
    uint64_t cell;
    int rc;

    if (day < f->gone_day)
        return err_set(err, ERR_EXPIRED, "the key of this day is destroyed");
    if (day - f->base_day >= ERASABLE_DAYS)
        return err_set(err, ERR_LIMIT, "this file of erasable keys does not serve that day");
    cell = f->first + (day - f->base_day);
    rc = erasable_file_read(f, cell, &key, err);
    secret_free(&key);
    /* Of a damaged key nothing can be had any more: the day may as well get another one. */
    if (rc != ERR_OK && rc != ERR_NOTFOUND && rc != ERR_CORRUPT)
        return rc;
    *ret_keyed = rc == ERR_OK;
    *ret_cell = cell;
    return ERR_OK;
}

/* ---- erasing ---- */

int erasable_file_journal(struct erasable_file *f, const uint64_t *cells, size_t n, struct err *err)
{
    uint8_t block[ERASABLE_JOURNAL_LEN] = {0};
    int rc;

    if (n > ERASABLE_JOURNAL_MAX)
        return err_set(err, ERR_LIMIT, "too many cells to erase at once");
    memcpy(block, journal_magic, sizeof(journal_magic));
    put_be32(block + 8, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        put_be64(block + 16 + 8 * i, cells[i]);
    put_be32(block + 12, erasable_block_crc(block + 16, 8 * n));
    rc = erasable_block_write(f, block, (16 + 8 * n + 511) / 512 * 512, ERASABLE_JOURNAL_AT, err);
    return rc == ERR_OK ? erasable_file_sync(f, err) : rc;
}

int erasable_file_erase(struct erasable_file *f, uint64_t cell, struct err *err)
{
    uint64_t index;

    if (!index_of(f, cell, &index))
        return ERR_OK;
    return erasable_block_put_cell(f, index, ERASABLE_STATE_ERASED, NULL, err);
}

/*
 * A torn journal means that erasing had not begun: nothing is to be done.  A sound one may be old,
 * and doing it again does no harm.
 */
static int redo_journal(struct erasable_file *f, struct err *err)
{
    uint8_t block[ERASABLE_JOURNAL_LEN];
    uint32_t n;
    int rc = erasable_block_read(f, block, sizeof(block), ERASABLE_JOURNAL_AT, err);

    if (rc != ERR_OK)
        return rc;
    n = get_be32(block + 8);
    if (memcmp(block, journal_magic, sizeof(journal_magic)) != 0 || n > ERASABLE_JOURNAL_MAX ||
        n == 0 || get_be32(block + 12) != erasable_block_crc(block + 16, 8 * (size_t)n))
        return ERR_OK;
    for (uint32_t i = 0; i < n && rc == ERR_OK; i++)
        rc = erasable_file_erase(f, get_be64(block + 16 + 8 * i), err);
    return rc == ERR_OK ? erasable_file_sync(f, err) : rc;
}

/* No key, and none to come, in ${region}? */
static bool region_is_empty(const struct erasable_file *f, uint64_t region)
{
    uint8_t block[ERASABLE_CELL_LEN], state = 0;
    bool empty = true;

    if (region * REGION < ERASABLE_DAYS || (region + 1) * REGION > f->next)
        return false;
    for (uint64_t i = region * REGION; empty && i < (region + 1) * REGION; i++) {
        empty =
            erasable_block_read(f, block, sizeof(block), erasable_block_place(i), NULL) == ERR_OK &&
            erasable_block_state(block, f->first + i, &state) == ERR_OK &&
            state != ERASABLE_STATE_KEY;
        secret_wipe(block, sizeof(block));
    }
    return empty;
}

void erasable_file_punch(struct erasable_file *f, const uint64_t *cells, size_t n)
{
    uint64_t index, last = UINT64_MAX;

    for (size_t i = 0; i < n; i++) {
        if (!index_of(f, cells[i], &index) || index / REGION == last)
            continue;
        last = index / REGION;
        if (region_is_empty(f, last))
            (void)fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)erasable_block_place(last * REGION),
                            (off_t)REGION * ERASABLE_CELL_LEN);
    }
}

/* ---- days ---- */

uint64_t erasable_file_time(const struct erasable_file *f)
{
    return f->time;
}

int erasable_file_confirm(struct erasable_file *f, uint64_t now, struct err *err)
{
    struct erasable_file want = *f;

    want.time = now;
    return erasable_block_put_header(f, &want, err);
}

int erasable_file_renew_days(struct erasable_file *f, struct err *err)
{
    struct secret key = {0};
    int rc = ERR_OK;

    for (uint64_t i = f->gone_day - f->base_day; i < ERASABLE_DAYS && rc == ERR_OK; i++) {
        rc = erasable_file_read(f, f->first + i, &key, err);
        if (rc == ERR_OK)
            rc = erasable_block_put_cell(f, i, ERASABLE_STATE_KEY, &key, err);
        else if (rc != ERR_IO && rc != ERR_NOMEM)
            rc = ERR_OK; /* no key, or none any more */
    }
    secret_free(&key);
    return rc;
}

/* Was anything ever written to the cell of a day?  *ret_key: a key, or what is left of one. */
static int was_used(struct erasable_file *f, uint64_t index, bool *ret_used, bool *ret_key,
                    struct err *err)
{
    uint8_t block[ERASABLE_CELL_LEN], state = 0;
    int rc = erasable_block_read(f, block, sizeof(block), erasable_block_place(index), err);

    if (rc == ERR_OK) {
        *ret_key = erasable_block_state(block, f->first + index, &state) != ERR_OK ||
                   state == ERASABLE_STATE_KEY;
        *ret_used = *ret_key || state != 0;
    }
    secret_wipe(block, sizeof(block));
    return rc;
}

/*
 * Erase the days before ${day}, from the first that is not gone; those that are read as erased once
 * more: that may be all that a sync has left which failed.
 */
static int erase_days(struct erasable_file *f, uint32_t day, unsigned *ret_days, struct err *err)
{
    unsigned days = 0;
    bool used = false, key = false, wrote = false;
    int rc = ERR_OK;

    for (uint32_t i = f->gone_day - f->base_day;
         i < day - f->base_day && i < ERASABLE_DAYS && rc == ERR_OK; i++) {
        rc = was_used(f, i, &used, &key, err);
        if (rc == ERR_OK && used) {
            rc = erasable_block_put_cell(f, i, ERASABLE_STATE_ERASED, NULL, err);
            days += key;
            wrote = true;
        }
    }
    if (rc == ERR_OK && wrote)
        rc = erasable_file_sync(f, err);
    if (rc == ERR_OK)
        *ret_days = days;
    return rc;
}

int erasable_file_destroy_days(struct erasable_file *f, uint64_t now, unsigned *ret_days,
                               struct err *err)
{
    struct erasable_file want = *f;
    uint32_t today = (uint32_t)(now / day_ms);
    unsigned days = 0;
    int rc;

    if (now > f->time && now - f->time > day_ms)
        return err_set(err, ERR_REFUSED,
                       "the clock is more than 24 hours past the last noted time");
    if (now <= f->time || today < f->gone_day) {
        *ret_days = 0;
        return ERR_OK;
    }
    rc = erase_days(f, today, &days, err);
    if (rc != ERR_OK)
        return rc;
    want.time = now;
    want.gone_day = today;
    rc = erasable_block_put_header(f, &want, err);
    if (rc == ERR_OK)
        *ret_days = days;
    return rc;
}
