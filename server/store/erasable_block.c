/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/erasable_block.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"

static const char header_magic[16] = "satchel erasable";

/* ---- bytes ---- */

uint32_t erasable_block_crc(const uint8_t *p, size_t len)
{
    uint32_t crc = 0xffffffff;

    while (len-- > 0) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++)
            crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

int erasable_block_write(const struct erasable_file *f, const uint8_t *p, size_t len, uint64_t at,
                         struct err *err)
{
    while (len > 0) {
        ssize_t n = pwrite(f->fd, p, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == ENOSPC || errno == EDQUOT))
            return err_set(err, ERR_FULL, "no room for erasable keys");
        if (n < 0)
            return err_sys(err, errno, "cannot write erasable keys");
        p += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return ERR_OK;
}

int erasable_block_read(const struct erasable_file *f, uint8_t *p, size_t len, uint64_t at,
                        struct err *err)
{
    memset(p, 0, len);
    while (len > 0) {
        ssize_t n = pread(f->fd, p, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "cannot read erasable keys");
        if (n == 0)
            break;
        p += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return ERR_OK;
}

/* ---- header ---- */

static void encode_header(const struct erasable_file *f, uint8_t block[ERASABLE_HEADER_LEN])
{
    memset(block, 0, ERASABLE_HEADER_LEN);
    memcpy(block, header_magic, sizeof(header_magic));
    put_be32(block + 16, ERASABLE_VERSION);
    put_be32(block + 20, ERASABLE_CELL_LEN);
    put_be64(block + 24, f->seq);
    put_be64(block + 32, f->first);
    put_be32(block + 40, f->base_day);
    put_be32(block + 44, ERASABLE_DAYS);
    put_be32(block + 48, f->gone_day);
    put_be64(block + 56, f->time);
    put_be64(block + 64, f->reserved);
    put_be64(block + 72, f->cells);
    put_be32(block + ERASABLE_HEADER_LEN - 4, erasable_block_crc(block, ERASABLE_HEADER_LEN - 4));
}

/* ERR_CORRUPT, or ERR_UNSUPPORTED for a sound header of another version. */
static int decode_header(const uint8_t block[ERASABLE_HEADER_LEN], struct erasable_file *f)
{
    if (memcmp(block, header_magic, sizeof(header_magic)) != 0 ||
        get_be32(block + ERASABLE_HEADER_LEN - 4) !=
            erasable_block_crc(block, ERASABLE_HEADER_LEN - 4))
        return ERR_CORRUPT;
    if (get_be32(block + 16) != ERASABLE_VERSION || get_be32(block + 20) != ERASABLE_CELL_LEN ||
        get_be32(block + 44) != ERASABLE_DAYS)
        return ERR_UNSUPPORTED;
    f->seq = get_be64(block + 24);
    f->first = get_be64(block + 32);
    f->base_day = get_be32(block + 40);
    f->gone_day = get_be32(block + 48);
    f->time = get_be64(block + 56);
    f->reserved = get_be64(block + 64);
    f->cells = get_be64(block + 72);
    return f->reserved >= ERASABLE_DAYS && f->reserved <= f->cells && f->cells < UINT32_MAX * 64ULL
               ? ERR_OK
               : ERR_CORRUPT;
}

int erasable_block_put_header(struct erasable_file *f, struct erasable_file *want, struct err *err)
{
    uint8_t block[ERASABLE_HEADER_LEN];
    int rc;

    want->seq = f->seq + 1;
    encode_header(want, block);
    rc = erasable_block_write(f, block, sizeof(block), (want->seq & 1) * ERASABLE_HEADER_STEP, err);
    if (rc == ERR_OK)
        rc = erasable_file_sync(f, err);
    if (rc == ERR_OK)
        *f = *want;
    return rc;
}

/* Both are there after the first change; the newer sound one counts. */
int erasable_block_get_header(struct erasable_file *f, struct err *err)
{
    struct erasable_file h[2] = {*f, *f};
    uint8_t block[ERASABLE_HEADER_LEN];
    int rc[2], io;

    for (unsigned i = 0; i < 2; i++) {
        io = erasable_block_read(f, block, sizeof(block), i * ERASABLE_HEADER_STEP, err);
        if (io != ERR_OK)
            return io;
        rc[i] = decode_header(block, &h[i]);
    }
    if (rc[0] == ERR_UNSUPPORTED || rc[1] == ERR_UNSUPPORTED)
        return err_set(err, ERR_UNSUPPORTED, "erasable keys of another version");
    if (rc[0] != ERR_OK && rc[1] != ERR_OK)
        return err_set(err, ERR_CORRUPT, "the header of erasable keys is damaged");
    *f = rc[1] == ERR_OK && (rc[0] != ERR_OK || h[1].seq > h[0].seq) ? h[1] : h[0];
    f->next = f->reserved;
    return ERR_OK;
}

/* ---- cells ---- */

uint64_t erasable_block_place(uint64_t index)
{
    return ERASABLE_CELLS_AT + index * ERASABLE_CELL_LEN;
}

int erasable_block_put_cell(const struct erasable_file *f, uint64_t index, uint8_t state,
                            const struct secret *key, struct err *err)
{
    uint8_t block[ERASABLE_CELL_LEN] = {0};
    int rc;

    block[0] = ERASABLE_VERSION;
    block[1] = state;
    put_be64(block + 8, f->first + index);
    if (key != NULL)
        memcpy(block + 16, key->data, ERASABLE_KEY_LEN);
    put_be32(block + 48, erasable_block_crc(block, 48));
    rc = erasable_block_write(f, block, sizeof(block), erasable_block_place(index), err);
    secret_wipe(block, sizeof(block));
    return rc;
}

int erasable_block_state(const uint8_t block[ERASABLE_CELL_LEN], uint64_t cell, uint8_t *ret)
{
    static const uint8_t zeros[52];

    if (memcmp(block, zeros, sizeof(zeros)) == 0) {
        *ret = 0;
        return ERR_OK;
    }
    if (get_be32(block + 48) != erasable_block_crc(block, 48) || block[0] != ERASABLE_VERSION ||
        get_be64(block + 8) != cell ||
        (block[1] != ERASABLE_STATE_KEY && block[1] != ERASABLE_STATE_ERASED))
        return ERR_CORRUPT;
    *ret = block[1];
    return ERR_OK;
}
