/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erasable_block - headers and cells of the file of erasable keys as bytes:
 * FORMATS.md section 13.  For erasable_file.c alone.
 */
#ifndef SERVER_STORE_ERASABLE_BLOCK_H
#define SERVER_STORE_ERASABLE_BLOCK_H

#include "server/store/erasable_file.h"

enum {
    ERASABLE_VERSION = 1,
    ERASABLE_HEADER_LEN = 512,
    ERASABLE_HEADER_STEP = 4096, /* the headers are at 0 and here */
    ERASABLE_JOURNAL_AT = 8192,
    ERASABLE_JOURNAL_LEN = 8192,
    ERASABLE_CELLS_AT = 16384,
    ERASABLE_STATE_KEY = 1,
    ERASABLE_STATE_ERASED = 2,
};

struct erasable_file {
    int fd;
    uint64_t seq;      /* of the newest header */
    uint64_t first;    /* number of the first cell */
    uint32_t base_day; /* day of the first cell */
    uint32_t gone_day; /* days before this one are destroyed */
    uint64_t time;     /* last noted */
    uint64_t reserved; /* numbers from ${first} that may have been used, as noted */
    uint64_t cells;    /* cells that the file has */
    uint64_t next;     /* the next number, counted from ${first} */
    uint64_t failures; /* syncs that failed */
};

/* CRC-32C (Castagnoli), as in RFC 3720 appendix B.4. */
uint32_t erasable_block_crc(const uint8_t *p, size_t len);

/* Whole reads and writes; beyond the end of the file there are zeros. */
MUST_CHECK int erasable_block_write(const struct erasable_file *f, const uint8_t *p, size_t len,
                                    uint64_t at, struct err *err);
MUST_CHECK int erasable_block_read(const struct erasable_file *f, uint8_t *p, size_t len,
                                   uint64_t at, struct err *err);

/*
 * Write ${want} as the next header, synced, and make it ours.  On failure ${f} is as before.  Two
 * places in turn: a torn header leaves the one before.
 */
MUST_CHECK int erasable_block_put_header(struct erasable_file *f, struct erasable_file *want,
                                         struct err *err);
/* The newer sound one.  ERR_CORRUPT, ERR_UNSUPPORTED, ERR_IO. */
MUST_CHECK int erasable_block_get_header(struct erasable_file *f, struct err *err);

/* Offset of the cell at ${index}, counted from the first. */
uint64_t erasable_block_place(uint64_t index);

/* Write a cell; ${key} NULL for an erased one. */
MUST_CHECK int erasable_block_put_cell(const struct erasable_file *f, uint64_t index, uint8_t state,
                                       const struct secret *key, struct err *err);
/* A cell's state; 0 for one that is all zeros.  ERR_CORRUPT. */
MUST_CHECK int erasable_block_state(const uint8_t block[ERASABLE_CELL_LEN], uint64_t cell,
                                    uint8_t *ret);

#endif /* SERVER_STORE_ERASABLE_BLOCK_H */
