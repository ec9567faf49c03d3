/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record - the log of a daemon's writes that record.so (preloaded) appends and replay reads.
 *
 * Each entry is a head and, for writes and marks, ${len} bytes behind it.  One append is one
 * writev() to a file opened with O_APPEND, so that tests may append marks of their own: what stands
 * before a mark had happened before it.
 */
#ifndef TESTS_FAULT_RECORD_H
#define TESTS_FAULT_RECORD_H

#include <stdint.h>

#define RECORD_MAGIC 0x52435244U

enum record_kind {
    RECORD_WRITE = 'w',   /* begun; durable only when a later entry says so */
    RECORD_SYNC = 's',    /* all writes to ${file} up to number ${upto} are durable */
    RECORD_DURABLE = 'd', /* the write with number ${upto} is durable: its file is O_DSYNC */
    RECORD_SENT = 'A',    /* mark: the transfer with these 32 hex digits was acknowledged */
    RECORD_DELETING = 'b',
    RECORD_DELETED = 'x'
};

/* Little-endian, as the machine that runs both. */
struct record_head {
    uint32_t magic;
    uint16_t kind, file;
    uint64_t number; /* of this entry, from 1; 0: a mark */
    uint64_t at, len, upto;
};

/* The files that count, below the data folder; ${file} is the place in this list. */
#define RECORD_FILES                                                                               \
    {                                                                                              \
        "store/index/data.mdb", "store/bodies-00/data.mdb", "erasable.keys", "store/redo"          \
    }
enum { RECORD_FILE_COUNT = 4 };

#endif /* TESTS_FAULT_RECORD_H */
